"""What in an answer or its input is unlike the patients that the weights were trained on, in words.

None of it stops an inference: it stands among the warnings of a result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.data.enhancement import disorder
from scripts.lidia.vocabulary import PHASES

LIVER_ML = (400.0, 5000.0)
SLICE_MM = 5.5
"""The thickest slices that the weights have seen, and a little."""


def unusual_input(image: NDArray[np.float32], liver: NDArray[np.bool_], window: Sequence[float]) -> list[str]:
    """Phases whose enhancement does not fit their names.

    Args:
        image: (4, X, Y, Z) on the network's grid, HU by `window` to -1..1, absent phases NaN.
        liver: (X, Y, Z) of the liver without lesions on that grid.
        window: HU that became -1 and 1.
    """
    if liver.sum() < 100:
        return []
    low, high = window
    values = {phase: image[channel][liver] for channel, phase in enumerate(PHASES)}
    hu = {
        phase: float(np.median(seen) + 1) / 2 * (high - low) + low
        for phase, seen in values.items()
        if not np.isnan(seen).any()
    }
    wrong = disorder(hu)
    return [] if wrong is None else [f"{wrong}: look whether phases are swapped"]


def unusual_liver(liver: NDArray[np.bool_], affine: NDArray[np.float64]) -> list[str]:
    """A liver of unlikely size, one that the scan cuts, and slices that are thicker than any in training.

    Args:
        liver: (X, Y, Z) of liver and lesions on the patient's own grid.
        affine: voxel indices to RAS mm.
    """
    told = []
    thick = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    if thick > SLICE_MM:
        told.append(f"slices of {thick:.1f} mm: the weights have seen none above 5 mm")
    if not liver.any():
        return told
    millilitres = float(liver.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000)
    if not LIVER_ML[0] <= millilitres <= LIVER_ML[1]:
        told.append(f"the liver found has {millilitres:.0f} ml: look whether it is one")
    upright = int(np.abs(affine[2, :3]).argmax())
    ends = np.moveaxis(liver, upright, -1)[:, :, [0, -1]].any(axis=(0, 1))
    if ends.any():
        told.append("the liver reaches the edge of the scan: what lies beyond was not seen")
    return told
