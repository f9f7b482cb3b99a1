"""Colours of the lesion types on pictures, bars and legends.

They are the eight colours of Okabe and Ito, which are distinguishable with every common kind of colour
blindness; white replaces black, which is invisible on CT. Colour is never the only cue: contours also carry
the short name of the type.
"""

from __future__ import annotations

from scripts.lidia.vocabulary import CLASSES, LESION_CLASSES

_OKABE_ITO = ("#D55E00", "#E69F00", "#F0E442", "#CC79A7", "#56B4E9", "#0072B2", "#FFFFFF", "#009E73")
_SHORT_NAMES = ("HCC", "ICC", "met", "hem", "FNH", "cyst", "calc", "oth")

COLOURS = dict(zip(LESION_CLASSES, _OKABE_ITO, strict=True))
"""Class number -> colour as #RRGGBB."""

SHORT_NAMES = dict(zip(LESION_CLASSES, _SHORT_NAMES, strict=True))
"""Class number -> name of at most four letters, for labels on pictures."""

TYPE_COLOURS = {CLASSES[number]: colour for number, colour in COLOURS.items()}
"""Type name -> colour."""

GROUP_COLOUR = "#8a94a3"
"""Colour of malignant and benign."""

LABEL_COLOURS = {"liver": "#DD8265"} | {name.lower(): colour for name, colour in TYPE_COLOURS.items()}
"""Name of a label as MONAI Label writes it -> colour; the liver's is 3D Slicer's own."""
