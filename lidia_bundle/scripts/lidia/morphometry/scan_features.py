"""Measure features of a scan and of its liver that tell whether they resemble the training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, uniform_filter, uniform_filter1d

FAT_HU = (-190.0, -15.0)
"""Range in which the peak of fat is searched; the usual peak is -110 to -90 HU."""
BIN_HU = 5.0
MIN_VOXELS = 100
SMOOTHING_MM = 5.0
_NORMAL_MAD = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""


def measure_scan_features(
    hu: NDArray[np.float32],
    liver: NDArray[np.bool_],
    liver_probability: NDArray[np.float32],
    spacing: Sequence[float],
) -> dict[str, float]:
    """Measure one phase; a feature that cannot be measured is missing.

    Args:
        hu: `(X, Y, Z)` in RAS order, clipped to the network's window.
        liver: `(X, Y, Z)` liver and lesions as predicted.
        liver_probability: `(X, Y, Z)` probability of liver or lesion.
        spacing: mm per voxel.

    Returns:
        `scan_height_mm`; `fat_hu`, the peak of the HU between -190 and -15, and `fat_share`, the share of
        voxels within 30 HU of it among all voxels above the lower end of the window; `liver_ml`,
        `liver_height_mm`, `liver_sureness` (mean probability in it), `liver_hu` (median), `liver_sd_hu`
        (robust SD of the HU, averaged over 5 mm, in the liver without its surface).
    """
    features = {"scan_height_mm": float(hu.shape[2] * spacing[2]), **_measure_fat(hu)}
    features["liver_ml"] = float(liver.sum() * np.prod(spacing) / 1000)
    if np.count_nonzero(liver) < MIN_VOXELS:
        return features
    levels = np.flatnonzero(liver.any(axis=(0, 1)))
    features["liver_height_mm"] = float((levels[-1] - levels[0] + 1) * spacing[2])
    features["liver_sureness"] = float(liver_probability[liver].mean())
    # The mean over 5 mm makes the scatter comparable between grids.
    smooth = uniform_filter(hu, [max(round(SMOOTHING_MM / step), 1) for step in spacing])
    core = binary_erosion(liver, iterations=2)
    values = smooth[core if np.count_nonzero(core) >= MIN_VOXELS else liver]
    median = float(np.median(values))
    features |= {"liver_hu": median, "liver_sd_hu": float(_NORMAL_MAD * np.median(np.abs(values - median)))}
    return features


def _measure_fat(hu: NDArray[np.float32]) -> dict[str, float]:
    body = hu[hu > hu.min() + 1]
    edges = np.arange(FAT_HU[0], FAT_HU[1] + BIN_HU, BIN_HU)
    counts, _ = np.histogram(body, edges)
    if counts.sum() < MIN_VOXELS:
        return {"fat_share": 0.0}
    smooth = counts.astype(np.float64)
    for _ in range(2):  # a triangle, so that a narrow peak stays in its place
        smooth = uniform_filter1d(smooth, 3, mode="constant")
    peak = float(edges[int(smooth.argmax())] + BIN_HU / 2)
    return {"fat_hu": peak, "fat_share": float((np.abs(body - peak) <= 30).mean())}
