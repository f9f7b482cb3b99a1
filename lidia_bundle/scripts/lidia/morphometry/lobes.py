"""Assign lesions to the left or right lobe from the liver mask alone.

The lobes part at the plane from the gallbladder's bed to the vena cava (Cantlie's line). Neither is outlined
here, so a plane of the same course stands in for it: upright, its front end turned `TURN` degrees to the
patient's right, with `LEFT_SHARE` of the liver's volume to its left, about what the left lobe has as a rule
(the caudate lobe is not told apart). Livers differ, so lesions whose centre is within `MIDDLE_MM` of the
plane are given to neither lobe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import as_array

TURN = 30.0
"""Degrees between the plane and the sagittal one."""
LEFT_SHARE = 1 / 3
"""Share of the liver's volume to the left of the plane."""
MIDDLE_MM = 15.0
"""From the plane; nearer than that the rule does not know."""


def _project_to_right(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far places (..., 3) in RAS mm lie to the right, across the plane."""
    turn = np.deg2rad(TURN)
    return places[..., 0] * np.cos(turn) - places[..., 1] * np.sin(turn)


def find_lobe_plane(liver: ArrayLike, affine: ArrayLike) -> float | None:
    """Where the plane lies, in mm along its normal; None without a liver.

    Args:
        liver: `(X, Y, Z)`, true inside.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Raises:
        ValueError: the volume does not have three axes.
    """
    index = np.argwhere(as_array(liver) > 0)
    if not len(index):
        return None
    matrix = np.asarray(affine, dtype=np.float64)
    return float(np.quantile(_project_to_right(index @ matrix[:3, :3].T + matrix[:3, 3]), LEFT_SHARE))


def assign_lobe(centre_mm: Sequence[float], plane: float) -> str:
    """`right`, `left`, or `middle` where the rule does not know.

    Args:
        centre_mm: the lesion's centroid, RAS mm.
        plane: of `find_lobe_plane`.
    """
    beyond = float(_project_to_right(np.asarray(centre_mm, dtype=np.float64))) - plane
    if abs(beyond) < MIDDLE_MM:
        return "middle"
    return "right" if beyond > 0 else "left"
