"""What in an answer or its input is unlike the patients that the weights were trained on, in words.

None of it stops an inference: it stands among the warnings of a result.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import bounding_box
from scripts.lidia.data.phase_order import find_phase_disorder
from scripts.lidia.inference.box_sides import SIDES, Side, find_touched_sides, measure_contact_mm2
from scripts.lidia.inference.native_grid import SURE
from scripts.lidia.vocabulary import PHASES

LIVER_ML = (400.0, 5000.0)
SLICE_MM = 5.5
"""The thickest slices that the weights have seen, and a little."""
UNSEEN_SHARE = 0.05
"""Of a liver mask of the user that may lie outside the examined region without a warning."""
ENDS = {
    **{"R": ("left", "right"), "A": ("posterior", "anterior"), "S": ("inferior", "superior")},
    **{"L": ("right", "left"), "P": ("anterior", "posterior"), "I": ("superior", "inferior")},
}
"""The sides of a volume where the index is lowest and highest, by the direction of an axis."""


def check_phase_order(
    image: NDArray[np.float32], liver: NDArray[np.bool_], window: Sequence[float]
) -> list[str]:
    """Phases whose enhancement does not fit their names.

    Args:
        image: (4, X, Y, Z) on the network's grid, HU by `window` to -1..1, absent phases NaN.
        liver: (X, Y, Z) of the liver without lesions on that grid.
        window: HU that became -1 and 1.
    """
    if liver.sum() < 100:
        return []
    low, high = window
    values = {phase: image[channel][liver] for channel, phase in enumerate(PHASES)}
    hu = {
        phase: float(np.median(seen) + 1) / 2 * (high - low) + low
        for phase, seen in values.items()
        if not np.isnan(seen).any()
    }
    wrong = find_phase_disorder(hu)
    return [] if wrong is None else [f"{wrong}: look whether phases are swapped"]


def check_liver(
    liver: NDArray[np.bool_], affine: NDArray[np.float64], ends: Set[str] = frozenset()
) -> list[str]:
    """A liver of unlikely size, one that the scan cuts, and slices that are thicker than any in training.

    Args:
        liver: (X, Y, Z) of liver and lesions on the patient's own grid.
        affine: voxel indices to RAS mm.
        ends: names of further sides at which the scan cuts the liver, see `find_reached_ends`.
    """
    warnings = []
    thick = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    if thick > SLICE_MM:
        warnings.append(f"slices of {thick:.1f} mm: the weights have seen none above 5 mm")
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
    """Names of the sides of a volume that a liver reaches.

    The network's grid ends where the body does, so that it also tells of a scan with empty slices at its end.

    Args:
        liver: (X, Y, Z) mask.
        affine: voxel indices to RAS mm.
    """
    return {_name_side(side, affine) for side in SIDES if np.take(liver, -side.end, axis=side.axis).any()}


def check_region_border(
    liver: NDArray[np.bool_], background: NDArray[np.float32], affine: NDArray[np.float64], contact_cm2: float
) -> list[str]:
    """A liver that ends in a plane at a side of the examined region.

    All around that region a class map is background of probability 1, so the region is read from the map.

    Args:
        liver: (X, Y, Z) of liver and lesions on the network's grid.
        background: (X, Y, Z) probability of background.
        affine: voxel indices to RAS mm.
        contact_cm2: area from which on a contact with a side counts.
    """
    examined = bounding_box(background < 1.0)
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
    """A liver mask of the user of which a part was not examined: lesions in it cannot be found.

    Args:
        user_liver: (X, Y, Z) mask of the user.
        background: (X, Y, Z) probability of background on its grid.
        voxel_mm3: volume of a voxel.
    """
    drawn = user_liver > 0
    unseen = int(np.count_nonzero(drawn & (background >= SURE)))
    if unseen <= UNSEEN_SHARE * np.count_nonzero(drawn):
        return []
    volume = unseen * voxel_mm3 / 1000
    return [
        f"{volume:.0f} ml of the liver mask given lie outside the examined region: lesions there are "
        "missing; look whether mask and image fit"
    ]


def _name_side(side: Side, affine: NDArray[np.float64]) -> str:
    """A side of a volume in anatomical terms."""
    return ENDS[nib.aff2axcodes(affine)[side.axis]][side.end]
