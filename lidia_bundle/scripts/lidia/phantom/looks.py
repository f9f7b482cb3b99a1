"""Defines the appearance of lesions: the columns of the tables, and the rows of the seven common classes.

HU are means per phase (nc, arterial, venous, delayed) with one deviation between patients per phase.
`tissue` values are relative to the reference liver of the look and shift with a patient's parenchyma; `pool`
values are shares of the aorta; `fixed` values are the same in every patient.
"""

from __future__ import annotations

from typing import NamedTuple

from scripts.lidia.phantom.tissues import Four
from scripts.lidia.vocabulary import CLASSES

Span = tuple[float, float]
Counts = tuple[tuple[int, int, float], ...]


class Part(NamedTuple):
    """One part of a lesion, painted over the previous parts.

    Attributes:
        kind: name of the form in `parts.FORMS`.
        hu: mean HU per phase.
        sd: standard deviation between patients in HU per phase.
        base: `tissue`, `pool` or `fixed`.
        size: size of the form (mm or share), drawn uniformly from this range.
        count: number of pieces, for forms made of pieces.
        chance: probability that a lesion has this part.
        above: only in lesions at least this wide (mm).
        fill: visible share per phase (hemangiomas fill from the rim, halos may be arterial only).
        mottle: SD in HU of the texture inside the part.
    """

    kind: str
    hu: Four
    sd: Four = (5, 8, 8, 7)
    base: str = "tissue"
    size: Span = (0.0, 0.0)
    count: tuple[int, int] = (1, 1)  # type: ignore[assignment]
    chance: float = 1.0
    above: float = 0.0
    fill: Four = (1, 1, 1, 1)
    mottle: float = 0.0


class Look(NamedTuple):
    """One appearance of the lesions of a class.

    Attributes:
        name: unique name.
        group: class number of `vocabulary.CLASSES`.
        parts: painted in this order.
        shape: name of the outline in `outlines.OUTLINES`.
        diameter: median, smallest and largest in mm.
        number: (smallest, largest, probability) of the number of lesions in a patient.
        weight: relative frequency among the looks of its class.
        side: `M`, `B` or `?`: malignant, benign, neither.
        liver: reference liver of the HU.
        home: kind of liver that the look requires, `` for any.
        through: whether vessels pass through the lesion unchanged.
        order: name of the enhancement rule that the lesion obeys (`enhancement.ORDERS`).
    """

    name: str
    group: int
    parts: tuple[Part, ...]
    shape: str = "round"
    diameter: tuple[float, float, float] = (25.0, 8.0, 90.0)
    number: Counts = ((1, 1, 1.0),)
    weight: float = 1.0
    side: str = "?"
    liver: str = "normal"
    home: str = ""
    through: bool = False
    order: str = ""


NECROSIS = Part("core", (28, 31, 33, 34), (8, 8, 8, 8), "fixed", (0.3, 0.6), chance=0.45, above=40)
POOL_NODULE: Four = (40, 190, 160, 115)
SOLITARY = ((1, 1, 0.7), (2, 3, 0.3))

_HCC, _ICC, _META, _HEM, _FNH, _CYST, _CALC = (CLASSES.index(name) for name in CLASSES[2:9])
_HCC_COUNT = ((1, 1, 0.65), (2, 4, 0.27), (5, 7, 0.08))
_META_COUNT = ((1, 1, 0.42), (2, 4, 0.33), (5, 9, 0.25))

COMMON = (
    Look("HCC_typical", _HCC, (
        Part("body", (48, 106, 96, 72), (7, 15, 10, 6), mottle=5),
        Part("mosaic", (48, 106, 96, 72), (5, 10, 8, 6), size=(8, 13), chance=0.8, above=25),
        NECROSIS,
        Part("clumps", (-5, 5, 15, 5), (15, 15, 15, 15), "fixed", (0.08, 0.25), chance=0.15, above=30),
        Part("clumps", (65, 66, 66, 66), (7, 7, 7, 7), "fixed", (0.08, 0.2), chance=0.05, above=30),
        Part("shell", (50, 75, 112, 112), (5, 8, 8, 8), size=(1.8, 3.2), chance=0.55, above=20),
    ), "round", (38, 20, 95), _HCC_COUNT, 0.54, "M", "cirrhotic", order="washout"),
    Look("HCC_small", _HCC, (
        Part("body", (52, 102, 98, 75), (5, 12, 9, 6), mottle=3),
    ), "round", (15, 9, 20), _HCC_COUNT, 0.28, "M", "cirrhotic", order="washout"),
    Look("HCC_hypovascular", _HCC, (
        Part("body", (46, 70, 88, 74), (6, 7, 9, 6), mottle=4),
        Part("shell", (50, 75, 112, 112), (5, 8, 8, 8), size=(1.8, 3.0), chance=0.5, above=20),
    ), "round", (25, 10, 60), _HCC_COUNT, 0.18, "M", "cirrhotic", order="washout_only"),
    Look("ICC", _ICC, (
        Part("body", (37, 54, 72, 100), (5, 8, 9, 9), mottle=4),
        Part("rim", (40, 98, 102, 92), (5, 14, 10, 9), size=(3.5, 8.0), chance=0.6),
        Part("ducts", (10, 10, 10, 10), (4, 4, 4, 4), "fixed", (1.6, 3.0), (2, 4), 0.5, 25),
        Part("satellites", (38, 78, 88, 90), (5, 10, 8, 8), "tissue", (3.0, 6.0), (1, 3), 0.3, 25),
    ), "infiltrating", (50, 14, 95), ((1, 1, 0.85), (2, 2, 0.15)), 1.0, "M", order="progressive"),
    Look("metastasis_colorectal", _META, (
        Part("body", (38, 52, 66, 66), (6, 8, 9, 8), mottle=5),
        Part("rim", (42, 80, 92, 80), (6, 11, 9, 8), size=(2.5, 6.0)),
        NECROSIS._replace(above=28, chance=0.35, size=(0.3, 0.55)),
        Part("spots", (300, 300, 300, 300), (60, 60, 60, 60), "fixed", (0.9, 1.6), (2, 6), 0.12, 15),
    ), "lobulated", (24, 8, 80), _META_COUNT, 0.50, "M"),
    Look("metastasis_hypervascular", _META, (
        Part("body", (45, 115, 104, 80), (6, 17, 11, 8), mottle=5),
        Part("core", (22, 26, 30, 32), (7, 7, 7, 7), "fixed", (0.35, 0.6), chance=0.75, above=20),
    ), "round", (20, 8, 60), ((1, 1, 0.25), (2, 4, 0.4), (5, 9, 0.35)), 0.2, "M"),
    Look("metastasis_intermediate", _META, (
        Part("body", (41, 62, 76, 70), (6, 9, 9, 8), mottle=5),
        Part("rim", (42, 76, 86, 76), (6, 10, 9, 8), size=(2.0, 4.0), chance=0.8),
        NECROSIS._replace(chance=0.3),
    ), "lobulated", (20, 8, 60), _META_COUNT, 0.30, "M"),
    Look("hemangioma_typical", _HEM, (
        Part("body", (38, 43, 53, 70), (5, 6, 9, 10)),
        Part("globules", POOL_NODULE, (4, 40, 20, 6), "pool", (2.0, 5.0), (3, 7),
             fill=(0.0, 0.2, 0.55, 0.92), mottle=5),
        Part("scar", (26, 28, 32, 36), (5, 5, 5, 5), "fixed", (3.0, 7.0), (2, 3), 0.7, 50),
    ), "lobulated", (28, 10, 95), ((1, 1, 0.7), (2, 4, 0.3)), 0.75, "B", order="pool"),
    Look("hemangioma_flash", _HEM, (
        Part("body", (42, 180, 150, 114), (4, 35, 14, 6), "pool", mottle=3),
        Part("wedge", (0, 25, 4, 0), (0, 8, 2, 0), "added", (0.35, 0.6), chance=0.3),
    ), "round", (12, 7, 22), ((1, 1, 0.75), (2, 3, 0.25)), 0.19, "B", order="pool"),
    Look("hemangioma_sclerosed", _HEM, (
        Part("body", (36, 46, 58, 74), (5, 7, 9, 10), mottle=4),
        Part("globules", (40, 90, 105, 108), (4, 20, 15, 6), "pool", (1.5, 2.5), (1, 2),
             fill=(0.0, 0.05, 0.08, 0.12)),
    ), "lobulated", (22, 10, 40), ((1, 1, 1.0),), 0.06, "B"),
    Look("FNH", _FNH, (
        Part("body", (51, 118, 115, 93), (4, 12, 5, 5), mottle=2),
        Part("scar", (40, 58, 78, 110), (5, 8, 8, 6), "tissue", (4.0, 7.5), (2, 3), 0.75, 28),
        Part("artery", (42, 215, 150, 108), (4, 30, 12, 8), "fixed", (1.6, 2.4), (1, 1), 0.7, 28),
    ), "lobulated", (33, 12, 80), ((1, 1, 0.85), (2, 3, 0.15)), 1.0, "B", order="isodense"),
    Look("cyst", _CYST, (
        Part("body", (6, 7, 8, 8), (5, 5, 5, 5), "fixed"),
    ), "smooth", (17, 7, 80), ((1, 1, 0.5), (2, 4, 0.4), (5, 8, 0.1)), 0.97, "B", order="constant"),
    Look("cyst_haemorrhagic", _CYST, (
        Part("body", (42, 43, 43, 43), (6, 6, 6, 6), "fixed"),
    ), "smooth", (25, 12, 60), ((1, 1, 1.0),), 0.03, "B", order="constant"),
    Look("calcification_granuloma", _CALC, (
        Part("body", (420, 420, 420, 420), (130, 130, 130, 130), "fixed", mottle=40),
    ), "round", (10, 8, 16), ((1, 1, 0.6), (2, 4, 0.4)), 0.5, "B", order="constant"),
    Look("calcification_stones", _CALC, (
        Part("body", (350, 350, 350, 350), (110, 110, 110, 110), "fixed", mottle=50),
    ), "branching", (20, 12, 30), ((1, 1, 0.7), (2, 3, 0.3)), 0.3, "B", order="constant"),
    Look("calcification_plaque", _CALC, (
        Part("body", (450, 450, 450, 450), (150, 150, 150, 150), "fixed", mottle=60),
    ), "plaque", (15, 9, 26), ((1, 1, 0.8), (2, 2, 0.2)), 0.2, "B", order="constant"),
)  # fmt: skip
"""Looks of the classes 2-8."""
