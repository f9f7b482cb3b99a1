"""Draws the HU of a lesion's parts relative to the parenchyma, and enforces the enhancement rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.looks import Look, Part
from scripts.lidia.phantom.patient import ARTERIAL, DELAYED, VENOUS, Patient
from scripts.lidia.phantom.tissues import LIVERS, VESSELS

Values = NDArray[np.float32]
SHARED_BY_LOOK = 0.8
"""Share of a lesion's deviation that is common to all lesions of this look in the patient."""


def part_values(
    part: Part, look: Look, patient: Patient, spread: float, shared: Values, rng: np.random.Generator
) -> Values:
    """Draws the HU (4,) of a part of one lesion.

    Args:
        part: the row of the table.
        look: the lesion's look.
        patient: its parenchyma, vessels and timing are used.
        spread: factor on the table's deviations.
        shared: (4,) deviation common to the patient's lesions of this look, with unit variance.
        rng: random generator of the lesion's own deviation.
    """
    own = SHARED_BY_LOOK * shared + np.sqrt(1 - SHARED_BY_LOOK**2) * deviation(rng)
    if len(set(part.hu)) == 1 or part.base == "fixed":
        own = np.full(4, own[VENOUS])
    hu = np.asarray(part.hu, float) + np.asarray(part.sd) * spread * np.clip(own, -2, 2)
    if part.base == "tissue":
        offset = hu - np.asarray(LIVERS[look.liver].hu)
        if offset[ARTERIAL] > 0:
            offset[ARTERIAL] *= patient.arterial * np.sqrt(patient.dose)
        if offset[DELAYED] < 0 and look.order in ("washout", "washout_only"):
            offset[DELAYED] *= patient.washout
        hu = patient.liver + offset
    elif part.base == "pool":
        aorta, table = patient.vessels["aorta"], np.asarray(VESSELS["aorta"].hu)
        hu = aorta * hu / table
        hu[DELAYED] = np.clip(hu[DELAYED], 0.92 * aorta[DELAYED], 1.09 * aorta[DELAYED])
    return hu.astype(np.float32)


def deviation(rng: np.random.Generator) -> Values:
    """Draws unit deviations (4,) that are correlated between the contrast phases."""
    common = rng.standard_normal()
    return (0.7 * common + np.sqrt(1 - 0.49) * rng.standard_normal(4)).astype(np.float32)


def _washout(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Enforces arterial hyper-enhancement and a ratio of at least 1.08 in the delayed phase."""
    hu[ARTERIAL] = max(hu[ARTERIAL], patient.liver[ARTERIAL] + rng.uniform(10, 18))
    return _washout_only(hu, patient, width, rng)


def _washout_only(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    hu[DELAYED] = min(hu[DELAYED], patient.liver[DELAYED] / rng.uniform(1.09, 1.18) - 1)
    return hu


def _progressive(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Enforces HU that rise from phase to phase (the fibrous centre of ICC)."""
    hu[VENOUS] = max(hu[VENOUS], hu[ARTERIAL] + rng.uniform(6, 12))
    hu[DELAYED] = max(hu[DELAYED], hu[VENOUS] + rng.uniform(10, 20))
    return hu


def _isodense(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Enforces HU within 9 of the liver in the venous phase."""
    hu[VENOUS] = np.clip(hu[VENOUS], patient.liver[VENOUS] - 9, patient.liver[VENOUS] + 9)
    return hu


def _constant(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Enforces equal HU in all phases within 2 HU; a cyst under 10 mm in a bright liver seems to enhance."""
    hu = hu[0] + rng.uniform(0, 2, 4).astype(np.float32)
    if width < 10 and patient.liver[VENOUS] > 110 and hu[0] < 60:
        hu[VENOUS] += rng.uniform(3, 8)
    return hu


def _pool(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    return hu


ORDERS: dict[str, Callable[[Values, Patient, float, np.random.Generator], Values]] = {
    "washout": _washout,
    "washout_only": _washout_only,
    "progressive": _progressive,
    "isodense": _isodense,
    "constant": _constant,
    "pool": _pool,
}
"""Enhancement rule of each look, which the body of its lesions obeys in every patient."""
