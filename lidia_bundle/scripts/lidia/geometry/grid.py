"""Grids in space: do two agree, how far do they overlap, and how a volume comes from one onto another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import SpatialResample
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import polar
from scipy.ndimage import gaussian_filter1d

Places = TypeVar("Places", torch.Tensor, np.ndarray)


def same_grid(affine: ArrayLike, shape: Sequence[int], other: ArrayLike, other_shape: Sequence[int]) -> bool:
    """Tells whether two grids agree within 1 % of a voxel (affines RAS mm, shapes X Y Z)."""
    if tuple(shape) != tuple(other_shape):
        return False
    first, second = np.asarray(affine, dtype=float), np.asarray(other, dtype=float)
    corners = _corners(shape)
    apart = (first - second)[:3, :3] @ corners + (first - second)[:3, 3:]
    return bool(np.abs(apart).max() < 0.01 * np.linalg.norm(first[:3, :3], axis=0).min())


def orthogonalize_affine(affine: ArrayLike) -> NDArray[np.float64]:
    """Gives an affine whose axes stand at right angles to the last bit.

    A header keeps a turned axis in float32. MONAI's Spacingd then finds no corner to begin at and begins in
    the middle: a grid that lies a fraction of a voxel off, which is another image to a network.

    Args:
        affine: (4, 4), RAS mm; one that is sheared by more than rounding stays as it is.
    """
    matrix = np.array(affine, dtype=np.float64)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    axes = matrix[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() < 1e-4:
        matrix[:3, :3] = polar(axes)[0] * spacing
    return matrix


def coverage(points_mm: NDArray[np.float64], affine: ArrayLike, shape: Sequence[int]) -> float:
    """Gives the share of points that lie in a grid's field of view.

    Args:
        points_mm: (3, N) RAS mm.
        affine: (4, 4) of the grid, RAS mm.
        shape: X Y Z of the grid.

    Returns:
        0..1; 1 if there are no points.
    """
    if points_mm.shape[1] == 0:
        return 1.0
    back = np.linalg.inv(np.asarray(affine, dtype=float))
    index = back[:3, :3] @ points_mm + back[:3, 3:]
    limit = np.asarray(shape, dtype=float)[:, None] - 0.5
    # a thousandth of a voxel of tolerance: affines are often stored in float32
    return float(((index > -0.501) & (index < limit + 1e-3)).all(axis=0).mean())


def sample_grid_points(affine: ArrayLike, shape: Sequence[int], points: int = 16) -> NDArray[np.float64]:
    """Gives an even lattice of points over a grid's field of view: (3, N) RAS mm."""
    steps = [(np.arange(min(points, n)) + 0.5) * n / min(points, n) - 0.5 for n in shape]
    index = np.array(np.meshgrid(*steps, indexing="ij")).reshape(3, -1)
    return to_mm(affine, index)


def to_mm(affine: ArrayLike, index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brings voxel indices (3, N) to RAS mm (3, N)."""
    matrix = np.asarray(affine, dtype=float)
    return matrix[:3, :3] @ index + matrix[:3, 3:]


def blur_axis(array: NDArray[Any], axis: int, step: float, target: float, output: Any = None) -> NDArray[Any]:
    """Smooths one axis by a Gaussian of half the surplus voxels (scikit-image's rule).

    Args:
        array: voxels, `step` mm apart along the axis.
        axis: the one to smooth.
        step: mm.
        target: mm of the coming grid; where that is hardly coarser the array itself is given.
        output: array to write into, perhaps the same.
    """
    sigma = (target / step - 1) / 2
    if sigma <= 0.2:
        return array
    return gaussian_filter1d(array, sigma, axis, output=output, mode="nearest", truncate=3.0)


def is_outside(place: Places, size: int) -> Places:
    """Whether places along an axis, in voxels, lie outside so many voxels, each as wide as it is."""
    return (place < -0.501) | (place > size - 0.499)  # a thousandth of tolerance: affines are kept in float32


def smooth_for_spacing(volume: MetaTensor, spacing: Sequence[float]) -> MetaTensor:
    """Smooths a volume before it is sampled on a coarser grid, so that its noise is averaged, not picked.

    Args:
        volume: (1, X, Y, Z) with its affine.
        spacing: mm of the coming grid along the same axes; along axes that do not get coarser nothing
            happens.

    Returns:
        The volume, every axis smoothed as `blur_axis` does.
    """
    array, into = volume.numpy(), None
    for axis, (step, target) in enumerate(zip(volume.pixdim.tolist(), spacing, strict=True)):
        softer = blur_axis(array, axis + 1, step, target, into)
        if softer is not array:
            array = into = softer  # as scipy's own filter of all axes does: a second copy may be gigabytes
    return MetaTensor(torch.as_tensor(array), meta=volume.meta, applied_operations=volume.applied_operations)


def resample(
    volume: MetaTensor, affine: torch.Tensor, shape: Sequence[int], *, nearest: bool = False, outside: float
) -> torch.Tensor:
    """Samples a volume on another grid.

    Args:
        volume: (C, X, Y, Z) with its affine.
        affine: (4, 4) of the grid wanted, RAS mm.
        shape: X Y Z of the grid wanted.
        nearest: nearest neighbour (masks) instead of linear.
        outside: value beyond the volume's field of view (its edge voxels are not smeared, nor blended with
            it).

    Returns:
        Plain float32 tensor (C, *shape).
    """
    resample = SpatialResample(
        mode="nearest" if nearest else "bilinear", padding_mode="border", dtype=torch.float32
    )
    out = resample(volume, dst_affine=affine, spatial_size=tuple(shape))
    out = out.as_tensor() if isinstance(out, MetaTensor) else out
    beyond = _beyond(volume, np.asarray(affine, dtype=float), shape)
    return out if beyond is None else out.masked_fill(beyond, outside)


def _beyond(volume: MetaTensor, affine: NDArray[np.float64], shape: Sequence[int]) -> torch.Tensor | None:
    """Marks the voxels of a grid that lie beyond the volume's field of view; None if there are none."""
    size = tuple(volume.shape[1:])
    if coverage(to_mm(affine, _corners(shape)), volume.affine.numpy(), size) == 1.0:
        return None
    chain = np.linalg.solve(volume.affine.numpy().astype(float), affine)
    index = [torch.arange(n, dtype=torch.float32) for n in shape]
    beyond = torch.zeros(tuple(shape), dtype=torch.bool)
    for row, limit in zip(chain[:3], size, strict=True):
        place = (
            (row[0] * index[0])[:, None, None]
            + (row[1] * index[1])[None, :, None]
            + (row[2] * index[2] + row[3])[None, None, :]
        )
        beyond |= is_outside(place, limit)
    return beyond


def _corners(shape: Sequence[int]) -> NDArray[np.float64]:
    return np.array(np.meshgrid(*[(0.0, n - 1.0) for n in shape], indexing="ij")).reshape(3, -1)
