"""What brightness says of a phase: how far aorta, spleen, kidneys and liver have taken up contrast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.series import read_files
from scripts.lidia.phase_id.organ_landmarks import Landmark, find_landmarks
from scripts.lidia.phase_id.posterior import Acquisition
from scripts.lidia.vocabulary import PHASES

STEP_MM = 5.0
"""Slices this far apart are enough to look at."""
HU = {
    "aorta": ((42, 10), (300, 75), (160, 22), (114, 17)),
    "spleen": ((47, 8), (130, 30), (124, 16), (97, 14)),
    "kidney": ((34, 8), (125, 35), (170, 28), (155, 28)),
    "liver": ((52, 16), (70, 16), (106, 18), (88, 17)),
}
"""Mean and standard deviation between patients (HU) in nc, arterial, venous, delayed."""
CORTEX = ((14, 8), (95, 40), (45, 25), (28, 18))
"""The same of the spread within a kidney: cortex over medulla."""
SPAN = 500.0
"""HU over which a mistaken landmark may lie anywhere."""
MISTAKEN = 0.08
"""Chance that even a sure landmark is something else."""
LEAST = 1e-3
"""No picture makes a phase less likely than this beside the likeliest."""
SEEN = 0.25
"""How sure the liver must be for a volume to show it."""


def weigh_image(scan: Acquisition, case: str) -> bool:
    """Looks at an acquisition and weighs its brightness.

    Args:
        scan: its best reconstruction is read.
        case: id of the case, for messages.

    Returns:
        Whether it shows a liver.

    Raises:
        CaseError: if its files are damaged.
    """
    hu, affine, _ = read_files(scan.series[0].paths, case=case, step_mm=STEP_MM)
    found = find_landmarks(hu, affine)
    if "liver" not in found or found["liver"].sure < SEEN:
        return False
    likelihood = by_brightness(found)
    best = PHASES[int(likelihood.argmax())]
    seen = ", ".join(f"{name} {mark.hu:.0f} HU" for name, mark in found.items())
    scan.weigh(dict(zip(PHASES, likelihood, strict=True)), f"looks {best} ({seen})")
    return True


def by_brightness(found: Mapping[str, Landmark]) -> NDArray[np.float64]:
    """(4,) likelihood of what was found given each phase, the largest being 1.

    Args:
        found: of `find_landmarks`.
    """
    weight = np.ones(len(PHASES))
    kidneys = [found[name] for name in ("kidney_left", "kidney_right") if name in found]
    marks = {name: found[name] for name in ("aorta", "spleen", "liver") if name in found}
    if kidneys:
        marks["kidney"] = max(kidneys, key=lambda mark: mark.sure)
        weight = weight * _density(marks["kidney"].spread, CORTEX, marks["kidney"].sure)
    for name, mark in marks.items():
        weight = weight * _density(mark.hu, HU[name], mark.sure)
    return np.maximum(weight / weight.max(), LEAST)


def _density(value: float, table: tuple[tuple[float, float], ...], sure: float) -> NDArray[np.float64]:
    """Density of a value in each phase, mixed with that of a mistaken landmark."""
    mean, sd = np.array(table).T
    right = np.exp(-np.square((value - mean) / sd) / 2) / (sd * np.sqrt(2 * np.pi))
    wrong = MISTAKEN + (1 - MISTAKEN) * (1 - sure)
    return (1 - wrong) * right + wrong / SPAN
