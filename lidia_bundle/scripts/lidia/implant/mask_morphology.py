"""Opens and closes masks with balls and discs of a radius in mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt

from scripts.lidia.components import find_bounding_box

Mask = NDArray[np.bool_]
INDEPENDENT_SLICES_MM = 1e4
"""Slice distance in mm that makes slices independent of one another."""


def open_mask(mask: Mask, spacing: Sequence[float], radius: float) -> Mask:
    """Opens an (X, Y, Z) mask with a ball of `radius` mm."""
    out = np.zeros_like(mask)
    if not mask.any():
        return out
    box = bounding_box_with_margin(mask)
    core = distance_transform_edt(np.pad(mask[box], 1), sampling=spacing)[1:-1, 1:-1, 1:-1] > radius
    if core.any():
        out[box] = mask[box] & (distance_transform_edt(~core, sampling=spacing) <= radius)
    return out


def close_mask(mask: Mask, spacing: Sequence[float], radius: float) -> Mask:
    """Closes gaps of up to twice `radius` mm and fills holes, slice by slice."""
    out = np.zeros_like(mask)
    if not mask.any():
        return out
    box = bounding_box_with_margin(mask)
    edge = int(np.ceil(radius / min(spacing[:2]))) + 1
    part = np.pad(mask[box], ((edge, edge), (edge, edge), (0, 0)))
    step = (spacing[0], spacing[1], INDEPENDENT_SLICES_MM)
    grown = distance_transform_edt(~part, sampling=step) <= radius
    # a slice without any voxel of the mask is as far away as another slice
    shrunk = distance_transform_edt(np.pad(grown, 1), sampling=step)[1:-1, 1:-1, 1:-1] > radius
    filled = [binary_fill_holes(shrunk[:, :, z]) for z in range(shrunk.shape[2])]
    out[box] = np.stack(filled, 2)[edge:-edge, edge:-edge] | mask[box]
    return out


def bounding_box_with_margin(mask: Mask, margin: int = 0) -> tuple[slice, slice, slice]:
    """Returns the bounding box of a mask, extended by `margin` voxels within its array.

    Raises:
        ValueError: if the mask is empty.
    """
    box = find_bounding_box(mask)
    if box is None:
        raise ValueError("An empty mask has no bounding box.")
    x, y, z = (
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(box, mask.shape, strict=True)
    )
    return x, y, z
