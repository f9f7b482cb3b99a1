"""Resamples a volume to another grid; all code of the project that resamples by an affine uses this module.

If the axes of the two grids are parallel, in any order and direction, smoothing and linear sampling are one
small matrix per axis. In all other cases MONAI's SpatialResample is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, SpatialResample
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scripts.lidia.geometry.grid import Grid, compute_coverage, is_outside
from scripts.lidia.geometry.smoothing import blur_axis, smooth_for_spacing

DRIFT = 1e-3
"""Largest deviation, in voxels over the whole grid, of axes that count as parallel."""


def resample(
    volume: MetaTensor,
    grid: Grid,
    *,
    nearest: bool = False,
    antialias: bool = False,
    outside: float | None,
) -> torch.Tensor:
    """Resamples a volume to another grid.

    Args:
        volume: (C, X, Y, Z) with its affine.
        grid: the target grid.
        nearest: nearest neighbour (masks) instead of linear.
        antialias: smooth first along axes where the target grid is coarser; for linear sampling of one
            channel.
        outside: value outside the volume's field of view, not blended with edge voxels; None repeats the
            edge voxels.

    Returns:
        Plain float32 tensor (C, *grid.shape).
    """
    if not nearest:
        result = resample_axis_aligned(volume, grid, antialias=antialias, outside=outside)
        if result is not None:
            return result
        if antialias:
            oriented = Orientation(axcodes="".join(nib.aff2axcodes(grid.affine)), labels=None)(volume)
            volume = smooth_for_spacing(oriented, grid.spacing.tolist())
    sample = SpatialResample(
        mode="nearest" if nearest else "bilinear", padding_mode="border", dtype=torch.float32
    )
    result = sample(volume, dst_affine=torch.as_tensor(grid.affine), spatial_size=tuple(grid.shape))
    result = result.as_tensor() if isinstance(result, MetaTensor) else result
    beyond = None if outside is None else _mark_outside(volume, grid)
    return result if beyond is None else result.masked_fill(beyond, outside)


def resample_axis_aligned(
    volume: MetaTensor, grid: Grid, *, antialias: bool, outside: float | None
) -> torch.Tensor | None:
    """Smooths a volume and samples it linearly on a grid with parallel axes, in any order and direction.

    The result equals smoothing and SpatialResample in a fraction of the time, because only the values that
    the coarser grid needs are computed.

    Args:
        volume: (C, X, Y, Z) with its affine.
        grid: the target grid.
        antialias: smooth first along axes where the target grid is coarser.
        outside: value outside the volume's field of view; None repeats the edge voxels.

    Returns:
        Plain float32 tensor (C, *grid.shape); None if the axes are not parallel.
    """
    shape = grid.shape
    chain = np.linalg.solve(volume.affine.numpy().astype(float), np.asarray(grid.affine, dtype=float))
    sources = np.abs(chain[:3, :3]).argmax(0)
    drift = np.abs(chain[:3, :3]) * (np.asarray(shape) - 1)
    drift[sources, range(3)] = 0
    if len(set(sources.tolist())) < 3 or drift.max() > DRIFT:
        return None
    size = np.asarray(volume.shape[1:])[sources]
    steps = np.asarray(volume.pixdim, dtype=float)[sources]
    targets = grid.spacing if antialias else steps
    lines = [
        chain[s, t] * np.arange(n) + chain[s, 3] for t, (s, n) in enumerate(zip(sources, shape, strict=True))
    ]
    # the axis that shrinks most is first, so that the others have less data
    order = np.argsort(np.asarray(shape) / size).tolist()
    weights = [_sampling_weights(lines[axis], size[axis], steps[axis], targets[axis]) for axis in range(3)]
    result = np.empty((len(volume), *shape), np.float32)
    for channel, values in zip(result, volume.numpy(), strict=True):
        sampled = values.transpose(sources)
        for axis in order:
            sampled = _contract_axis(sampled, axis, weights[axis])
        channel[:] = sampled
    if outside is not None:
        for axis, line in enumerate(lines):
            beyond = is_outside(line, int(size[axis]))
            np.moveaxis(result, 1 + axis, 0)[beyond] = outside
    return torch.from_numpy(result)


def _contract_axis(values: NDArray, axis: int, weights: csr_array) -> NDArray:
    first = np.moveaxis(values, axis, 0)
    result = weights @ first.reshape(len(first), -1)
    return np.moveaxis(result.reshape(-1, *first.shape[1:]), 0, axis)


def _sampling_weights(line: NDArray[np.float64], size: int, step: float, target: float) -> csr_array:
    """Computes the weights (N, size) of the voxels of a line in the smoothed values at N indices.

    Args:
        line: (N,) voxel indices; outside the line the end voxels are repeated.
        size: number of voxels of the line.
        step: mm per voxel.
        target: mm per voxel of the target grid; it determines the smoothing.
    """
    index = np.clip(line, 0, size - 1)
    low = np.minimum(index.astype(int), max(size - 2, 0))
    share = index - low
    rows = np.zeros((len(line), size))
    rows[range(len(line)), low] = 1 - share
    rows[range(len(line)), np.minimum(low + 1, size - 1)] += share
    return csr_array((rows @ blur_axis(np.eye(size), 0, step, target)).astype(np.float32))


def _mark_outside(volume: MetaTensor, grid: Grid) -> torch.Tensor | None:
    """Marks the voxels of a grid that lie outside the volume's field of view; None if there are none."""
    size: Sequence[int] = tuple(volume.shape[1:])
    if compute_coverage(grid.corners(), volume.affine.numpy(), size) == 1.0:
        return None
    chain = np.linalg.solve(volume.affine.numpy().astype(float), np.asarray(grid.affine, dtype=float))
    beyond = np.zeros(tuple(grid.shape), dtype=bool)
    for row, limit in zip(chain[:3].astype(np.float32), size, strict=True):
        x, y, z = (row[axis] * np.arange(n, dtype=np.float32) for axis, n in enumerate(grid.shape))
        beyond |= is_outside(x[:, None, None] + y[None, :, None] + (z + row[3])[None, None, :], limit)
    return torch.from_numpy(beyond)
