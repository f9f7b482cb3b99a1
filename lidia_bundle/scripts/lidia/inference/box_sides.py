"""Decide whether a liver that touches a side of the examined box continues beyond that side.

A box of the coarse pass may cut the liver. Tissue beyond the box that the network classifies as liver is not
always liver: spleen, heart and stomach touch the left lobe, and the abdominal wall leads to the pelvis. A
box is therefore extended across a side only if the liver is wide at that side and the tissue beyond it has
the liver's HU in every phase, or if the liver ends close to that side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.vocabulary import LIVER

CORE_MM = 10.0
"""Minimum depth below the liver's surface at which its HU are read."""
THIN_MM = 5.0
"""Mean thickness of liver beyond a side up to which it ends there; HU cannot be evaluated at the surface."""


class Side(NamedTuple):
    """One of the six sides of a box."""

    axis: int
    end: int
    """0 at the lowest index, 1 at the highest."""


SIDES = tuple(Side(*side) for side in product(range(3), (0, 1)))


def measure_contact_mm2(region: NDArray[np.bool_], side: Side, spacing: Sequence[float]) -> float:
    """Measure the contact area of a region with one side of its volume.

    Args:
        region: `(X, Y, Z)` mask.
        side: side of the volume.
        spacing: mm per voxel along X, Y, Z.
    """
    voxels = np.count_nonzero(np.take(region, -side.end, axis=side.axis))
    return float(voxels * prod(spacing) / spacing[side.axis])


def find_touched_sides(
    region: NDArray[np.bool_],
    box: Sequence[slice],
    shape: Sequence[int],
    spacing: Sequence[float],
    contact_cm2: float,
) -> list[Side]:
    """Find the sides of a box that a region touches, except sides of the volume.

    Args:
        region: `(x, y, z)` mask in the box.
        box: box in the volume, in voxels.
        shape: shape of the volume.
        spacing: mm per voxel.
        contact_cm2: minimum contact area.
    """
    room = [(part.start, size - part.stop) for part, size in zip(box, shape, strict=True)]
    inner = [side for side in SIDES if room[side.axis][side.end] > 0]
    return [side for side in inner if measure_contact_mm2(region, side, spacing) >= contact_cm2 * 100]


def extend_box(
    box: Sequence[slice], sides: Iterable[Side], extension: Sequence[int], shape: Sequence[int]
) -> list[slice]:
    """Extend a box across some of its sides, within the volume.

    Args:
        box: box in voxels.
        sides: sides that are extended.
        extension: voxels along each axis.
        shape: shape of the volume.
    """
    ends = [[side.start, side.stop] for side in box]
    for axis, end in sides:
        ends[axis][end] += extension[axis] if end else -extension[axis]
    return [slice(max(low, 0), min(high, size)) for (low, high), size in zip(ends, shape, strict=True)]


def cut_beyond_side(side: Side, box: Sequence[slice], wider: Sequence[slice]) -> list[slice]:
    """Cut the part of an extended box that lies beyond one side of the original box."""
    part = list(wider)
    low, high = wider[side.axis].start, wider[side.axis].stop
    start, stop = box[side.axis].start, box[side.axis].stop
    part[side.axis] = slice(stop, high) if side.end else slice(low, start)
    return part


def measure_contact_diameter_mm(region: NDArray[np.bool_], side: Side, spacing: Sequence[float]) -> float:
    """Measure the diameter of the largest circle in the contact area of a region with a side of its volume.

    Args:
        region: `(X, Y, Z)` mask.
        side: side of the volume.
        spacing: mm per voxel along X, Y, Z.
    """
    plane = np.pad(np.take(region, -side.end, axis=side.axis), 1)
    steps = [step for axis, step in enumerate(spacing) if axis != side.axis]
    # Distances are measured between voxel centres; the edge of the outermost voxel is half a voxel closer.
    radius = float(distance_transform_edt(plane, sampling=steps).max())
    return max(2 * radius - min(steps), 0.0)


def liver_ends_beyond(
    classes: NDArray[np.uint8], beyond: Sequence[slice], spacing: Sequence[float], contact_mm2: float
) -> bool:
    """Check whether the liver ends close beyond a side that it touches.

    Args:
        classes: `(X, Y, Z)` classes of liver and lesions, 0 elsewhere.
        beyond: part of the volume beyond the side.
        spacing: mm per voxel.
        contact_mm2: contact area of the liver with the side.
    """
    return bool(np.count_nonzero(classes[tuple(beyond)]) * prod(spacing) < THIN_MM * contact_mm2)


def has_liver_hu(
    image: NDArray[np.float32],
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    beyond: Sequence[slice],
    spacing: Sequence[float],
    liver_hu_ratio: float,
) -> bool:
    """Check whether predicted liver beyond a side has the HU of the liver inside the box.

    The reference is the range of two robust standard deviations around the median HU of the liver's core. In
    each phase, the share of voxels beyond the side in that range must be at least `liver_hu_ratio` times the
    share of the core. Lesions are excluded, since their HU differ from the liver's.

    Args:
        image: `(P, X, Y, Z)` phases on one grid, in any linear scale of HU; NaN in absent phases.
        before: `(X, Y, Z)` classes of liver and lesions predicted in the box, 0 elsewhere.
        after: the same, predicted in the extended box.
        beyond: part of the extended box beyond the side, in voxels of the volume.
        spacing: mm per voxel.
        liver_hu_ratio: minimum ratio of the two shares, 0..1.
    """
    added, liver = after[tuple(beyond)] == LIVER, before == LIVER
    if not added.any() or not liver.any():
        return False
    core = liver & (distance_transform_edt(before > 0, sampling=spacing) > CORE_MM)
    core = core if core.any() else liver
    for phase in image:
        core_values = phase[core]
        if np.isnan(core_values[0]):
            continue
        median = np.median(core_values)
        tolerance = 2 * 1.4826 * np.median(np.abs(core_values - median))
        core_share = np.mean(np.abs(core_values - median) <= tolerance)
        if np.mean(np.abs(phase[tuple(beyond)][added] - median) <= tolerance) < liver_hu_ratio * core_share:
            return False
    return True
