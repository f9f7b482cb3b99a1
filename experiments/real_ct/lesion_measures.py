"""Compare reported lesions with labelled ones, and with rough outlines of lesions that were looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import is_smaller, label_components
from scripts.lidia.metrics.dice import compute_dice_from_counts
from scripts.lidia.metrics.lesion_matching import (
    COUNTED_MM3,
    OVERLAP,
    LesionMap,
    compute_pairwise_dice,
    count_shared_voxels,
    find_lesions,
)
from scripts.lidia.vocabulary import FIRST_LESION

LARGE_MM3 = math.pi / 6 * 10.0**3
"""Volume of a ball of 10 mm diameter."""
IOU = 0.1
"""A second, looser threshold: intersection over union (a Dice of 0.18)."""

Mask = NDArray[np.bool_]


def compare_lesions(
    classes: NDArray[np.integer], instances: NDArray[np.integer], truth: Mask, spacing: Sequence[float]
) -> dict[str, Any]:
    """Compare reported lesions with labelled ones, regardless of type.

    Labelled lesions are the components of the label that are connected by faces (6 neighbours), so that
    lesions that touch at an edge stay apart. A labelled lesion counts from
    113 mm3 and is large from the volume of a ball of 10 mm diameter.

    Args:
        classes: `(X, Y, Z)` reported classes, lesions are 2..9.
        instances: `(X, Y, Z)` numbers of the reported lesions.
        truth: `(X, Y, Z)` labelled lesion voxels.
        spacing: mm per voxel along X, Y, Z.

    Returns:
        `dice` of the lesion voxels; `labelled`, and of these `found_any` (any shared voxel), `found_dice`
        (Dice of at least 0.2 with one lesion, the bundle's rule) and `found_iou` (IoU of at least 0.1); the
        same with `large_` in front for large lesions; `reported` and `reported_real` (any shared voxel with
        a labelled lesion of any size), and both for reported lesions from 113 mm3 (`_counted`).
    """
    reported = find_lesions(classes, spacing, instances, smallest_mm3=0)
    kinds = truth.astype(np.uint8) * FIRST_LESION
    labelled = find_lesions(kinds, spacing, label_components(truth.astype(np.uint8), 6), smallest_mm3=0)
    shared = count_shared_voxels(reported, labelled)
    dice = compute_pairwise_dice(reported, labelled) if shared.size else np.zeros(shared.shape)
    result: dict[str, Any] = {
        "dice": compute_dice_from_counts(
            int(((classes >= FIRST_LESION) & truth).sum()),
            int((classes >= FIRST_LESION).sum()),
            int(truth.sum()),
        )
    }
    found: dict[str, Mask] = {
        "found_any": np.asarray((shared > 0).any(axis=0)),
        "found_dice": np.asarray((dice >= OVERLAP).any(axis=0)),
        # The intersection over union as a function of the Dice.
        "found_iou": np.asarray((dice / (2 - dice) >= IOU).any(axis=0)),
    }
    for prefix, limit in (("", COUNTED_MM3), ("large_", LARGE_MM3)):
        counted = _is_at_least(labelled, limit)
        result[f"{prefix}labelled"] = int(counted.sum())
        result |= {f"{prefix}{name}": int(hits[counted].sum()) for name, hits in found.items()}
    real = np.asarray((shared > 0).any(axis=1))
    for suffix, limit in (("", 0.0), ("_counted", COUNTED_MM3)):
        counted = _is_at_least(reported, limit)
        result[f"reported{suffix}"] = int(counted.sum())
        result[f"reported_real{suffix}"] = int(real[counted].sum())
    return result


def _is_at_least(lesions: LesionMap, limit_mm3: float) -> Mask:
    """Compute `(N,)` whether each lesion has at least a volume."""
    return np.array(
        [not is_smaller(lesion.component.volume_mm3, limit_mm3) for lesion in lesions.lesions], bool
    )


def draw_spheres(
    spheres: Sequence[Mapping[str, Any]], shape: Sequence[int], affine: NDArray[np.float64]
) -> Mask:
    """Draw spheres as a mask.

    Args:
        spheres: `{"centre_ras_mm": [x, y, z], "radius_mm": r}`.
        shape: size X, Y, Z of the mask.
        affine: `(4, 4)` from voxel indices to RAS mm.
    """
    mask = np.zeros(tuple(shape), bool)
    inverse = np.linalg.inv(affine)
    for sphere in spheres:
        centre, radius = np.asarray(sphere["centre_ras_mm"], float), float(sphere["radius_mm"])
        middle = inverse[:3, :3] @ centre + inverse[:3, 3]
        # A sphere reaches |row of the inverse| * radius along each index axis.
        reach = np.linalg.norm(inverse[:3, :3], axis=1) * radius
        low = np.clip(np.floor(middle - reach), 0, shape).astype(int)
        high = np.clip(np.ceil(middle + reach) + 1, 0, shape).astype(int)
        box = tuple(map(slice, low, high))
        index = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1)
        offsets = index @ affine[:3, :3].T + affine[:3, 3] - centre
        mask[box] |= (offsets**2).sum(-1) <= radius**2
    return mask


def count_outlined(instances: NDArray[np.integer], outlines: Mask) -> int:
    """Count the reported lesions of which at least half lies in rough outlines."""
    size = int(instances.max(initial=0)) + 1
    total = np.bincount(instances.ravel(), minlength=size)[1:]
    inside = np.bincount(instances[outlines], minlength=size)[1:]
    return int(((total > 0) & (2 * inside >= total)).sum())
