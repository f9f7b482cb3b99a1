"""Measure the longest diameter of a lesion in an axial plane, and its short axis in the same plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.lidia.components import as_array, find_rim


def measure_axes_mm(mask: ArrayLike, spacing: Sequence[float], axial: int = 2) -> tuple[float, float]:
    """Measure the longest axial diameter and the short axis, both in mm.

    The longest diameter equals that of `components.measure_diameter_mm`. The short axis is the extent of the
    lesion perpendicular to it, in the plane where it is longest (RECIST 1.1, section 3.3).

    Args:
        mask: `(X, Y, Z)`, true inside; usually cropped to one lesion.
        spacing: mm per voxel along X, Y, Z.
        axial: axis normal to the axial planes (see `components.find_axial_axis`).

    Returns:
        Longest diameter and short axis; zeros for an empty mask.

    Raises:
        ValueError: the volume does not have three axes.
    """
    planes = np.moveaxis(as_array(mask) > 0, axial, 0)
    steps = np.delete(np.asarray(spacing, dtype=np.float64), axial)
    longest, short = 0.0, 0.0
    rims = [find_rim(plane, steps) for plane in planes if plane.any()]
    for rim in sorted(rims, key=lambda points: -float(np.linalg.norm(np.ptp(points, axis=0)))):
        if np.linalg.norm(np.ptp(rim, axis=0)) <= longest:
            break
        differences = rim[:, None, :] - rim[None, :, :]
        lengths = np.sqrt(np.einsum("ijk,ijk->ij", differences, differences))
        start, end = np.unravel_index(int(lengths.argmax()), lengths.shape)
        if lengths[start, end] > longest:
            longest = float(lengths[start, end])
            way = differences[start, end] / longest
            short = float(np.ptp(rim @ np.array([-way[1], way[0]])))
    return longest, short
