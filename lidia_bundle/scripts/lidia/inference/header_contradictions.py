"""Check whether the anatomy contradicts the orientation in a header."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.orientation_signs import measure_orientation_signs
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

SPINE, LIVER_MM, LUNGS_CM2, THICKNESS = 0.5, -25.0, -10.0, 0.4
"""Limits beyond which the signs of `measure_orientation_signs` contradict the header."""


def check_header_orientation(
    image: NDArray[np.float32], liver: NDArray[np.bool_], window: Sequence[float], spacing: Sequence[float]
) -> list[str]:
    """Check the orientation (left-right, anterior-posterior, superior-inferior) against the anatomy.

    Args:
        image: (4, X, Y, Z) on the network's grid in RAS order, HU scaled by `window` to -1..1, absent phases
            NaN.
        liver: (X, Y, Z) mask of liver and lesions on that grid.
        window: HU that are scaled to -1 and 1.
        spacing: mm per voxel.

    Returns:
        At most one warning.
    """
    order = [PHASES.index(phase) for phase in GRID_ORDER]
    channel = next((number for number in order if not np.isnan(image[number, 0, 0, 0])), None)
    if channel is None:
        return []
    low, high = window
    signs = measure_orientation_signs((image[channel] + 1) / 2 * (high - low) + low, liver, spacing)
    findings = {
        "the spine lies in front": signs.spine is not None and signs.spine > SPINE,
        "the liver lies on the left": (signs.liver_mm is not None and signs.liver_mm < LIVER_MM)
        or (signs.thickness is not None and signs.thickness < THICKNESS),
        "the lungs lie below": signs.lungs is not None and signs.lungs < LUNGS_CM2,
    }
    contradictions = [words for words, contradicts in findings.items() if contradicts]
    if not contradictions:
        return []
    is_complete = None not in (signs.spine, signs.thickness, signs.lungs)
    error = ("turned" if len(contradictions) == 2 else "mirrored") if is_complete else "mirrored or turned"
    may_be_anatomy = contradictions == ["the liver lies on the left"]
    exception = ", unless the patient's organs lie so (situs inversus, resection)" if may_be_anatomy else ""
    return [f"{', '.join(contradictions)}: the header may be {error}{exception}; check sides and places"]
