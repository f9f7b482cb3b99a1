"""Trace the closed contours of a mask in one plane; a hole is joined to its outline by a keyhole."""

from __future__ import annotations

from typing import Any

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

SHIFT = np.array([0.137, 0.211])
"""Shift of a channel in voxels."""


def trace_contours(plane: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Trace the contours of a plane.

    The contours pass halfway between the centres of voxels, so that exactly the voxels of the mask have their
    centres inside. A hole is cut out of its outline by a channel without width (PS3.3 C.8.8.6.3, keyhole
    technique), because many readers fill each contour by itself.

    Args:
        plane: (X, Y), true inside.

    Returns:
        (N, 2) positions x, y in voxel indices of each contour, without a repeated first point.
    """
    if not plane.any():
        return []
    padded = np.pad(plane, 1).astype(np.float64)
    generator = contour_generator(z=padded.T, fill_type=FillType.OuterOffset)
    filled: Any = generator.filled(0.5, np.inf)  # its type depends on `fill_type`
    polygons, offsets = filled
    contours = []
    for points, ends in zip(polygons, offsets, strict=True):
        rings = [points[start : stop - 1] for start, stop in zip(ends[:-1], ends[1:], strict=True)]
        contours.append(_cut_holes(rings) - 1)  # the padding
    return contours


def _cut_holes(rings: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Join holes to their outline by channels that pass no centre of a voxel.

    A channel connects the closest points. Its ends are shifted by a part of a voxel, so that a channel along
    a row or a diagonal does not run through the centres, which a reader may then count as outside.
    """
    outline, *holes = rings
    for hole in sorted(holes, key=lambda ring: float(ring[:, 0].min())):
        distances = np.linalg.norm(outline[:, None] - hole[None], axis=2)
        at, start = np.unravel_index(int(distances.argmin()), distances.shape)
        turned = np.roll(hole, -int(start), axis=0)
        ends = np.stack([outline[at], turned[0]]) + SHIFT
        outline = np.concatenate([outline[: at + 1], ends, turned, turned[:1], ends[::-1], outline[at:]])
    return outline
