"""Check whether an input or a result is unlike the training patients, and return warnings.

The warnings do not stop an inference; they are part of the result.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import find_bounding_box
from scripts.lidia.data.phase_order import find_phase_disorder
from scripts.lidia.inference.box_sides import SIDES, Side, find_touched_sides, measure_contact_mm2
from scripts.lidia.inference.native_grid import SURE
from scripts.lidia.vocabulary import PHASES

LIVER_ML = (400.0, 5000.0)
SLICE_MM = 5.5
"""Slightly more than the largest slice thickness in the training data."""
UNSEEN_SHARE = 0.05
"""Share of the user's liver mask that may lie outside the examined region without a warning."""
ENDS = {
    **{"R": ("left", "right"), "A": ("posterior", "anterior"), "S": ("inferior", "superior")},
    **{"L": ("right", "left"), "P": ("anterior", "posterior"), "I": ("superior", "inferior")},
}
"""Names of the sides at the lowest and the highest index, by the direction of an axis."""


def check_phase_order(
    image: NDArray[np.float32], liver: NDArray[np.bool_], window: Sequence[float]
) -> list[str]:
    """Check whether the enhancement of the phases fits their names.

    Args:
        image: (4, X, Y, Z) on the network's grid, HU scaled by `window` to -1..1, absent phases NaN.
        liver: (X, Y, Z) mask of the liver without lesions on that grid.
        window: HU that are scaled to -1 and 1.
    """
    if liver.sum() < 100:
        return []
    low, high = window
    values = {phase: image[channel][liver] for channel, phase in enumerate(PHASES)}
    hu = {
        phase: float(np.median(liver_values) + 1) / 2 * (high - low) + low
        for phase, liver_values in values.items()
        if not np.isnan(liver_values).any()
    }
    disorder = find_phase_disorder(hu)
    return [] if disorder is None else [f"{disorder}: look whether phases are swapped"]


def check_liver(
    liver: NDArray[np.bool_], affine: NDArray[np.float64], ends: Set[str] = frozenset()
) -> list[str]:
    """Check the size of the liver, whether the scan cuts it, and the slice thickness.

    Args:
        liver: (X, Y, Z) mask of liver and lesions on the native grid.
        affine: voxel indices to RAS mm.
        ends: further sides at which the scan cuts the liver, see `find_reached_ends`.
    """
    warnings = []
    thickness = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    if thickness > SLICE_MM:
        warnings.append(f"slices of {thickness:.1f} mm: the weights have seen none above 5 mm")
    if not liver.any():
        return warnings
    millilitres = float(liver.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000)
    if not LIVER_ML[0] <= millilitres <= LIVER_ML[1]:
        warnings.append(f"the liver found has {millilitres:.0f} ml: look whether it is one")
    names = sorted(find_reached_ends(liver, affine) | ends)
    if names:
        where = ", ".join(names)
        warnings.append(f"the liver reaches the edge of the scan ({where}): what lies beyond was not seen")
    return warnings


def find_reached_ends(liver: NDArray[np.bool_], affine: NDArray[np.float64]) -> set[str]:
    """Find the names of the sides of a volume that a liver reaches.

    The network's grid ends where the body ends, so scans with empty slices at the end are handled too.

    Args:
        liver: (X, Y, Z) mask.
        affine: voxel indices to RAS mm.
    """
    return {_name_side(side, affine) for side in SIDES if np.take(liver, -side.end, axis=side.axis).any()}


def check_region_border(
    liver: NDArray[np.bool_], background: NDArray[np.float32], affine: NDArray[np.float64], contact_cm2: float
) -> list[str]:
    """Check whether the liver ends in a plane at a side of the examined region.

    Outside that region the probability of background is 1, so the region is read from the map.

    Args:
        liver: (X, Y, Z) mask of liver and lesions on the network's grid.
        background: (X, Y, Z) probability of background.
        affine: voxel indices to RAS mm.
        contact_cm2: minimum contact area with a side.
    """
    examined = find_bounding_box(background < 1.0)
    if examined is None:
        return []
    spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    inside = liver[examined]
    sides = find_touched_sides(inside, examined, liver.shape, spacing, contact_cm2)
    if not sides:
        return []
    areas = [
        f"{_name_side(side, affine)} ({measure_contact_mm2(inside, side, spacing) / 100:.0f} cm2)"
        for side in sides
    ]
    return [
        f"the liver ends in a plane at the border of the examined region: {', '.join(areas)}. Part of it may "
        "be missing there, or another organ was taken for liver: look at the liver mask"
    ]


def check_unseen_liver(
    user_liver: NDArray[Any], background: NDArray[np.float32], voxel_mm3: float
) -> list[str]:
    """Check whether a part of the user's liver mask was not examined; its lesions cannot be detected.

    Args:
        user_liver: (X, Y, Z) liver mask of the user.
        background: (X, Y, Z) probability of background on its grid.
        voxel_mm3: volume of a voxel.
    """
    mask = user_liver > 0
    unseen = int(np.count_nonzero(mask & (background >= SURE)))
    if unseen <= UNSEEN_SHARE * np.count_nonzero(mask):
        return []
    volume = unseen * voxel_mm3 / 1000
    return [
        f"{volume:.0f} ml of the liver mask given lie outside the examined region: lesions there are "
        "missing; look whether mask and image fit"
    ]


def _name_side(side: Side, affine: NDArray[np.float64]) -> str:
    """Name a side of a volume in anatomical terms."""
    return ENDS[nib.aff2axcodes(affine)[side.axis]][side.end]
