"""Does the anatomy contradict what a header says of left and right, front and back, head and feet?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.orientation_signs import measure_orientation_signs
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

SPINE, LIVER_MM, LUNGS_CM2, THICKNESS = 0.5, -25.0, -10.0, 0.4
"""Beyond these the bearings of `measure_orientation_signs` contradict the header."""


def check_header_orientation(
    image: NDArray[np.float32], liver: NDArray[np.bool_], window: Sequence[float], spacing: Sequence[float]
) -> list[str]:
    """What of the anatomy contradicts the header's left and right, front and back, head and feet.

    Args:
        image: (4, X, Y, Z) on the network's grid in RAS order, HU by `window` to -1..1, absent phases NaN.
        liver: (X, Y, Z) of the liver with lesions on that grid.
        window: HU that became -1 and 1.
        spacing: mm of the grid.
    """
    order = [PHASES.index(phase) for phase in GRID_ORDER]
    channel = next((number for number in order if not np.isnan(image[number, 0, 0, 0])), None)
    if channel is None:
        return []
    low, high = window
    bearings = measure_orientation_signs((image[channel] + 1) / 2 * (high - low) + low, liver, spacing)
    wrong = {
        "the spine lies in front": bearings.spine is not None and bearings.spine > SPINE,
        "the liver lies on the left": (bearings.liver_mm is not None and bearings.liver_mm < LIVER_MM)
        or (bearings.thickness is not None and bearings.thickness < THICKNESS),
        "the lungs lie below": bearings.lungs is not None and bearings.lungs < LUNGS_CM2,
    }
    contradictions = [words for words, contradicts in wrong.items() if contradicts]
    if not contradictions:
        return []
    sure = None not in (bearings.spine, bearings.thickness, bearings.lungs)
    how = ("turned" if len(contradictions) == 2 else "mirrored") if sure else "mirrored or turned"
    alone = contradictions == ["the liver lies on the left"]
    rest = ", unless the patient's organs lie so (situs inversus, resection)" if alone else ""
    return [f"{', '.join(contradictions)}: the header may be {how}{rest}; check sides and places"]
