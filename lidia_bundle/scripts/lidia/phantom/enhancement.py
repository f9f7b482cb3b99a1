"""HU of a lesion's parts in one patient: drawn beside the parenchyma, timed, held to the rules of reading."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.looks import Look, Part
from scripts.lidia.phantom.patient import ARTERIAL, DELAYED, VENOUS, Patient
from scripts.lidia.phantom.tissues import LIVERS, VESSELS

Values = NDArray[np.float32]
SHARED_BY_LOOK = 0.8
"""Share of a lesion's deviation that all lesions of this look in the patient have in common."""


def part_values(
    part: Part, look: Look, patient: Patient, spread: float, shared: Values, rng: np.random.Generator
) -> Values:
    """(4,) HU of a part of one lesion.

    Args:
        part: the row of the table.
        look: the lesion's look.
        patient: gives parenchyma, vessels and timing.
        spread: factor on the table's deviations.
        shared: (4,) deviation that the patient's lesions of this look share, unit variance.
        rng: source of the lesion's own deviation.
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
    """(4,) unit deviations whose contrast phases go together."""
    common = rng.standard_normal()
    return (0.7 * common + np.sqrt(1 - 0.49) * rng.standard_normal(4)).astype(np.float32)


def _washout(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Hyper-enhancing in the arterial phase, ratio of at least 1.08 in the delayed one."""
    hu[ARTERIAL] = max(hu[ARTERIAL], patient.liver[ARTERIAL] + rng.uniform(10, 18))
    return _washout_only(hu, patient, width, rng)


def _washout_only(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    hu[DELAYED] = min(hu[DELAYED], patient.liver[DELAYED] / rng.uniform(1.09, 1.18) - 1)
    return hu


def _progressive(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Rises from phase to phase (the fibrous centre of ICC)."""
    hu[VENOUS] = max(hu[VENOUS], hu[ARTERIAL] + rng.uniform(6, 12))
    hu[DELAYED] = max(hu[DELAYED], hu[VENOUS] + rng.uniform(10, 20))
    return hu


def _isodense(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """Within 9 HU of the liver in the venous phase."""
    hu[VENOUS] = np.clip(hu[VENOUS], patient.liver[VENOUS] - 9, patient.liver[VENOUS] + 9)
    return hu


def _constant(hu: Values, patient: Patient, width: float, rng: np.random.Generator) -> Values:
    """The same in all phases but for 2 HU; a cyst under 10 mm in a bright liver seems to enhance a little."""
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
"""Rules that the body of a lesion obeys in every patient."""
