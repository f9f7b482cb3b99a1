"""Assign lesions to the left or right lobe from the liver mask alone.

The plane from the gallbladder fossa to the vena cava separates the lobes (Cantlie's line). Neither structure
is segmented here, so a plane of similar course approximates it: vertical, its anterior end rotated by `TURN`
degrees to the patient's right, with `LEFT_SHARE` of the liver's volume to its left, a typical share of the
left lobe (the caudate lobe is not separated). Livers differ, so a lesion whose centre is within `MIDDLE_MM`
of the plane is assigned to neither lobe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import as_array

TURN = 30.0
"""Degrees between the plane and the sagittal plane."""
LEFT_SHARE = 1 / 3
"""Share of the liver's volume to the left of the plane."""
MIDDLE_MM = 15.0
"""Distance from the plane below which no lobe is assigned."""


def _project_to_right(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project points (..., 3) in RAS mm onto the normal of the plane, positive to the right."""
    turn = np.deg2rad(TURN)
    return points[..., 0] * np.cos(turn) - points[..., 1] * np.sin(turn)


def find_lobe_plane(liver: ArrayLike, affine: ArrayLike) -> float | None:
    """Find the position of the plane in mm along its normal; None without a liver.

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
    """Assign a lesion to `right`, `left` or, close to the plane, `middle`.

    Args:
        centre_mm: centroid of the lesion, RAS mm.
        plane: result of `find_lobe_plane`.
    """
    offset = float(_project_to_right(np.asarray(centre_mm, dtype=np.float64))) - plane
    if abs(offset) < MIDDLE_MM:
        return "middle"
    return "right" if offset > 0 else "left"
