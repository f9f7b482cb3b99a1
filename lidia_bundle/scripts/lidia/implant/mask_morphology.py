"""Opening and closing of masks by balls and discs of so many millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt

from scripts.lidia.components import bounding_box

Mask = NDArray[np.bool_]
APART = 1e4
"""Slices so far apart (mm) that each is on its own."""


def open_mask(mask: Mask, spacing: Sequence[float], radius: float) -> Mask:
    """The parts of an (X, Y, Z) mask in which a ball of `radius` mm has room."""
    out = np.zeros_like(mask)
    if not mask.any():
        return out
    box = around(mask)
    core = distance_transform_edt(np.pad(mask[box], 1), sampling=spacing)[1:-1, 1:-1, 1:-1] > radius
    if core.any():
        out[box] = mask[box] & (distance_transform_edt(~core, sampling=spacing) <= radius)
    return out


def close_mask(mask: Mask, spacing: Sequence[float], radius: float) -> Mask:
    """The mask with gaps closed up to twice `radius` mm and its holes filled, slice by slice."""
    out = np.zeros_like(mask)
    if not mask.any():
        return out
    box = around(mask)
    edge = int(np.ceil(radius / min(spacing[:2]))) + 1
    part = np.pad(mask[box], ((edge, edge), (edge, edge), (0, 0)))
    step = (spacing[0], spacing[1], APART)
    grown = distance_transform_edt(~part, sampling=step) <= radius
    # a slice without any voxel of the mask is as far away as another slice
    shrunk = distance_transform_edt(np.pad(grown, 1), sampling=step)[1:-1, 1:-1, 1:-1] > radius
    filled = [binary_fill_holes(shrunk[:, :, z]) for z in range(shrunk.shape[2])]
    out[box] = np.stack(filled, 2)[edge:-edge, edge:-edge] | mask[box]
    return out


def around(mask: Mask, margin: int = 0) -> tuple[slice, slice, slice]:
    """Bounding box of a mask that is not empty, grown by `margin` voxels within its array.

    Raises:
        ValueError: it is empty.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("An empty mask has no bounding box.")
    x, y, z = (
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, size in zip(box, mask.shape, strict=True)
    )
    return x, y, z
