"""Compare a predicted liver with a reference mask, and reported lesions with the reference liver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.components import find_bounding_box
from scripts.lidia.metrics.dice import compute_dice_from_counts

ABOVE_MM = 20.0
"""Liver voxels higher than this above the top of the reference mask are counted."""
GROWTH_MM = 10.0
"""The reference masks leave out about 1 cm of large lesions at the surface."""

Mask = NDArray[np.bool_]


def measure_liver(liver: Mask, reference: Mask, affine: NDArray[np.float64]) -> dict[str, Any]:
    """Compare a predicted liver with a reference mask.

    Args:
        liver: `(X, Y, Z)` predicted liver, lesions included.
        reference: `(X, Y, Z)` reference mask.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Returns:
        `dice`, `volume_ml`, `reference_ml`, `volume_ratio` and `voxels_above`: the number of liver voxels
        whose centre lies more than 20 mm above the highest centre of the reference.
    """
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) / 1000
    counts = int(liver.sum()), int(reference.sum())
    shared = int((liver & reference).sum())
    limit = _compute_heights(reference, affine).max(initial=-np.inf) + ABOVE_MM
    return {
        "dice": compute_dice_from_counts(shared, *counts),
        "volume_ml": counts[0] * voxel_ml,
        "reference_ml": counts[1] * voxel_ml,
        "volume_ratio": counts[0] / counts[1] if counts[1] else float("nan"),
        "voxels_above": int((_compute_heights(liver, affine) > limit).sum()),
    }


def _compute_heights(mask: Mask, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the height in mm (superior is positive) of the centre of each voxel of a mask."""
    return np.argwhere(mask) @ affine[2, :3] + affine[2, 3]


def grow(mask: Mask, distance_mm: float, spacing: Sequence[float]) -> Mask:
    """Add all voxels whose centre lies within a distance of a voxel of the mask.

    Args:
        mask: `(X, Y, Z)`.
        distance_mm: the distance in mm.
        spacing: mm per voxel along X, Y, Z.
    """
    box = find_bounding_box(mask)
    if box is None:
        return mask.copy()
    margins = [int(np.ceil(distance_mm / step)) for step in spacing]
    wide = tuple(
        slice(max(side.start - margin, 0), side.stop + margin)
        for side, margin in zip(box, margins, strict=True)
    )
    result = np.zeros_like(mask, bool)
    result[wide] = distance_transform_edt(~mask[wide], sampling=spacing) <= distance_mm
    return result


def measure_lesions(
    instances: NDArray[np.integer], reference: Mask, spacing: Sequence[float]
) -> dict[str, Any]:
    """Measure where reported lesions lie.

    Args:
        instances: `(X, Y, Z)` numbers of the reported lesions, 0 elsewhere.
        reference: `(X, Y, Z)` reference mask of the liver.
        spacing: mm per voxel along X, Y, Z.

    Returns:
        `count`, `volume_ml`, and the volume outside the mask and outside the mask grown by 10 mm, each in ml
        and as a share of the reported volume (nan without lesions); `outside` is the number of lesions of
        which no voxel lies in the mask, `outside_shares` the share of each lesion outside, by number.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    size = int(instances.max(initial=0)) + 1
    total = np.bincount(instances.ravel(), minlength=size)[1:]
    inside = np.bincount(instances[reference], minlength=size)[1:]
    inside_grown = np.bincount(instances[grow(reference, GROWTH_MM, spacing)], minlength=size)[1:]
    numbers = np.flatnonzero(total)
    volume = int(total.sum())
    outside, outside_grown = volume - int(inside.sum()), volume - int(inside_grown.sum())
    return {
        "count": len(numbers),
        "volume_ml": volume * voxel_ml,
        "outside_ml": outside * voxel_ml,
        "outside_share": outside / volume if volume else float("nan"),
        "outside_grown_ml": outside_grown * voxel_ml,
        "outside_grown_share": outside_grown / volume if volume else float("nan"),
        "outside": int((inside[numbers] == 0).sum()),
        "outside_shares": {int(n) + 1: 1 - float(inside[n] / total[n]) for n in numbers},
    }
