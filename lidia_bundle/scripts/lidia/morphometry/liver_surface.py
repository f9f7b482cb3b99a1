"""Measure the distance of a lesion from the liver's surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from scripts.lidia.components import as_array, bounding_box


class LiverSurface:
    """The surface of a liver mask, fissures and hilum included.

    Distances run between the faces of voxels, so that a lesion that reaches the surface is 0 mm away, and one
    voxel of liver between them is as thick as it is. Where the scan ends the liver is cut, not bounded: these
    faces are none.

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
        """The shortest way from a lesion's surface to the liver's; None without a lesion or a surface.

        Args:
            lesion: `(x, y, z)`, true inside: the lesion on the liver's grid, or its box alone.
            start: where that box begins in the liver's grid.

        Raises:
            ValueError: the volume does not have three axes.
        """
        rim = (_find_faces(as_array(lesion) > 0, whole=True) + np.asarray(start)) * self.spacing
        if self.tree is None or not len(rim):
            return None
        return float(self.tree.query(rim)[0].min())


def _find_faces(mask: NDArray[np.bool_], whole: bool = False) -> NDArray[np.float64]:
    """Centres (N, 3) in voxel indices of the faces between inside and outside.

    With `whole` those at the end of the volume count too.
    """
    box = bounding_box(mask)
    if box is None:
        return np.zeros((0, 3))
    part = np.pad(mask[box], 1)
    start = np.array([side.start for side in box], dtype=np.float64) - 1
    centres = []
    for axis in range(3):
        at = np.argwhere(np.diff(part, axis=axis)) + start
        at[:, axis] += 0.5
        if not whole:
            at = at[(at[:, axis] > 0) & (at[:, axis] < mask.shape[axis] - 1)]
        centres.append(at)
    return np.concatenate(centres)
