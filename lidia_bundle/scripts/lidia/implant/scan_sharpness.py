"""Measures the in-plane resolution of a scan at the skin surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.special import ndtri

from scripts.lidia.phantom.shapes import Field

USUAL = 0.9
"""Blur in mm (sigma) of a body kernel, used if there is no air to measure against."""
SHARPEST = 0.5
"""Least blur in mm."""
EDGE = 600.0
"""Height in HU from which a step counts as tissue against air."""


def measure_blur(hu: Field, spacing: Sequence[float]) -> float:
    """Measures the blur in mm (sigma) of the steepest steps between tissue and air.

    A step of height H blurred by sigma climbs at most H erf(pixel / (2 sqrt(2) sigma)) from pixel to pixel.

    Args:
        hu: (X, Y, Z) HU.
        spacing: voxel size in mm.
    """
    blurs = []
    for axis in (0, 1):
        reach = max(int(round(5 / spacing[axis])), 2)
        low = minimum_filter1d(hu, 2 * reach + 1, axis=axis)
        high = maximum_filter1d(np.minimum(hu, 150), 2 * reach + 1, axis=axis)
        climb = np.abs(np.diff(np.minimum(hu, 150), axis=axis))
        cut = [slice(None)] * 3
        cut[axis] = slice(0, -1)
        height = (high - low)[tuple(cut)]
        steepest = maximum_filter1d(climb, 2 * reach + 1, axis=axis)
        at = (climb == steepest) & (height > EDGE)
        if at.sum() > 200:
            share = float(np.quantile(climb[at] / height[at], 0.8))
            blurs.append(spacing[axis] / (2 * ndtri((1 + min(share, 0.98)) / 2)))
    return max(float(np.median(blurs)), SHARPEST) if blurs else USUAL
