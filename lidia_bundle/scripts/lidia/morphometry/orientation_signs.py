"""Locate spine, liver and lungs to check the orientation in a volume's header.

None of it needs a network, but for the outline of the liver. Each sign stays unknown where there is too
little of its organ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FLESH_HU, BONE_HU = -150.0, 250.0
LEAST_BONE_ML, LEAST_LIVER_ML = 5.0, 100.0
SOFT_HU, DEEP_MM, DEEP_STEP_MM = (-20.0, 250.0), 20.0, 5.0
MIDDLE = 0.2
"""Half width of the strip that the spine is looked for in, as a share of the body's width."""
END_SHARE = 0.2
"""Share of the slices at either end that lungs are looked for in."""
LUNG_CM2 = 25.0
"""Air within the body on either side of the spine, in one slice, from which on it is lung."""


class OrientationSigns(NamedTuple):
    """What lies where; None is unknown.

    Attributes:
        spine: of the bone in the middle strip the median place, 0 at the back of the body, 1 at the front.
        liver_mm: from the spine to the middle of the liver, positive to the right.
        lungs: air on the side of the spine that has less of it, in the slice with the most: cm2 at the upper
            end minus cm2 at the lower end.
        thickness: of soft tissue that lies deeper than 20 mm, as most of a liver and little else does, the
            volume right of the spine over that on its left.
    """

    spine: float | None
    liver_mm: float | None
    lungs: float | None
    thickness: float | None


def measure_orientation_signs(
    hu: NDArray[np.floating], liver: NDArray[np.bool_] | None, spacing: Sequence[float]
) -> OrientationSigns:
    """Looks where spine, liver and lungs lie.

    Args:
        hu: (X, Y, Z) in RAS order: to the right, the front, the head. HU may be clipped from -200 to 400.
        liver: (X, Y, Z) mask; None leaves `liver_mm` unknown.
        spacing: mm.
    """
    body = _find_body(hu)
    if body is None:
        return OrientationSigns(None, None, None, None)
    voxel_ml = float(np.prod(spacing)) / 1000
    xs = np.flatnonzero(body.any((1, 2)))
    centre, width = (xs[0] + xs[-1]) / 2, xs[-1] - xs[0] + 1
    strip = slice(max(0, round(centre - MIDDLE * width)), round(centre + MIDDLE * width) + 1)
    bone = np.argwhere((hu[strip] > BONE_HU) & body[strip])
    spine, middle = None, float(centre)
    rows = np.flatnonzero(body[strip].any((0, 2)))
    if len(bone) * voxel_ml >= LEAST_BONE_ML and len(rows) > 1:
        spine = float((np.median(bone[:, 1]) - rows[0]) / (rows[-1] - rows[0]))
        middle = float(np.median(bone[:, 0])) + strip.start
    side = None
    if liver is not None and liver.sum() * voxel_ml >= LEAST_LIVER_ML:
        side = (
            float((np.argwhere(liver.any((1, 2))).ravel() * _slice_weights(liver)).sum() - middle)
            * spacing[0]
        )
    thickness = _compare_thickness(hu, body, middle, spacing)
    return OrientationSigns(spine, side, _compare_lungs(hu, body, round(middle), spacing), thickness)


def _slice_weights(liver: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = liver.sum((1, 2))
    counts = counts[counts > 0].astype(float)
    return counts / counts.sum()


def _find_body(hu: NDArray[np.floating]) -> NDArray[np.bool_] | None:
    """The largest thing, with the air within it; the table is cut off by an opening."""
    flesh = ndimage.binary_opening(hu > FLESH_HU, iterations=2)
    parts, count = ndimage.label(flesh)
    if not count:
        return None
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = parts == sizes.argmax()
    for number in range(body.shape[2]):
        body[:, :, number] = ndimage.binary_fill_holes(body[:, :, number])
    return body


def _compare_thickness(
    hu: NDArray[np.floating], body: NDArray[np.bool_], middle: float, spacing: Sequence[float]
) -> float | None:
    step = [max(1, round(DEEP_STEP_MM / size)) for size in spacing]
    every = tuple(slice(None, None, size) for size in step)
    coarse, mm = ndimage.uniform_filter(hu, step)[every], np.multiply(step, spacing)
    soft = (coarse > SOFT_HU[0]) & (coarse < SOFT_HU[1]) & body[every]
    deep = ndimage.distance_transform_edt(soft, mm) > DEEP_MM
    x = np.arange(len(deep)) * step[0]
    ml = deep.sum((1, 2)) * float(np.prod(mm)) / 1000
    right, left = float(ml[x > middle].sum()), float(ml[x < middle].sum())
    return (right + 1) / (left + 1) if max(right, left) >= LEAST_LIVER_ML else None


def _compare_lungs(
    hu: NDArray[np.floating], body: NDArray[np.bool_], middle: int, spacing: Sequence[float]
) -> float | None:
    air = ndimage.binary_opening((hu <= FLESH_HU) & body, iterations=1)
    cm2 = spacing[0] * spacing[1] / 100
    areas = np.minimum(air[:middle].sum((0, 1)), air[middle:].sum((0, 1))) * cm2
    end = max(1, round(END_SHARE * len(areas)))
    low, high = float(areas[:end].max()), float(areas[-end:].max())
    return high - low if max(low, high) >= LUNG_CM2 else None
