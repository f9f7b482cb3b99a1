"""Locate spine, liver and lungs to check the orientation in a volume's header.

Only the outline of the liver needs a network. A sign is unknown (None) if too little of its organ is visible.
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
"""Half width of the strip that is searched for the spine, as a share of the body's width."""
END_SHARE = 0.2
"""Share of the slices at either end that are searched for lungs."""
LUNG_CM2 = 25.0
"""Minimum air in cm2 within the body, on either side of the spine in one slice, that counts as lung."""


class OrientationSigns(NamedTuple):
    """Positions of spine, liver and lungs; None is unknown.

    Attributes:
        spine: median position of the bone in the middle strip, 0 at the back of the body, 1 at the front.
        liver_mm: distance from the spine to the centre of the liver, positive to the right.
        lungs: air area at the upper end minus that at the lower end in cm2; the area of an end is that of its
            slice with the most air, on the side of the spine with less air.
        thickness: volume of deep soft tissue right of the spine over that on its left; deep is more than 20
            mm from the surface, as most of the liver and little else is.
    """

    spine: float | None
    liver_mm: float | None
    lungs: float | None
    thickness: float | None


def measure_orientation_signs(
    hu: NDArray[np.floating], liver: NDArray[np.bool_] | None, spacing: Sequence[float]
) -> OrientationSigns:
    """Measure the positions of spine, liver and lungs.

    Args:
        hu: (X, Y, Z) HU in RAS order (right, anterior, superior); may be clipped to -200..400.
        liver: (X, Y, Z) mask; with None `liver_mm` is unknown.
        spacing: mm per voxel.
    """
    body = _find_body(hu)
    if body is None:
        return OrientationSigns(None, None, None, None)
    voxel_ml = float(np.prod(spacing)) / 1000
    columns = np.flatnonzero(body.any((1, 2)))
    centre, width = (columns[0] + columns[-1]) / 2, columns[-1] - columns[0] + 1
    strip = slice(max(0, round(centre - MIDDLE * width)), round(centre + MIDDLE * width) + 1)
    bone = np.argwhere((hu[strip] > BONE_HU) & body[strip])
    spine, middle = None, float(centre)
    rows = np.flatnonzero(body[strip].any((0, 2)))
    if len(bone) * voxel_ml >= LEAST_BONE_ML and len(rows) > 1:
        spine = float((np.median(bone[:, 1]) - rows[0]) / (rows[-1] - rows[0]))
        middle = float(np.median(bone[:, 0])) + strip.start
    liver_mm = None
    if liver is not None and liver.sum() * voxel_ml >= LEAST_LIVER_ML:
        liver_mm = (
            float((np.argwhere(liver.any((1, 2))).ravel() * _slice_weights(liver)).sum() - middle)
            * spacing[0]
        )
    thickness = _compare_thickness(hu, body, middle, spacing)
    return OrientationSigns(spine, liver_mm, _compare_lungs(hu, body, round(middle), spacing), thickness)


def _slice_weights(liver: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = liver.sum((1, 2))
    counts = counts[counts > 0].astype(float)
    return counts / counts.sum()


def _find_body(hu: NDArray[np.floating]) -> NDArray[np.bool_] | None:
    """Segment the body: the largest component with the air in it; an opening removes the table."""
    tissue = ndimage.binary_opening(hu > FLESH_HU, iterations=2)
    labels, count = ndimage.label(tissue)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = labels == sizes.argmax()
    for number in range(body.shape[2]):
        body[:, :, number] = ndimage.binary_fill_holes(body[:, :, number])
    return body


def _compare_thickness(
    hu: NDArray[np.floating], body: NDArray[np.bool_], middle: float, spacing: Sequence[float]
) -> float | None:
    stride = [max(1, round(DEEP_STEP_MM / size)) for size in spacing]
    subsample = tuple(slice(None, None, size) for size in stride)
    coarse, coarse_mm = ndimage.uniform_filter(hu, stride)[subsample], np.multiply(stride, spacing)
    soft = (coarse > SOFT_HU[0]) & (coarse < SOFT_HU[1]) & body[subsample]
    deep = ndimage.distance_transform_edt(soft, coarse_mm) > DEEP_MM
    x = np.arange(len(deep)) * stride[0]
    ml = deep.sum((1, 2)) * float(np.prod(coarse_mm)) / 1000
    right_ml, left_ml = float(ml[x > middle].sum()), float(ml[x < middle].sum())
    return (right_ml + 1) / (left_ml + 1) if max(right_ml, left_ml) >= LEAST_LIVER_ML else None


def _compare_lungs(
    hu: NDArray[np.floating], body: NDArray[np.bool_], middle: int, spacing: Sequence[float]
) -> float | None:
    air = ndimage.binary_opening((hu <= FLESH_HU) & body, iterations=1)
    cm2 = spacing[0] * spacing[1] / 100
    areas = np.minimum(air[:middle].sum((0, 1)), air[middle:].sum((0, 1))) * cm2
    end = max(1, round(END_SHARE * len(areas)))
    low, high = float(areas[:end].max()), float(areas[-end:].max())
    return high - low if max(low, high) >= LUNG_CM2 else None
