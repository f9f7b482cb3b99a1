"""Defines the internal and the external cohort: patients, scanner and contrast timing."""

from __future__ import annotations

from typing import NamedTuple

from scripts.lidia.phantom.looks import Span


class Recipe(NamedTuple):
    """One hospital.

    Attributes:
        number: part of every patient's seed.
        healthy: share of patients without a lesion.
        primary: weight of each lesion type (classes 2-9) as a patient's main disease.
        second: share of patients with a second disease of any type.
        incidental: probability of an incidental hemangioma, cyst, calcification (classes 5, 7, 8).
        livers: weights of normal, mild fat, severe fat, cirrhotic, without HCC.
        spread: factor on the deviations between lesions of a look.
        delayed: share of patients with a delayed phase.
        in_plane: pixel size in mm.
        slices: slice thicknesses in mm, drawn per phase.
        noise: SD in HU of a 5 mm slice.
        kernel: in-plane correlation of the noise in mm (sigma).
        psf: in-plane blur in mm (sigma).
        dose: factor on the enhancement of vessels and vascular lesions.
        arterial: factor on arterial enhancement, for early or late timing.
        washout: factor on delayed washout (short or long delay).
        flip: volumes are stored with x to the left and y to the back, as DICOM converters often do.
    """

    number: int
    healthy: float
    primary: tuple[float, ...]
    second: float
    incidental: tuple[float, float, float]
    livers: tuple[float, float, float, float]
    spread: float
    delayed: float
    in_plane: Span
    slices: tuple[tuple[float, ...], ...]
    noise: Span
    kernel: Span
    psf: Span
    dose: Span
    arterial: Span
    washout: Span
    flip: bool


RECIPES = {
    "internal": Recipe(
        number=1,
        healthy=0.04,
        primary=(0.15, 0.15, 0.15, 0.12, 0.15, 0.06, 0.07, 0.15),
        second=0.25,
        incidental=(0.06, 0.12, 0.10),
        livers=(0.66, 0.20, 0.05, 0.09),
        spread=1.12,
        delayed=2 / 3,
        in_plane=(1.95, 2.15),
        slices=((5.0,), (2.5, 3.0, 5.0), (2.5, 3.0, 4.0), (3.0, 5.0)),
        noise=(8.0, 11.0),
        kernel=(0.6, 0.9),
        psf=(0.7, 1.0),
        dose=(0.7, 1.25),
        arterial=(0.8, 1.12),
        washout=(0.85, 1.15),
        flip=False,
    ),
    "external": Recipe(
        number=2,
        healthy=0.06,
        primary=(0.24, 0.09, 0.20, 0.12, 0.07, 0.08, 0.06, 0.14),
        second=0.2,
        incidental=(0.05, 0.2, 0.08),
        livers=(0.48, 0.26, 0.10, 0.16),
        spread=1.2,
        delayed=2 / 3,
        in_plane=(2.2, 2.45),
        slices=((5.0, 3.75), (3.75, 5.0), (3.75, 5.0), (5.0,)),
        noise=(10.0, 15.0),
        kernel=(0.9, 1.3),
        psf=(0.9, 1.3),
        dose=(0.65, 1.3),
        arterial=(0.65, 1.15),
        washout=(0.75, 1.1),
        flip=True,
    ),
}
