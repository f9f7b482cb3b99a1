"""From one upright grid onto another, axis after axis: smoothing and sampling are one small matrix each."""

from __future__ import annotations

from collections.abc import Sequence

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scripts.lidia.geometry.grid import blur_axis, is_outside, resample, smooth_for_spacing

DRIFT = 1e-3
"""Voxels that axes may drift apart over the whole grid and still count as parallel."""


def resample_linear(
    volume: MetaTensor, affine: torch.Tensor, shape: Sequence[int], *, antialias: bool, outside: float
) -> torch.Tensor:
    """Samples a volume linearly on another grid, axis by axis where the two are parallel.

    Args:
        volume: (1, X, Y, Z) with its affine.
        affine: (4, 4) of the grid wanted, RAS mm.
        shape: X Y Z of the grid wanted.
        antialias: smooth first where the grid wanted is coarser.
        outside: value beyond the volume's field of view.

    Returns:
        Plain float32 tensor (1, *shape).
    """
    matrix = affine.numpy().astype(float)
    spacing = np.linalg.norm(matrix[:3, :3], axis=0).tolist() if antialias else None
    straight = resample_axis_aligned(volume, matrix, shape, spacing=spacing, outside=outside)
    if straight is not None:
        return straight
    alike = Orientation(axcodes="".join(nib.aff2axcodes(matrix)), labels=None)(volume)
    return resample(smooth_for_spacing(alike, spacing) if spacing else alike, affine, shape, outside=outside)


def resample_axis_aligned(
    volume: MetaTensor,
    affine: NDArray[np.float64],
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None,
    outside: float,
) -> torch.Tensor | None:
    """Smooths a volume and samples it linearly on a grid with parallel axes, in any order and direction.

    It gives what `grid.smooth_for_spacing` and `grid.resample` give in a fraction of their time, since only
    what the coarser grid needs is computed.

    Args:
        volume: (1, X, Y, Z) with its affine.
        affine: (4, 4) of the grid wanted, RAS mm.
        shape: X Y Z of the grid wanted.
        spacing: mm to smooth for along the axes of the grid wanted; None smooths nothing.
        outside: value beyond the volume's field of view.

    Returns:
        Plain float32 tensor (1, *shape); None where the axes are not parallel.
    """
    chain = np.linalg.solve(volume.affine.numpy().astype(float), affine)
    sources = np.abs(chain[:3, :3]).argmax(0)
    drift = np.abs(chain[:3, :3]) * (np.asarray(shape) - 1)
    drift[sources, range(3)] = 0
    if len(set(sources.tolist())) < 3 or drift.max() > DRIFT:
        return None
    values = volume.numpy()[0].transpose(sources)
    steps = np.asarray(volume.pixdim, dtype=float)[sources]
    lines = [
        chain[s, t] * np.arange(n) + chain[s, 3] for t, (s, n) in enumerate(zip(sources, shape, strict=True))
    ]
    # What shrinks most goes first: the others then have less to do
    for axis in np.argsort([n / size for n, size in zip(shape, values.shape, strict=True)]):
        target = steps[axis] if spacing is None else spacing[axis]
        values = _along(values, int(axis), _weights(lines[axis], values.shape[axis], steps[axis], target))
    out = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    for axis, line in enumerate(lines):
        out.movedim(axis, 0)[torch.from_numpy(is_outside(line, volume.shape[1 + sources[axis]]))] = outside
    return out[None]


def _along(values: NDArray, axis: int, weights: csr_array) -> NDArray:
    """Contracts one axis."""
    moved = np.moveaxis(values, axis, 0)
    out = weights @ moved.reshape(len(moved), -1)
    return np.moveaxis(out.reshape(-1, *moved.shape[1:]), 0, axis)


def _weights(line: NDArray[np.float64], size: int, step: float, target: float) -> csr_array:
    """(N, size): the share that each voxel of a line has in the values at some places of it.

    Args:
        line: (N,) places in voxels; beyond the ends the end voxels go on.
        size: voxels of the line.
        step: mm a voxel.
        target: mm of the coming grid, which the line is smoothed for first.
    """
    place = np.clip(line, 0, size - 1)
    low = np.minimum(place.astype(int), max(size - 2, 0))
    share = place - low
    rows = np.zeros((len(line), size))
    rows[range(len(line)), low] = 1 - share
    rows[range(len(line)), np.minimum(low + 1, size - 1)] += share
    return csr_array((rows @ blur_axis(np.eye(size), 0, step, target)).astype(np.float32))
