"""Compute the region 'inside the liver' (LIDIA, section 2.2, 'LiverMax'), which the paper does not define.

The region is the largest component of liver and lesions together, with filled holes, dilated by 3 mm. The
liver class alone would exclude the lesions, and with them the maxima that LiverMax takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.components import as_array, find_bounding_box, join_components
from scripts.lidia.vocabulary import FIRST_LESION, LIVER

Mask = NDArray[np.bool_]


def compute_liver_region(
    classes: ArrayLike, spacing: Sequence[float], *, grow_mm: float = 3.0, user_liver: ArrayLike | None = None
) -> Mask:
    """Compute the mask of voxels inside the liver.

    Args:
        classes: `(X, Y, Z)` classes of the voxels.
        spacing: mm per voxel along X, Y, Z.
        grow_mm: margin beyond the liver in mm; 0 gives the liver itself.
        user_liver: `(X, Y, Z)` liver mask of the user; it replaces class 1, and lesions that touch it are
            added to it.

    Returns:
        `(X, Y, Z)` mask; empty if there is neither liver nor lesion.

    Raises:
        ValueError: a volume does not have three axes, or `user_liver` has another shape.
    """
    class_map = as_array(classes)
    lesions = class_map >= FIRST_LESION
    if user_liver is None:
        liver = _keep_largest((class_map == LIVER) | lesions)
    else:
        user_mask = as_array(user_liver) > 0
        if user_mask.shape != class_map.shape:
            raise ValueError(
                f"The liver mask has shape {user_mask.shape}, the image {class_map.shape}: "
                "pass a mask on the grid of the image."
            )
        liver = _keep_touching(user_mask | lesions, user_mask)
    return dilate(fill_holes(liver), spacing, grow_mm)


def dilate(mask: Mask, spacing: Sequence[float], grow_mm: float) -> Mask:
    """Dilate a mask by a ball, within its volume.

    Args:
        mask: `(X, Y, Z)`.
        spacing: mm per voxel along X, Y, Z.
        grow_mm: radius of the ball.
    """
    box = find_bounding_box(mask)
    reach = [int(np.floor(grow_mm / step + 1e-6)) for step in spacing]
    if box is None or not any(reach):
        return mask
    # Only the box of the mask is processed: it is a fraction of the volume.
    padded = tuple(
        slice(max(side.start - pad, 0), min(side.stop + pad, size))
        for side, pad, size in zip(box, reach, mask.shape, strict=True)
    )
    region = np.zeros_like(mask)
    region[padded] = _paint_ball(mask[padded], spacing, grow_mm, reach)
    return region


def fill_holes(mask: Mask) -> Mask:
    """Fill the holes of a mask `(X, Y, Z)`: background not connected to the outside through faces."""
    box = find_bounding_box(mask)
    if box is None:
        return mask
    labels = join_components(~np.pad(mask[box], 1), connectivity=6)
    filled = np.zeros_like(mask)
    filled[box] = (labels != labels[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return filled


def limit_length(mask: Mask, spacing: Sequence[float], longest_mm: float) -> Mask:
    """Cut thin connections of a mask until its largest part is short enough.

    A network trained on crops around the liver may classify muscle or bladder as liver, and the abdominal
    wall connects them to it. Morphological openings with increasing balls cut such connections.

    Args:
        mask: `(X, Y, Z)`.
        spacing: mm per voxel along X, Y, Z.
        longest_mm: maximum length of the part's box along each axis.

    Returns:
        `(X, Y, Z)` mask: the input if it is short enough; the thickest part if no opening suffices.
    """
    if _longest_side_mm(mask, spacing) <= longest_mm:
        return mask
    part, radius = mask, 0.0
    depth = distance_transform_edt(mask, sampling=spacing)
    while _longest_side_mm(part, spacing) > longest_mm:
        radius += min(spacing) / 2
        core = _keep_largest(depth > radius)
        if not core.any():
            break
        part = mask & (distance_transform_edt(~core, sampling=spacing) <= radius)
    return part


def _longest_side_mm(mask: Mask, spacing: Sequence[float]) -> float:
    """Compute the longest side of a mask's box in mm."""
    box = find_bounding_box(mask) or (slice(0, 0),) * 3
    return max((side.stop - side.start) * step for side, step in zip(box, spacing, strict=True))


def iterate_filled_components(mask: Mask) -> Iterator[Mask]:
    """Iterate over the components (26 neighbours) of a mask with filled holes, the largest first.

    Args:
        mask: `(X, Y, Z)`.
    """
    labels = join_components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    for number in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
        yield fill_holes(labels == number)


def _keep_largest(mask: Mask) -> Mask:
    labels = join_components(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax() if sizes.any() else np.zeros_like(mask)


def _keep_touching(mask: Mask, seeds: Mask) -> Mask:
    labels = join_components(mask)
    touching = np.zeros(int(labels.max()) + 1, bool)
    touching[labels[seeds]] = True
    touching[0] = False
    return touching[labels]


def _paint_ball(mask: Mask, spacing: Sequence[float], grow_mm: float, reach: list[int]) -> Mask:
    """Dilate by a ball of `grow_mm`, set around each surface voxel: faster than a distance map."""
    padded = np.pad(mask, 1, mode="edge")
    interior = mask.copy()
    for axis in range(3):
        for shift in (-1, 1):
            interior &= np.roll(padded, shift, axis)[1:-1, 1:-1, 1:-1]
    surface = np.argwhere(mask & ~interior)
    offsets = np.stack(
        np.meshgrid(*[np.arange(-pad, pad + 1) for pad in reach], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * np.asarray(spacing), axis=1) <= grow_mm + 1e-6]
    grown = np.pad(mask, [(pad, pad) for pad in reach])
    for offset in offsets:
        x, y, z = (surface + offset + np.asarray(reach)).T
        grown[x, y, z] = True
    return grown[tuple(slice(pad, pad + size) for pad, size in zip(reach, mask.shape, strict=True))]
