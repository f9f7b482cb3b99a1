"""Makes the isotropic grid on which two phases are compared, and warps a volume by a field on that grid.

The axes of the grid are R, A, S; its spacing is a few millimetres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from scripts.lidia.geometry.grid import Grid, to_index
from scripts.lidia.geometry.smoothing import blur_axes
from scripts.lidia.geometry.volume import Volume

SLAB = 16
"""Number of slices that are warped at one time, because the points of a whole volume need gigabytes."""


def make_lattice(volume: Volume, spacing: float) -> Grid:
    """Makes a lattice that covers the field of view of a volume.

    Args:
        volume: HU and affine.
        spacing: mm of the lattice.
    """
    corners = volume.grid.corners()
    low, high = corners.min(1), corners.max(1)
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = low
    return Grid(affine, tuple(int(n) for n in np.floor((high - low) / spacing) + 1))


def warp_to_grid(
    moving: Volume, grid: Grid, field: NDArray[np.float32], lattice: Grid, *, outside: float
) -> NDArray[np.int16]:
    """Warps a moving volume to the grid of a fixed volume by a displacement field on a lattice.

    Args:
        moving: HU and affine.
        grid: the grid of the fixed volume.
        field: (3, X, Y, Z) RAS mm from a point of the fixed volume to that of the moving one; outside the
            lattice the value at its edge is used.
        lattice: grid of the field.
        outside: HU beyond the moving volume's field of view.

    Returns:
        HU (X, Y, Z) in the shape of the grid.
    """
    moving = Volume(blur_axes(moving.voxels, moving.spacing.tolist(), grid.spacing.tolist()), moving.affine)
    shape = grid.shape
    result = np.empty(shape, np.int16)
    for start in range(0, shape[2], SLAB):
        stop = min(start + SLAB, shape[2])
        points = grid.crop((slice(0, shape[0]), slice(0, shape[1]), slice(start, stop))).points()
        index = to_index(lattice.affine, points)
        points += [map_coordinates(part, index, order=1, mode="nearest") for part in field]
        values = moving.sample_points(points, outside=outside)
        result[:, :, start:stop] = np.rint(values).reshape(*shape[:2], -1)
    return result
