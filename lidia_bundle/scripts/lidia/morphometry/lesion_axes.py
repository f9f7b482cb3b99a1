"""Measure the longest diameter of a lesion in an axial plane, and its short axis in the same plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.lidia.diameter import find_longest_chord


def measure_axes_mm(mask: ArrayLike, spacing: Sequence[float], axial: int = 2) -> tuple[float, float]:
    """Measure the longest axial diameter and the short axis, both in mm.

    The longest diameter equals that of `diameter.measure_diameter_mm`. The short axis is the extent of the
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
    chord = find_longest_chord(mask, spacing, axial)
    if not chord.length_mm:
        return 0.0, 0.0
    return chord.length_mm, float(np.ptp(chord.rim @ np.array([-chord.direction[1], chord.direction[0]])))
