"""Defines a volume: voxels and their position in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from scripts.lidia.geometry.grid import Grid, is_outside, is_same_grid, to_index
from scripts.lidia.geometry.resample import resample


class Volume(NamedTuple):
    """Voxels and their affine.

    Attributes:
        voxels: (X, Y, Z), HU of a CT or whole numbers of a mask.
        affine: (4, 4) from voxel indices to RAS mm.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""
        return self.voxels.shape

    @property
    def grid(self) -> Grid:
        """Grid of the voxels."""
        return Grid(self.affine, self.voxels.shape)

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Millimetres per voxel along X, Y, Z, (3,)."""
        return self.grid.spacing

    def same_grid(self, other: Volume | Grid) -> bool:
        """Returns whether another volume or grid agrees with this one within 1 % of a voxel."""
        return is_same_grid(self.affine, self.shape, other.affine, other.shape)

    def crop(self, box: Sequence[slice]) -> Volume:
        """Returns a box of the volume as a view of its voxels; every slice has a start and a stop."""
        return Volume(self.voxels[tuple(box)], self.grid.crop(box).affine)

    def resample(
        self, grid: Grid, *, nearest: bool = False, antialias: bool = False, outside: float | None
    ) -> NDArray[np.float32]:
        """Resamples the volume to another grid, see `geometry.resample.resample`: float32 (X, Y, Z)."""
        voxels = np.require(self.voxels, requirements="W")  # torch does not accept read-only arrays
        image = MetaTensor(torch.as_tensor(voxels)[None], affine=torch.as_tensor(self.affine))
        return resample(image, grid, nearest=nearest, antialias=antialias, outside=outside).numpy()[0]

    def sample_points(
        self, points_mm: NDArray[np.float64], *, outside: float, edge: float = 0.5
    ) -> NDArray[np.float32]:
        """Samples the volume at points, linearly between voxel centres.

        Args:
            points_mm: (3, N) RAS mm.
            outside: value outside the field of view.
            edge: extent of the field of view beyond the outermost voxel centres, in voxels.

        Returns:
            (N,) float32.
        """
        index = to_index(self.affine, points_mm)
        values = map_coordinates(self.voxels, index, order=1, mode="nearest", output=np.float32)
        values[is_outside(index, np.reshape(self.shape, (3, 1)), edge).any(axis=0)] = outside
        return values
