"""Measure short distances in a mask without a distance transform of the whole volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def measure_near_distance(
    mask: NDArray[np.bool_], spacing: Sequence[float], limit_mm: float
) -> NDArray[np.float32]:
    """Measure the distance of each voxel of a mask to the nearest voxel outside it, up to a limit.

    The square of a distance is a sum over the axes, so its minimum is found one axis after the other, among
    the few neighbours within the limit. The border of the volume does not count as outside.

    Args:
        mask: (X, Y, Z).
        spacing: mm per voxel along X, Y, Z.
        limit_mm: larger distances are infinite, or not the smallest.

    Returns:
        (X, Y, Z) mm, 0 outside the mask; equal to the distance transform up to the limit.
    """
    squares = np.where(mask, np.float32(np.inf), np.float32(0))
    for axis, step in enumerate(spacing):
        before = np.moveaxis(squares, axis, 0)
        nearest = before.copy()
        for count in range(1, min(int(limit_mm / step + 1e-6), len(before) - 1) + 1):
            square = np.float32((count * step) ** 2)
            np.minimum(nearest[count:], before[:-count] + square, out=nearest[count:])
            np.minimum(nearest[:-count], before[count:] + square, out=nearest[:-count])
        squares = np.moveaxis(nearest, 0, axis)
    distances: NDArray[np.float32] = np.sqrt(squares)
    return distances
