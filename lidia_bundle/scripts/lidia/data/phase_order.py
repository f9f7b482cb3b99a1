"""Do the phases stand in the order that their names say? The liver's enhancement tells.

The parenchyma rises little in the arterial phase, is brightest in the venous one and fades slowly; a phase
that breaks this by more than noise and fat can is probably another one.
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
"""The liver of the first phase has at least so many HU more than that of the second."""


def liver_hu(
    voxels: NDArray[np.float32], affine: NDArray[np.float64], points: NDArray[np.float64]
) -> float | None:
    """Median HU of a phase at points of the liver.

    Args:
        voxels: (X, Y, Z) HU.
        affine: voxel indices to RAS mm.
        points: (3, N) RAS mm.

    Returns:
        None where the phase shows fewer than a hundred of the points.
    """
    index = np.rint(to_mm(np.linalg.inv(affine), points)).astype(int)
    inside = ((index >= 0) & (index < np.array(voxels.shape)[:, None])).all(axis=0)
    return float(np.median(voxels[tuple(index[:, inside])])) if inside.sum() >= 100 else None


def find_phase_disorder(hu: Mapping[str, float]) -> str | None:
    """What speaks against the names of the phases, in words; None where nothing does.

    Args:
        hu: of the liver by phase.
    """
    broken = [
        f"{first} {hu[first]:.0f} HU, {second} {hu[second]:.0f} HU"
        for first, second, least in RULES
        if first in hu and second in hu and hu[first] < hu[second] + least
    ]
    return f"the liver's enhancement does not fit the phases' names ({'; '.join(broken)})" if broken else None
