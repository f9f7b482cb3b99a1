"""Measure the distance of a lesion from the liver's surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from scripts.lidia.components import as_array, find_bounding_box


class LiverSurface:
    """The surface of a liver mask, fissures and hilum included.

    Distances are measured between faces of voxels: a lesion that reaches the surface has distance 0, and one
    voxel of liver between them counts with its full thickness. Faces at the border of the scan, where the
    liver is cut, do not belong to the surface.

    Args:
        liver: `(X, Y, Z)`, true inside, lesions included.
        spacing: mm per voxel along X, Y, Z.

    Raises:
        ValueError: the volume does not have three axes.
    """

    def __init__(self, liver: ArrayLike, spacing: Sequence[float]) -> None:
        self.spacing = np.asarray(spacing, dtype=np.float64)
        faces = _find_faces(as_array(liver) > 0) * self.spacing
        self.tree = cKDTree(faces) if len(faces) else None

    def distance_mm(self, lesion: ArrayLike, start: Sequence[int] = (0, 0, 0)) -> float | None:
        """Compute the shortest distance between the surfaces of lesion and liver; None if one is empty.

        Args:
            lesion: `(x, y, z)`, true inside: on the grid of the liver, or cropped to a box of it.
            start: first voxel of that box in the grid of the liver.

        Raises:
            ValueError: the volume does not have three axes.
        """
        faces = (_find_faces(as_array(lesion) > 0, whole=True) + np.asarray(start)) * self.spacing
        if self.tree is None or not len(faces):
            return None
        return float(self.tree.query(faces)[0].min())


def _find_faces(mask: NDArray[np.bool_], whole: bool = False) -> NDArray[np.float64]:
    """Find the faces between inside and outside; returns their centres (N, 3) in voxel indices.

    With `whole`, faces at the border of the volume count too.
    """
    box = find_bounding_box(mask)
    if box is None:
        return np.zeros((0, 3))
    part = np.pad(mask[box], 1)
    start = np.array([side.start for side in box], dtype=np.float64) - 1
    centres = []
    for axis in range(3):
        positions = np.argwhere(np.diff(part, axis=axis)) + start
        positions[:, axis] += 0.5
        if not whole:
            positions = positions[(positions[:, axis] > 0) & (positions[:, axis] < mask.shape[axis] - 1)]
        centres.append(positions)
    return np.concatenate(centres)
