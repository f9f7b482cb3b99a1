"""Weighs the HU of aorta, spleen, kidneys and liver as evidence for a contrast phase."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.series import read_files
from scripts.lidia.phase_id.organ_landmarks import Landmark, find_landmarks
from scripts.lidia.phase_id.posterior import Acquisition
from scripts.lidia.vocabulary import PHASES

STEP_MM = 5.0
"""Distance between the slices that are read."""
ORGAN_HU = {
    "aorta": ((42, 10), (300, 75), (160, 22), (114, 17)),
    "spleen": ((47, 8), (130, 30), (124, 16), (97, 14)),
    "kidney": ((34, 8), (125, 35), (170, 28), (155, 28)),
    "liver": ((52, 16), (70, 16), (106, 18), (88, 17)),
}
"""Mean and standard deviation between patients (HU) in nc, arterial, venous, delayed."""
KIDNEY_SPREAD_HU = ((14, 8), (95, 40), (45, 25), (28, 18))
"""Mean and standard deviation of the spread within a kidney (cortex against medulla), same order."""
MISTAKE_RANGE_HU = 500.0
"""HU range over which the value of a wrong landmark is uniform."""
MISTAKE_PROBABILITY = 0.08
"""Probability that a landmark of confidence 1 is another structure."""
MIN_LIKELIHOOD = 1e-3
"""Smallest likelihood of a phase, relative to the most likely one."""
MIN_LIVER_SCORE = 0.25
"""Smallest confidence of the liver for a volume that shows it."""


def weigh_image(scan: Acquisition, case: str) -> bool:
    """Reads an acquisition and weighs the HU of its organs.

    Args:
        scan: the acquisition; its first reconstruction is read.
        case: id of the case, for messages.

    Returns:
        Whether it shows a liver.

    Raises:
        CaseError: if its files are damaged.
    """
    hu, affine, _ = read_files(scan.series[0].paths, case=case, step_mm=STEP_MM)
    landmarks = find_landmarks(hu, affine)
    if "liver" not in landmarks or landmarks["liver"].confidence < MIN_LIVER_SCORE:
        return False
    likelihood = compute_brightness_likelihood(landmarks)
    best = PHASES[int(likelihood.argmax())]
    values = ", ".join(f"{name} {mark.hu:.0f} HU" for name, mark in landmarks.items())
    scan.weigh(dict(zip(PHASES, likelihood, strict=True)), f"HU are most like {best} ({values})")
    return True


def compute_brightness_likelihood(landmarks: Mapping[str, Landmark]) -> NDArray[np.float64]:
    """Computes the likelihood (4,) of the landmarks for each phase; the largest is 1.

    Args:
        landmarks: from `find_landmarks`.
    """
    weight = np.ones(len(PHASES))
    kidneys = [landmarks[name] for name in ("kidney_left", "kidney_right") if name in landmarks]
    marks = {name: landmarks[name] for name in ("aorta", "spleen", "liver") if name in landmarks}
    if kidneys:
        marks["kidney"] = kidney = max(kidneys, key=lambda mark: mark.confidence)
        weight = weight * _compute_density(kidney.spread, KIDNEY_SPREAD_HU, kidney.confidence)
    for name, mark in marks.items():
        weight = weight * _compute_density(mark.hu, ORGAN_HU[name], mark.confidence)
    return np.maximum(weight / weight.max(), MIN_LIKELIHOOD)


def _compute_density(
    value: float, table: tuple[tuple[float, float], ...], sure: float
) -> NDArray[np.float64]:
    """Computes the density of a value in each phase, mixed with that of a wrong landmark."""
    mean, sd = np.array(table).T
    right = np.exp(-np.square((value - mean) / sd) / 2) / (sd * np.sqrt(2 * np.pi))
    wrong = MISTAKE_PROBABILITY + (1 - MISTAKE_PROBABILITY) * (1 - sure)
    return (1 - wrong) * right + wrong / MISTAKE_RANGE_HU
