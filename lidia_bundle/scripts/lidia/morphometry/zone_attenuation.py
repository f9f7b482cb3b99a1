"""Measure the attenuation of a lesion's zones in one phase, and how certain it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scripts.lidia.components import find_bounding_box
from scripts.lidia.morphometry.lesion_zones import LesionZones, expand_box

SMOOTHING_MM = 1.5
"""Standard deviation of the filter with which parts of a lesion are found."""
TRUNCATE = 2.5
"""Standard deviations at which the filter ends."""
LEAST_COVERAGE = 0.9
"""Share of a lesion that a phase must contain."""
LEAST_LIVER_VOXELS = 30
MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


class PhaseAttenuation(NamedTuple):
    """Attenuation around one lesion in one phase."""

    hu: NDArray[np.float32]
    """`(X, Y, Z)` HU."""
    smooth: NDArray[np.float32]
    """`(X, Y, Z)` HU of the lesion, smoothed within it; 0 outside."""
    liver_hu: float
    """Median of the surrounding liver."""
    noise_hu: float
    """Standard deviation of the surrounding liver, voxel by voxel, robust against vessels."""
    correlated: float
    """Number of voxels that carry the information of one: 1 for white noise."""

    def mean(self, zone: NDArray[np.bool_]) -> float:
        """Compute the mean HU of a zone, NaN if it is empty."""
        values = self.hu[zone]
        return float(values.mean()) if values.size else float("nan")

    def contrast(self, zone: NDArray[np.bool_]) -> float:
        """Compute the mean of a zone minus the liver in HU."""
        return self.mean(zone) - self.liver_hu

    def error(self, *voxels: float) -> float:
        """Compute the standard error in HU of a difference of means of zones with these numbers of voxels."""
        counts = [max(count / self.correlated, 1.0) for count in voxels]
        return self.noise_hu * float(np.sqrt(sum(1 / count for count in counts)))


def measure_phase(
    hu: NDArray[np.floating], zones: LesionZones, spacing: Sequence[float]
) -> PhaseAttenuation | None:
    """Measure the attenuation in one phase.

    The number of independent voxels follows from the correlation of neighbours along each axis, measured in
    the surrounding liver: noise that is smoothed by a Gaussian has a Gaussian autocorrelation, and the sum of
    exp(-c k^2) over all distances k is sqrt(pi / c) voxels, with c = -ln(correlation of neighbours).

    Args:
        hu: (X, Y, Z) HU on the grid of the zones, NaN outside the scan.
        zones: zones of the lesion.
        spacing: mm per voxel along X, Y, Z.

    Returns:
        The attenuation; None if the phase does not contain the lesion or no liver around it.
    """
    values = np.asarray(hu, dtype=np.float32)
    seen = np.isfinite(values)
    liver = zones.liver & seen
    if seen[zones.whole].mean() < LEAST_COVERAGE or liver.sum() < LEAST_LIVER_VOXELS:
        return None
    liver_hu = float(np.median(values[liver]))
    # Voxels of the lesion outside the scan take its mean
    filled = np.where(seen, values, np.float32(values[zones.whole & seen].mean()))
    noise = MAD_TO_SD * float(np.median(np.abs(values[liver] - liver_hu)))
    smooth = _smooth_within(filled, zones.whole, spacing)
    return PhaseAttenuation(filled, smooth, liver_hu, noise, _measure_correlation(values, liver, noise))


def _smooth_within(
    values: NDArray[np.float32], mask: NDArray[np.bool_], spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Smooth values within a mask, without those outside; 0 outside."""
    sigma = [SMOOTHING_MM / step for step in spacing]
    reach_mm = max((TRUNCATE * width + 1) * step for width, step in zip(sigma, spacing, strict=True))
    box = expand_box(find_bounding_box(mask) or (), spacing, mask.shape, reach_mm)
    inside = mask[box]
    weight = gaussian_filter(inside.astype(np.float32), sigma, truncate=TRUNCATE)
    sums = gaussian_filter(np.where(inside, values[box], 0), sigma, truncate=TRUNCATE)
    smooth = np.zeros(mask.shape, np.float32)
    smooth[box] = np.where(inside, sums / np.maximum(weight, 1e-6), 0)
    return smooth


def _measure_correlation(values: NDArray[np.float32], mask: NDArray[np.bool_], noise: float) -> float:
    """Measure how many voxels carry the information of one, from neighbours along each axis."""
    voxels = 1.0
    for axis in range(3):
        pairs, lines = np.moveaxis(mask, axis, 0), np.moveaxis(values, axis, 0)
        pairs = pairs[1:] & pairs[:-1]
        differences = lines[1:][pairs] - lines[:-1][pairs]
        if differences.size < LEAST_LIVER_VOXELS or noise <= 0:
            continue
        spread = MAD_TO_SD * float(np.median(np.abs(differences)))
        correlation = float(np.clip(1 - spread**2 / (2 * noise**2), 1e-6, 0.95))
        voxels *= max(1.0, math.sqrt(math.pi / -math.log(correlation)))
    return voxels
