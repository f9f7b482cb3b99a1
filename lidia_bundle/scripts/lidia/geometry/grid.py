"""Defines voxel grids in space, and compares, crops and samples them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import polar


class Grid(NamedTuple):
    """A voxel grid in space.

    Attributes:
        affine: (4, 4) from voxel indices to RAS mm.
        shape: voxels along X, Y, Z.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, ...]

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Millimetres per voxel along X, Y, Z, (3,)."""
        return np.linalg.norm(np.asarray(self.affine, dtype=float)[:3, :3], axis=0)

    def corners(self) -> NDArray[np.float64]:
        """Returns the centres of the eight corner voxels, (3, 8) RAS mm."""
        return to_mm(self.affine, _corner_indices(self.shape))

    def points(self) -> NDArray[np.float64]:
        """Returns the centres of all voxels, (3, X * Y * Z) RAS mm; the last axis varies fastest."""
        return to_mm(self.affine, np.indices(self.shape, dtype=np.float64).reshape(3, -1))

    def contains(self, points_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Returns which points (3, N), RAS mm, lie in the field of view, which includes whole edge voxels."""
        index = to_index(self.affine, points_mm)
        return np.asarray(~is_outside(index, np.reshape(self.shape, (3, 1))).any(axis=0))

    def crop(self, box: Sequence[slice]) -> Grid:
        """Returns the grid of a box; its slices have start and stop and may lie outside this grid."""
        return Grid(crop_affine(self.affine, box), tuple(side.stop - side.start for side in box))


def is_same_grid(
    affine: ArrayLike, shape: Sequence[int], other: ArrayLike, other_shape: Sequence[int]
) -> bool:
    """Returns whether two grids agree within 1 % of a voxel (affines RAS mm, shapes X Y Z)."""
    if tuple(shape) != tuple(other_shape):
        return False
    first, second = np.asarray(affine, dtype=float), np.asarray(other, dtype=float)
    distances = to_mm(first - second, _corner_indices(shape))
    return bool(np.abs(distances).max() < 0.01 * np.linalg.norm(first[:3, :3], axis=0).min())


def crop_affine(affine: ArrayLike, box: Sequence[slice]) -> NDArray[np.float64]:
    """Returns the affine (4, 4) of the cropped grid."""
    matrix = np.array(affine, dtype=np.float64)
    matrix[:3, 3] += matrix[:3, :3] @ [float(side.start) for side in box]
    return matrix


def orthogonalize_affine(affine: ArrayLike) -> NDArray[np.float64]:
    """Makes the axes of an affine orthogonal to float64 precision.

    A header stores oblique axes in float32. MONAI's Spacingd then finds no corner from which the grid can
    start, and centres it. The grid is shifted by a fraction of a voxel, which changes the network's input.

    Args:
        affine: (4, 4), RAS mm; one that is sheared by more than rounding is returned unchanged.
    """
    matrix = np.array(affine, dtype=np.float64)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    axes = matrix[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() < 1e-4:
        matrix[:3, :3] = polar(axes)[0] * spacing
    return matrix


def compute_coverage(points_mm: NDArray[np.float64], affine: ArrayLike, shape: Sequence[int]) -> float:
    """Computes the share of points that lie in a grid's field of view.

    Args:
        points_mm: (3, N) RAS mm.
        affine: (4, 4) of the grid, RAS mm.
        shape: X Y Z of the grid.

    Returns:
        0..1; 1 if there are no points.
    """
    if points_mm.shape[1] == 0:
        return 1.0
    return float(Grid(np.asarray(affine, dtype=float), tuple(shape)).contains(points_mm).mean())


def sample_grid_points(affine: ArrayLike, shape: Sequence[int], points: int = 16) -> NDArray[np.float64]:
    """Returns evenly spaced points of a grid's field of view, at most `points` per axis: (3, N) RAS mm."""
    steps = [(np.arange(min(points, n)) + 0.5) * n / min(points, n) - 0.5 for n in shape]
    index = np.array(np.meshgrid(*steps, indexing="ij")).reshape(3, -1)
    return to_mm(affine, index)


def to_mm(affine: ArrayLike, index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Converts voxel indices (3, N) to RAS mm (3, N)."""
    matrix = np.asarray(affine, dtype=float)
    return matrix[:3, :3] @ index + matrix[:3, 3:]


def to_index(affine: ArrayLike, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Converts RAS mm (3, N) to voxel indices (3, N) of the grid with this affine."""
    return to_mm(np.linalg.inv(np.asarray(affine, dtype=float)), points_mm)


def is_outside(index: NDArray[np.floating], size: ArrayLike, edge: float = 0.5) -> NDArray[np.bool_]:
    """Returns which voxel indices along an axis lie outside `size` voxels.

    Args:
        index: of any shape.
        size: voxels along the axis.
        edge: extent of the field of view beyond the outermost voxel centres, in voxels.
    """
    reach = edge + 1e-3  # a thousandth of a voxel of tolerance: affines are stored in float32
    return (index < -reach) | (index > np.asarray(size) - 1 + reach)


def _corner_indices(shape: Sequence[int]) -> NDArray[np.float64]:
    return np.array(np.meshgrid(*[(0.0, n - 1.0) for n in shape], indexing="ij")).reshape(3, -1)
