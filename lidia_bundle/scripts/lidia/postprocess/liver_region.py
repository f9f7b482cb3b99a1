"""Compute the region 'inside the liver' (LIDIA, section 2.2, 'LiverMax'), which the paper does not define.

The largest component of liver and lesions together, its holes filled, grown by 3 mm. A bare liver label would
cut the lesions out, and with them every maximum that LiverMax looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.components import as_array, bounding_box, join_components
from scripts.lidia.vocabulary import FIRST_LESION, LIVER

Mask = NDArray[np.bool_]


def liver_region(
    classes: ArrayLike, spacing: Sequence[float], *, grow_mm: float = 3.0, user_liver: ArrayLike | None = None
) -> Mask:
    """Voxels inside the liver.

    Args:
        classes: `(X, Y, Z)` arg-max of the class map.
        spacing: mm a voxel along X, Y, Z.
        grow_mm: how far the region reaches beyond the liver, in mm; 0 for the liver itself.
        user_liver: `(X, Y, Z)` liver mask of the user; it replaces class 1, and lesions that touch it are
            added to it.

    Returns:
        `(X, Y, Z)` mask; empty where there is neither liver nor lesion.

    Raises:
        ValueError: a volume does not have three axes, or the given mask has another shape.
    """
    class_map = as_array(classes)
    lesions = class_map >= FIRST_LESION
    if user_liver is None:
        liver = _keep_largest((class_map == LIVER) | lesions)
    else:
        drawn = as_array(user_liver) > 0
        if drawn.shape != class_map.shape:
            raise ValueError(
                f"The liver mask has shape {drawn.shape}, the image {class_map.shape}: give one on its grid."
            )
        liver = _keep_touching(drawn | lesions, drawn)
    return dilate(fill_holes(liver), spacing, grow_mm)


def dilate(mask: Mask, spacing: Sequence[float], grow_mm: float) -> Mask:
    """A mask dilated by a ball, within its volume.

    Args:
        mask: `(X, Y, Z)`.
        spacing: mm a voxel along X, Y, Z.
        grow_mm: radius of the ball.
    """
    box = bounding_box(mask)
    reach = [int(np.floor(grow_mm / step + 1e-6)) for step in spacing]
    if box is None or not any(reach):
        return mask
    # Work on the mask's box alone: it is a fraction of the volume.
    wide = tuple(
        slice(max(side.start - by, 0), min(side.stop + by, size))
        for side, by, size in zip(box, reach, mask.shape, strict=True)
    )
    region = np.zeros_like(mask)
    region[wide] = _paint_ball(mask[wide], spacing, grow_mm, reach)
    return region


def fill_holes(mask: Mask) -> Mask:
    """A mask with what no path through faces connects to the outside, `(X, Y, Z)`."""
    box = bounding_box(mask)
    if box is None:
        return mask
    outside = join_components(~np.pad(mask[box], 1), connectivity=6)
    filled = np.zeros_like(mask)
    filled[box] = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return filled


def limit_length(mask: Mask, spacing: Sequence[float], longest_mm: float) -> Mask:
    """The largest part of a mask that is short enough once its thin connections are cut.

    A network that was trained round the liver may call muscles and bladder liver, which the abdominal wall
    joins to it. Openings with larger and larger balls cut such bridges.

    Args:
        mask: `(X, Y, Z)`.
        spacing: mm a voxel along X, Y, Z.
        longest_mm: of the part's box along each axis.

    Returns:
        `(X, Y, Z)` mask: the same where it is short enough, the thickest part where no opening makes it so.
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
    """Longest side of a mask's box in mm."""
    box = bounding_box(mask) or (slice(0, 0),) * 3
    return max((side.stop - side.start) * step for side, step in zip(box, spacing, strict=True))


def iterate_filled_components(mask: Mask) -> Iterator[Mask]:
    """The components (26 neighbours) of a mask with their holes filled, from the largest to the smallest.

    Args:
        mask: `(X, Y, Z)`.
    """
    parts = join_components(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    for part in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
        yield fill_holes(parts == part)


def _keep_largest(mask: Mask) -> Mask:
    parts = join_components(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts == sizes.argmax() if sizes.any() else np.zeros_like(mask)


def _keep_touching(mask: Mask, core: Mask) -> Mask:
    parts = join_components(mask)
    kept = np.zeros(int(parts.max()) + 1, bool)
    kept[parts[core]] = True
    kept[0] = False
    return kept[parts]


def _paint_ball(mask: Mask, spacing: Sequence[float], grow_mm: float, reach: list[int]) -> Mask:
    """Dilate by a ball of `grow_mm`: paint it round every surface voxel, cheaper than a distance map."""
    inner = np.pad(mask, 1, mode="edge")
    core = mask.copy()
    for axis in range(3):
        for shift in (-1, 1):
            core &= np.roll(inner, shift, axis)[1:-1, 1:-1, 1:-1]
    surface = np.argwhere(mask & ~core)
    offsets = np.stack(
        np.meshgrid(*[np.arange(-by, by + 1) for by in reach], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    offsets = offsets[np.linalg.norm(offsets * np.asarray(spacing), axis=1) <= grow_mm + 1e-6]
    grown = np.pad(mask, [(by, by) for by in reach])
    for offset in offsets:
        x, y, z = (surface + offset + np.asarray(reach)).T
        grown[x, y, z] = True
    return grown[tuple(slice(by, by + size) for by, size in zip(reach, mask.shape, strict=True))]
