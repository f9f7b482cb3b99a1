"""The grid that two phases are compared on: axes along R, A, S, a few millimetres, round the liver."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter1d, map_coordinates

Volume = tuple[NDArray[np.float32], NDArray[np.float64]]
"""HU (X, Y, Z) and the affine (4, 4) from voxel indices to RAS mm."""

SLAB = 16
"""Slices that are warped at a time: the places of a whole clinical volume would fill the memory."""


class Lattice(NamedTuple):
    """An even grid along R, A, S.

    Attributes:
        origin: RAS mm of its first voxel.
        shape: voxels along R, A, S.
        spacing: mm, the same along all axes.
    """

    origin: tuple[float, float, float]
    shape: tuple[int, int, int]
    spacing: float

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) from voxel indices to RAS mm."""
        affine = np.diag([self.spacing] * 3 + [1.0])
        affine[:3, 3] = self.origin
        return affine

    def cut(self, low: NDArray[np.int64], shape: NDArray[np.int64]) -> Lattice:
        """A part of it (voxel indices; the part may reach beyond)."""
        x, y, z = (float(o + self.spacing * i) for o, i in zip(self.origin, low, strict=True))
        a, b, c = (int(n) for n in shape)
        return Lattice((x, y, z), (a, b, c), self.spacing)

    def places(self) -> NDArray[np.float64]:
        """RAS mm (3, X, Y, Z) of its voxels."""
        index = np.indices(self.shape, dtype=np.float64) * self.spacing
        return index + np.reshape(self.origin, (3, 1, 1, 1))


def lattice_over(volume: Volume, spacing: float) -> Lattice:
    """The lattice over a volume's whole field of view.

    Args:
        volume: HU and affine.
        spacing: mm.
    """
    voxels, affine = volume
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in voxels.shape], indexing="ij")).reshape(3, -1)
    corners = affine[:3, :3] @ ends + affine[:3, 3:]
    low, high = corners.min(1), corners.max(1)
    shape = np.floor((high - low) / spacing).astype(int) + 1
    return Lattice(tuple(low), tuple(shape), spacing)


def smooth_for_lattice(volume: Volume, steps_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Smooths a volume as it must be before it is sampled on a grid of `steps_mm` along its own axes.

    By a Gaussian of half the surplus voxels an axis (scikit-image's rule); finer grids leave it as it is.
    """
    voxels, affine = volume
    own = np.linalg.norm(affine[:3, :3], axis=0)
    for axis, (step, target) in enumerate(zip(own, steps_mm, strict=True)):
        sigma = (target / step - 1) / 2
        if sigma > 0.2:
            voxels = gaussian_filter1d(voxels, sigma, axis=axis, mode="nearest", truncate=3.0)
    return voxels


def resample(volume: Volume, lattice: Lattice) -> NDArray[np.float32]:
    """A volume on a lattice, linearly; beyond its field of view its edge goes on."""
    smooth = smooth_for_lattice(volume, np.full(3, lattice.spacing))
    chain = np.linalg.inv(volume[1]) @ lattice.affine
    return affine_transform(smooth, chain, output_shape=lattice.shape, order=1, mode="nearest")


def find_coverage(volume: Volume, lattice: Lattice) -> NDArray[np.bool_]:
    """Voxels of a lattice (X, Y, Z) that lie in a volume's field of view."""
    return inside(volume, lattice.places().reshape(3, -1)).reshape(lattice.shape)


def inside(volume: Volume, places: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Places (3, N), RAS mm, that lie in a volume's field of view."""
    back = np.linalg.inv(volume[1])
    index = back[:3, :3] @ places + back[:3, 3:]
    limit = np.reshape(volume[0].shape, (3, 1)) - 0.499
    return np.all((index > -0.501) & (index < limit), axis=0)


def warp_to_grid(
    moving: Volume, grid: Volume, field: NDArray[np.float32], lattice: Lattice, *, outside: float
) -> NDArray[np.int16]:
    """A moving volume on the grid of a fixed one, by a displacement known on a lattice.

    Args:
        moving: HU and affine.
        grid: the volume whose shape and affine are wanted.
        field: (3, X, Y, Z) RAS mm from a place of the fixed volume to that of the moving one; beyond the
            lattice its edge goes on.
        lattice: where the field is known.
        outside: HU where the moving volume shows nothing.

    Returns:
        HU (X, Y, Z) in the shape of the grid.
    """
    shape, affine = grid[0].shape, grid[1]
    smooth = smooth_for_lattice(moving, np.linalg.norm(affine[:3, :3], axis=0))
    to_lattice, to_moving = np.linalg.inv(lattice.affine), np.linalg.inv(moving[1])
    result = np.empty(shape, np.int16)
    for start in range(0, shape[2], SLAB):
        slab = (*shape[:2], min(SLAB, shape[2] - start))
        index = np.indices(slab, dtype=np.float64).reshape(3, -1)
        index[2] += start
        places = affine[:3, :3] @ index + affine[:3, 3:]
        at = to_lattice[:3, :3] @ places + to_lattice[:3, 3:]
        places += [map_coordinates(part, at, order=1, mode="nearest") for part in field]
        at = to_moving[:3, :3] @ places + to_moving[:3, 3:]
        values = map_coordinates(smooth, at, order=1, mode="nearest")
        values[~inside(moving, places)] = outside
        result[:, :, start : start + slab[2]] = np.rint(values).reshape(slab)
    return result
