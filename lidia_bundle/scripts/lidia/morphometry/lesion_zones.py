"""Divide a lesion and the liver around it into zones by the depth below the lesion's surface.

Arrays are (X, Y, Z) on one grid, usually cropped to the lesion with a margin of `REACH_MM`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.components import as_array, find_bounding_box
from scripts.lidia.morphometry.near_distance import measure_near_distance

REACH_MM = 20.0
"""Distance from the lesion up to which liver counts as surrounding."""
GAP_MM = 3.0
"""Distance of surrounding liver from all lesions and from the liver's surface."""
RIM_SHARE, RIM_MM = 0.35, (2.0, 5.0)
"""Thickness of the rim as a share of the lesion's largest depth, and its limits."""
BETWEEN_SHARE, BETWEEN_MM = 0.15, 1.5
"""Thickness of the layer between rim and inside, as a share of the largest depth, and its upper limit."""
CORE_SHARE = 0.6
"""Depth at which the core begins, as a share of the largest depth."""
EDGE_MM = 4.0
"""Distance from the surface of the liver within which the rim is not measured: it mixes with fat or lung."""
LAYERS = 3
"""Number of thin layers in which the brightest part of a rim is searched."""
CAPSULE_MM, INSIDE_MM, OUTSIDE_MM = (-0.5, 2.5), (4.0, 8.0), (-7.0, -2.0)
"""Depths of the capsule, of the lesion inside it, and of the liver outside it."""


class LesionZones(NamedTuple):
    """Zones of one lesion, (X, Y, Z) bool each."""

    whole: NDArray[np.bool_]
    """The lesion."""
    rim: NDArray[np.bool_]
    """Its outer layer, as far as it does not face the surface of the liver."""
    layers: tuple[NDArray[np.bool_], ...]
    """Thin layers of it from the surface inwards; a rim may be thinner than `rim`."""
    middle: NDArray[np.bool_]
    """A layer below the rim, of the same thickness; empty in a small lesion."""
    inner: NDArray[np.bool_]
    """All below the rim, without the layer next to it."""
    core: NDArray[np.bool_]
    """Its centre."""
    capsule: NDArray[np.bool_]
    """The layer at its surface."""
    inside: NDArray[np.bool_]
    """The layer of the lesion below the capsule."""
    outside: NDArray[np.bool_]
    """The layer of liver around the capsule."""
    liver: NDArray[np.bool_]
    """Surrounding parenchyma, with vessels."""
    radius_mm: float
    """Largest depth in mm."""


def expand_box(
    box: Sequence[slice], spacing: Sequence[float], shape: Sequence[int], margin_mm: float = REACH_MM + GAP_MM
) -> tuple[slice, ...]:
    """Expand a bounding box by a margin within a volume."""
    margins = [int(np.ceil(margin_mm / step)) for step in spacing]
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, size))
        for side, margin, size in zip(box, margins, shape, strict=True)
    )


def find_zones(
    lesion: ArrayLike, lesions: ArrayLike, liver: ArrayLike, spacing: Sequence[float]
) -> LesionZones:
    """Find the zones of a lesion.

    Depth is the distance in mm to the lesion's surface, positive inside. The surrounding liver is as far as
    `GAP_MM` from every lesion and from the surface of the liver; if none is left, all liver within
    `REACH_MM` outside the lesions counts.

    Args:
        lesion: true inside the lesion.
        lesions: true or positive inside any lesion.
        liver: true inside the liver.
        spacing: mm per voxel along X, Y, Z.

    Raises:
        ValueError: the lesion is empty, or a volume does not have three axes.
    """
    whole = as_array(lesion) > 0
    others = (as_array(lesions) > 0) & ~whole
    box = find_bounding_box(whole)
    if box is None:
        raise ValueError("The lesion has no voxel.")
    depth = _measure_depth(whole, box, spacing)
    radius = float(depth.max())
    thickness = float(np.clip(RIM_SHARE * radius, *RIM_MM))
    below = thickness + min(BETWEEN_SHARE * radius, BETWEEN_MM)
    tissue = (as_array(liver) > 0) & ~whole & ~others
    near = tissue & (depth > -REACH_MM) & (depth < -GAP_MM)
    # Only whether it exceeds these limits is needed. The border of the crop is not the surface of the liver
    edge = measure_near_distance(tissue | whole, spacing, max(GAP_MM, EDGE_MM))
    deep = near & (edge > GAP_MM)
    facing = whole & (edge > EDGE_MM)
    facing = facing if (facing & (depth < thickness)).any() else whole
    bounds = np.linspace(0, below, LAYERS + 1)
    bounds[0] = -np.inf
    return LesionZones(
        whole=whole,
        rim=facing & (depth < thickness),
        layers=tuple(facing & _between(depth, pair) for pair in zip(bounds[:-1], bounds[1:], strict=True)),
        middle=whole & _between(depth, (below, below + thickness)),
        inner=whole & (depth >= below),
        core=whole & (depth >= CORE_SHARE * radius),
        capsule=_between(depth, CAPSULE_MM) & ((whole & (edge > EDGE_MM)) | tissue),
        inside=_between(depth, (INSIDE_MM[0], max(INSIDE_MM[1], 0.8 * radius))) & whole,
        outside=_between(depth, OUTSIDE_MM) & tissue & (edge > GAP_MM),
        liver=deep if deep.any() else near,
        radius_mm=radius,
    )


def _measure_depth(
    mask: NDArray[np.bool_], box: tuple[slice, ...], spacing: Sequence[float]
) -> NDArray[np.float64]:
    """Measure the depth of voxel centres below the faces of a mask in mm, negative outside.

    Args:
        mask: (X, Y, Z).
        box: its bounding box; one voxel around it decides the depth of all voxels inside.
        spacing: mm per voxel.
    """
    half = 0.5 * min(spacing)
    depth = half - distance_transform_edt(~mask, sampling=spacing)
    inside = distance_transform_edt(np.pad(mask[box], 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    depth[box] = np.where(mask[box], inside - half, depth[box])
    return depth


def _between(depth: NDArray[np.float64], limits: Sequence[float]) -> NDArray[np.bool_]:
    return (depth >= limits[0]) & (depth < limits[1])
