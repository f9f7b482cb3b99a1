"""Remove parts of the liver behind a narrow bridge, such as a patch of the heart or the stomach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from scripts.lidia.components import find_bounding_box

Mask = NDArray[np.bool_]
COARSEST_MM = 3.0
"""Largest spacing of the grid on which distances are measured, if the mask's own spacing is finer."""
REGROW_MM = 4.0
"""Distance beyond the radius by which the core is grown, so that thin edges of the liver stay."""
LARGEST_SHARE = 0.1
"""Share of the mask above which a part, such as a lobe behind a fissure, stays if the network is certain."""
CERTAINTY_RATIO = 0.88
"""Smallest mean probability of such a part, divided by that of the core."""


def remove_narrow_parts(
    mask: Mask, background: NDArray[np.floating], spacing: Sequence[float], radius_mm: float
) -> Mask:
    """Keep the voxels near the largest core of a mask: a morphological opening with a margin.

    The core is the largest component of the voxels that are more than `radius_mm` inside the mask. Kept is
    what lies within `radius_mm` and 4 mm of it, and every other part that is larger than a tenth of the mask
    and has at least 0.88 of the core's mean probability of liver and lesions. The sides of the volume are no
    surface of the mask.

    Args:
        mask: `(X, Y, Z)`.
        background: `(X, Y, Z)` probability of the background.
        spacing: mm per voxel along X, Y, Z.
        radius_mm: half the width of a bridge that is cut; 0 returns the mask itself.

    Returns:
        `(X, Y, Z)` subset of the mask; the mask itself if it has no core.
    """
    bounds = find_bounding_box(mask)
    if radius_mm <= 0 or bounds is None:
        return mask
    box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in bounds)
    steps = [max(1, int(COARSEST_MM / step)) for step in spacing]
    coarse = mask[box][tuple(slice(None, None, step) for step in steps)]
    sampling = [step * width for step, width in zip(steps, spacing, strict=True)]
    parts, count = label(distance_transform_edt(coarse, sampling=sampling) > radius_mm)
    if count == 0 or coarse.all():
        return mask
    core = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    near = distance_transform_edt(~core, sampling=sampling) <= radius_mm + REGROW_MM
    remote, _ = label(coarse & ~near)
    sizes = np.bincount(remote.ravel())
    tissue = 1.0 - background[box][tuple(slice(None, None, step) for step in steps)]
    least = CERTAINTY_RATIO * tissue[core].mean(dtype=np.float64)
    means = np.bincount(remote.ravel(), tissue.ravel()) / np.maximum(sizes, 1)
    is_kept = (sizes > LARGEST_SHARE * coarse.sum()) & (means >= least)
    is_kept[0] = False
    near |= is_kept[remote]
    for axis, step in enumerate(steps):
        near = np.repeat(near, step, axis)
    kept = np.zeros_like(mask)
    kept[box] = mask[box] & near[tuple(slice(size) for size in mask[box].shape)]
    return kept
