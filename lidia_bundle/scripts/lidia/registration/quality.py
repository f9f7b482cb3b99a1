"""Measures the similarity of two images and the plausibility of a displacement field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, uniform_filter

WINDOW_VOXELS = 7
"""Edge length of the correlation window, in voxels of the lattice."""
MIN_STRUCTURE_HU = 12.0
"""Standard deviation in a window of the fixed image above which it shows structure."""


def compute_local_correlation(
    fixed: NDArray[np.float32], warped: NDArray[np.float32], where: NDArray[np.bool_]
) -> float:
    """Computes the mean squared local correlation: 1 is equal up to contrast, chance gives a few hundredths.

    It is squared, since a vessel is darker than the liver in one phase and brighter in another.

    Args:
        fixed: (X, Y, Z) HU.
        warped: (X, Y, Z) HU on the same grid.
        where: (X, Y, Z) mask; windows without structure are ignored.

    Returns:
        0..1; 0 if no window shows structure.
    """
    a, b = fixed.astype(np.float64), warped.astype(np.float64)
    mean_a, mean_b = uniform_filter(a, WINDOW_VOXELS), uniform_filter(b, WINDOW_VOXELS)
    var_a = uniform_filter(a * a, WINDOW_VOXELS) - mean_a**2
    var_b = uniform_filter(b * b, WINDOW_VOXELS) - mean_b**2
    both = uniform_filter(a * b, WINDOW_VOXELS) - mean_a * mean_b
    structured = where & (var_a > MIN_STRUCTURE_HU**2)
    if not structured.any():
        return 0.0
    square = both[structured] ** 2 / (var_a[structured] * np.maximum(var_b[structured], 1.0))
    return float(np.clip(square, 0, 1).mean())


def warp(moving: NDArray[np.float32], field: NDArray[np.float32], spacing: float) -> NDArray[np.float32]:
    """Warps a moving image by a displacement field.

    Args:
        moving: (X, Y, Z).
        field: (3, X, Y, Z) mm along the axes.
        spacing: mm.
    """
    index = np.indices(moving.shape, dtype=np.float32) + field / np.float32(spacing)
    return map_coordinates(moving, index, order=1, mode="nearest")


def compute_folded_fraction(field: NDArray[np.float32], spacing: float, where: NDArray[np.bool_]) -> float:
    """Computes the share of the voxels `where` at which a displacement folds space (Jacobian <= 0).

    Args:
        field: (3, X, Y, Z) mm along the axes.
        spacing: mm.
        where: (X, Y, Z) mask.
    """
    slopes = np.array([np.gradient(part, spacing) for part in field])
    jacobian = np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3)
    return float((np.linalg.det(jacobian)[where] <= 0).mean()) if where.any() else 0.0


def compute_max_displacement(field: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Computes the largest displacement (mm) in the voxels `where`; field (3, X, Y, Z) mm."""
    return float(np.sqrt((field[:, where].astype(np.float64) ** 2).sum(0)).max(initial=0.0))
