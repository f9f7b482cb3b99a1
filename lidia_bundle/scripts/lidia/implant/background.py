"""Defines a real CT with its liver mask, as arrays in RAS axis order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from nibabel.orientations import apply_orientation, ornt_transform
from numpy.typing import NDArray

from scripts.lidia.phantom.shapes import Field
from scripts.lidia.vocabulary import GRID_ORDER

RAS = np.array([[0, 1], [1, 1], [2, 1]])


class Background(NamedTuple):
    """A patient to implant lesions into.

    Attributes:
        name: id of the patient.
        phases: (X, Y, Z) HU by phase, x to the right, y to the front, z to the head, all on one grid.
        liver: (X, Y, Z) bool.
        spacing: voxel size in mm (x, y, z).
        affine: (4, 4) affine of the file, from its voxel indices to RAS mm.
        turn: nibabel's orientation of the file.
    """

    name: str
    phases: dict[str, Field]
    liver: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]
    turn: NDArray[np.float64]

    @property
    def reference(self) -> str:
        """Phase from which the others are made, and whose grid the ground truth has."""
        return next(phase for phase in GRID_ORDER if phase in self.phases)

    def as_stored(self, array: NDArray) -> NDArray:
        """Turns an (X, Y, Z) array back to the axes of the file."""
        return np.ascontiguousarray(apply_orientation(array, ornt_transform(RAS, self.turn)))
