"""Averages an abdomen to a coarse upright grid, on which landmarks are searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MAX_SLICE_MM = 5.0
"""Largest slice spacing after averaging, mm."""
SLAB_SLICES = 4
"""Coarse slices that are averaged at one time."""
BONE_HU = 180.0
"""HU above which a voxel may be bone; bright vessels and kidneys reach it too."""


@dataclass(frozen=True)
class CoarseVolume:
    """A smoothed volume in RAS order with the position of the body.

    Args:
        hu: (X, Y, Z), averaged to the coarse grid and smoothed within slices.
        affine: (4, 4) to RAS mm.
        step: voxel size, mm.
        body: (X, Y, Z) mask of the body.
        middle: x of the spine, in mm from the first voxel.
        back: y of the skin of the back at the spine.
        depth: distance from back to front, mm.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64]
    step: tuple[float, float, float]
    body: NDArray[np.bool_]
    middle: float
    back: float
    depth: float

    def axis(self, number: int) -> NDArray[Any]:
        """Returns the positions (N,) of the voxels along an axis, mm from the first voxel."""
        return np.arange(self.hu.shape[number], dtype=np.float64) * self.step[number]

    def to_world(self, mm: NDArray[Any]) -> tuple[float, float, float]:
        """Converts mm from the first voxel along the axes to RAS mm."""
        x, y, z = (self.affine @ np.append(np.asarray(mm) / self.step, 1.0))[:3]
        return float(x), float(y), float(z)

    def from_world(self, place: tuple[float, float, float]) -> NDArray[Any]:
        """Converts RAS mm to mm from the first voxel along the axes."""
        return (np.linalg.inv(self.affine) @ np.append(place, 1.0))[:3] * self.step


def coarsen(hu: NDArray[np.floating], affine: NDArray[np.float64], in_plane: float) -> CoarseVolume | None:
    """Averages a volume and finds body and spine; None if there is no body.

    Args:
        hu: (X, Y, Z) HU, in any orientation.
        affine: (4, 4) to RAS mm.
        in_plane: largest pixel size after averaging, mm.
    """
    turns = nib.io_orientation(affine)
    voxels = nib.apply_orientation(hu, turns)
    upright = affine @ nib.orientations.inv_ornt_aff(turns, hu.shape)
    step = np.linalg.norm(upright[:3, :3], axis=0)
    every = np.maximum(1, (np.array([in_plane, in_plane, MAX_SLICE_MM]) / step + 0.01).astype(int))
    small = _average(voxels, every)
    shift = np.eye(4)
    shift[:3, :3], shift[:3, 3] = np.diag(every), (every - 1) / 2
    step = step * every
    small = ndimage.gaussian_filter(small, (1.5 / step[0], 1.5 / step[1], 0.0))
    body = _find_body(small)
    if body.mean() < 0.02:
        return None
    return _locate_spine(small, upright @ shift, (float(step[0]), float(step[1]), float(step[2])), body)


def _average(voxels: NDArray, every: NDArray[np.int64]) -> NDArray[np.float32]:
    """Averages blocks slab by slab; two float32 copies of a large scan would need gigabytes."""
    slab = int(every[2]) * SLAB_SLICES
    slabs = [voxels[:, :, start : start + slab] for start in range(0, max(voxels.shape[2], 1), slab)]
    return np.concatenate([_compute_block_means(part, every) for part in slabs], axis=2)


def _compute_block_means(voxels: NDArray, every: NDArray[np.int64]) -> NDArray[np.float32]:
    small = np.asarray(voxels, np.float32)
    for axis, size in enumerate(map(int, every)):
        keep = small.shape[axis] // size * size
        small = np.take(small, range(keep), axis)
        split = (*small.shape[:axis], keep // size, size, *small.shape[axis + 1 :])
        small = small.reshape(split).mean(axis + 1)
    return small


def _find_body(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Finds the largest part of each slice and fills its holes; an opening separates the table."""
    body = np.zeros(hu.shape, bool)
    for number in range(hu.shape[2]):
        flesh = ndimage.binary_opening(hu[:, :, number] > -300, iterations=2)
        parts, count = ndimage.label(flesh)
        if count:
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            body[:, :, number] = ndimage.binary_fill_holes(parts == sizes.argmax())
    return body


def _locate_spine(
    hu: NDArray[np.float32],
    affine: NDArray[np.float64],
    step: tuple[float, float, float],
    body: NDArray[np.bool_],
) -> CoarseVolume:
    shadow = body.mean(2) > 0.5
    x, y = np.arange(hu.shape[0]) * step[0], np.arange(hu.shape[1]) * step[1]
    inside = shadow.any(1)
    centre = float(x[inside].mean()) if inside.any() else float(x.mean())
    rows = y[shadow[np.abs(x - centre) < 30].any(0)]
    back, front = (float(rows.min()), float(rows.max())) if len(rows) else (float(y[0]), float(y[-1]))
    bone = (hu > BONE_HU) & body
    bone &= (np.abs(x - centre) < 50)[:, None, None] & (y < back + 0.4 * (front - back))[None, :, None]
    share = bone.mean((1, 2))
    if share.sum() > 0:
        centre = float(np.interp(0.5, np.cumsum(share) / share.sum(), x))
    return CoarseVolume(hu, affine, step, body, centre, back, front - back)
