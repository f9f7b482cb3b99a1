"""Where a liver lies against a side of the box that was examined, and whether it goes on beyond that side.

A box that a coarse pass found may cut the liver. Tissue that the network calls liver beyond the box is not
always liver: spleen, heart and stomach touch the left lobe, and the abdominal wall leads to the pelvis. So a
box is extended across a side only where the liver is wide on that side and the tissue beyond has the liver's
HU in every phase, or where no such tissue is found beyond.
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
"""Depth below the liver's surface from which on its HU are read."""
THIN_MM = 5.0
"""Mean thickness of what lies beyond a side up to which the liver ends there: its surface cannot be judged by
HU."""


class Side(NamedTuple):
    """One of the six sides of a box."""

    axis: int
    end: int
    """0 where the index is lowest, 1 where it is highest."""


SIDES = tuple(Side(*side) for side in product(range(3), (0, 1)))


def measure_contact_mm2(region: NDArray[np.bool_], side: Side, spacing: Sequence[float]) -> float:
    """Area by which a region lies on one side of its volume.

    Args:
        region: `(X, Y, Z)` mask.
        side: of the volume.
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
    """Sides of a box on which a region lies, without those that are sides of the volume.

    Args:
        region: `(x, y, z)` mask in the box.
        box: of a volume, in voxels.
        shape: of that volume.
        spacing: mm per voxel.
        contact_cm2: area from which on a contact counts.
    """
    room = [(part.start, size - part.stop) for part, size in zip(box, shape, strict=True)]
    inner = [side for side in SIDES if room[side.axis][side.end] > 0]
    return [side for side in inner if measure_contact_mm2(region, side, spacing) >= contact_cm2 * 100]


def extend_box(
    box: Sequence[slice], sides: Iterable[Side], by: Sequence[int], shape: Sequence[int]
) -> list[slice]:
    """A box that reaches further across some of its sides, within the volume.

    Args:
        box: in voxels.
        sides: to cross.
        by: voxels along each axis.
        shape: of the volume.
    """
    ends = [[side.start, side.stop] for side in box]
    for axis, end in sides:
        ends[axis][end] += by[axis] if end else -by[axis]
    return [slice(max(low, 0), min(high, size)) for (low, high), size in zip(ends, shape, strict=True)]


def cut_beyond_side(side: Side, box: Sequence[slice], wider: Sequence[slice]) -> list[slice]:
    """The part of an extended box that lies beyond one side of the box before."""
    part = list(wider)
    low, high = wider[side.axis].start, wider[side.axis].stop
    start, stop = box[side.axis].start, box[side.axis].stop
    part[side.axis] = slice(stop, high) if side.end else slice(low, start)
    return part


def measure_neck_mm(region: NDArray[np.bool_], side: Side, spacing: Sequence[float]) -> float:
    """Diameter of the largest circle in the area by which a region lies on one side of its volume.

    Args:
        region: `(X, Y, Z)` mask.
        side: of the volume.
        spacing: mm per voxel along X, Y, Z.
    """
    plane = np.pad(np.take(region, -side.end, axis=side.axis), 1)
    steps = [step for axis, step in enumerate(spacing) if axis != side.axis]
    # distances run from centre to centre: the edge of the outermost voxel lies half a voxel nearer
    widest = float(distance_transform_edt(plane, sampling=steps).max())
    return max(2 * widest - min(steps), 0.0)


def liver_ends_beyond(
    classes: NDArray[np.uint8], beyond: Sequence[slice], spacing: Sequence[float], contact_mm2: float
) -> bool:
    """Whether the liver ends close to a side that it lies on.

    Args:
        classes: `(X, Y, Z)` of the liver and its lesions, 0 elsewhere.
        beyond: the part of the volume beyond the side.
        spacing: mm per voxel.
        contact_mm2: area of the liver on the side.
    """
    return bool(np.count_nonzero(classes[tuple(beyond)]) * prod(spacing) < THIN_MM * contact_mm2)


def has_liver_hu(
    image: NDArray[np.float32],
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    beyond: Sequence[slice],
    spacing: Sequence[float],
    alike: float,
) -> bool:
    """Whether what is called liver beyond a side has the HU of the liver before it.

    The HU of the liver's core span two robust standard deviations about their median. Of the voxels beyond,
    as large a share as of the core has to lie in that span, times `alike`, in each phase. Lesions are not
    judged: their HU differ from the liver's.

    Args:
        image: `(P, X, Y, Z)` phases on one grid, in any linear scale of HU; NaN in absent phases.
        before: `(X, Y, Z)` classes of the liver and its lesions as seen in the box, 0 elsewhere.
        after: the same, seen in the extended box.
        beyond: the part of the extended box beyond the side, in voxels of the volume.
        spacing: mm per voxel.
        alike: 0..1.
    """
    added, liver = after[tuple(beyond)] == LIVER, before == LIVER
    if not added.any() or not liver.any():
        return False
    core = liver & (distance_transform_edt(before > 0, sampling=spacing) > CORE_MM)
    core = core if core.any() else liver
    for phase in image:
        inside = phase[core]
        if np.isnan(inside[0]):
            continue
        middle = np.median(inside)
        span = 2 * 1.4826 * np.median(np.abs(inside - middle))
        usual = np.mean(np.abs(inside - middle) <= span)
        if np.mean(np.abs(phase[tuple(beyond)][added] - middle) <= span) < alike * usual:
            return False
    return True
