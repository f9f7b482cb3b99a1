"""Checks by the liver's enhancement whether the phases have the right names.

The parenchyma enhances little in the arterial phase, is brightest in the venous phase and fades slowly. A
phase that deviates from this by more than noise and fat explain is probably misnamed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.geometry.grid import to_mm

RULES = (
    *(("venous", "nc", 10.0), ("delayed", "nc", 5.0), ("arterial", "nc", -8.0)),
    *(("venous", "arterial", -8.0), ("venous", "delayed", -12.0)),
)
"""Least difference in HU of the liver between the first and the second phase."""


def measure_liver_hu(
    voxels: NDArray[np.float32], affine: NDArray[np.float64], points: NDArray[np.float64]
) -> float | None:
    """Measures the median HU of a phase at points of the liver.

    Args:
        voxels: (X, Y, Z) HU.
        affine: voxel indices to RAS mm.
        points: (3, N) RAS mm.

    Returns:
        The median, or None if the phase shows fewer than a hundred of the points.
    """
    index = np.rint(to_mm(np.linalg.inv(affine), points)).astype(int)
    inside = ((index >= 0) & (index < np.array(voxels.shape)[:, None])).all(axis=0)
    return float(np.median(voxels[tuple(index[:, inside])])) if inside.sum() >= 100 else None


def find_phase_disorder(hu: Mapping[str, float]) -> str | None:
    """Describes the contradictions between enhancement and phase names; None if there are none.

    Args:
        hu: HU of the liver by phase.
    """
    broken = [
        f"{first} {hu[first]:.0f} HU, {second} {hu[second]:.0f} HU"
        for first, second, least in RULES
        if first in hu and second in hu and hu[first] < hu[second] + least
    ]
    return f"the liver's enhancement does not fit the phases' names ({'; '.join(broken)})" if broken else None
