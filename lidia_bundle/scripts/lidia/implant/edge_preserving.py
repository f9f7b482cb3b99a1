"""Smooths images with the guided filter, which removes noise and keeps edges and partial volume.

Both are the guided filter (He, Sun, Tang: Guided image filtering, TPAMI 2013) with Gaussian windows: within a
window the output is a linear function of the image, so that a voxel half vessel, half fat gets half of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter1d

from scripts.lidia.phantom.shapes import Field

NOISE_WINDOW = 1.7
"""Window of the denoising in mm (sigma), at least one voxel in the plane."""
SHARE_WINDOW = 2.5
"""Window in mm (sigma) in which a tissue's share is a linear function of HU."""
CONTRAST = 12.0
"""HU below which an edge between tissues is not followed."""


def smooth(volume: NDArray, spacing: Sequence[float], sigma: float, least: float = 0.0) -> Field:
    """Smooths (X, Y, Z) by a Gaussian of `sigma` mm, within slices by at least `least` voxels."""
    out = np.asarray(volume, np.float32)
    for axis, step in enumerate(spacing):
        voxels = max(sigma / step, least if axis < 2 else 0.0)
        if 0.05 < voxels < 0.6:
            # a sampled Gaussian this narrow would blur too little: three taps of the right variance
            side = voxels * voxels / 2
            out = convolve1d(out, np.array((side, 1 - 2 * side, side)), axis=axis, mode="nearest")
        elif voxels > 0.05:
            out = gaussian_filter1d(out, voxels, axis=axis, truncate=2.5, mode="nearest")
    return out


def denoise(hu: Field, spacing: Sequence[float], noise: float) -> tuple[Field, Field]:
    """Returns the image without most of its noise, and the share (0-1) of the noise that remains per voxel.

    Args:
        hu: (X, Y, Z) HU.
        spacing: in mm.
        noise: SD of the noise in HU.
    """
    shifted = hu - np.float32(100)
    mean = smooth(shifted, spacing, NOISE_WINDOW, 1.0)
    variance = np.maximum(smooth(shifted * shifted, spacing, NOISE_WINDOW, 1.0) - mean * mean, 1e-3)
    # the window's mean holds part of the noise, so that its variance lies below the noise's own
    gain = np.clip(1 - np.float32(1.2 * noise**2) / variance, 0, 1)
    slope = smooth(gain, spacing, NOISE_WINDOW, 1.0)
    clean = slope * shifted + smooth((1 - gain) * mean, spacing, NOISE_WINDOW, 1.0)
    return clean + np.float32(100), slope


class TissueShares:
    """Converts binary tissue masks to shares (0-1) of tissue in each voxel, estimated from its HU.

    Args:
        clean: (X, Y, Z) denoised HU.
        spacing: in mm.
        noise: SD of the noise in HU.
    """

    def __init__(self, clean: Field, spacing: Sequence[float], noise: float) -> None:
        self._spacing = spacing
        image = np.clip(clean, -300, 600) - np.float32(100)
        # mixed voxels lie on HU slopes; their shares are estimated from the pure voxels around them
        self._weight = np.maximum(1 / (1 + self._slopes(image, noise)), np.float32(0.02))
        self._image = image
        self._total = self._smooth(self._weight)
        self._mean = self._smooth(self._weight * image) / self._total
        spread = self._smooth(self._weight * image * image) / self._total - self._mean**2
        self._spread = np.maximum(spread, 0) + np.float32(CONTRAST**2)

    def _smooth(self, volume: NDArray) -> Field:
        return smooth(volume, self._spacing, SHARE_WINDOW, 1.2)

    def _slopes(self, image: Field, noise: float) -> Field:
        steps = np.gradient(image, axis=(0, 1))
        return (steps[0] ** 2 + steps[1] ** 2) / np.float32((0.7 * noise + 4) ** 2)

    def __call__(self, mask: NDArray[np.bool_]) -> NDArray[np.float16]:
        """Returns the share of the tissue `mask` (X, Y, Z) in each voxel."""
        weighted = self._weight * mask
        mean = self._smooth(weighted) / self._total
        together = self._smooth(weighted * self._image) / self._total - self._mean * mean
        slope = together / self._spread
        share = self._smooth(slope) * self._image + self._smooth(mean - slope * self._mean)
        return np.clip(share, 0, 1).astype(np.float16)
