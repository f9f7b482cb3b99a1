"""Measures the strength and correlation of a scan's noise in the parenchyma, and synthesises such noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn

from scripts.lidia.implant.edge_preserving import smooth
from scripts.lidia.phantom.shapes import Field

REACH = 9.0
"""Distance in mm up to which noise is assumed to be correlated."""
ANATOMY = 7.0
"""Structures smoother than this (mm, sigma) are anatomy, not noise."""
TILE = 64
"""Edge of the periodic noise tile in voxels."""


class Noise(NamedTuple):
    """Noise of a scan.

    Attributes:
        level: SD in HU.
        correlation: by lag in voxels, (2 I + 1, 2 J + 1, 2 K + 1), 1 in the middle.
    """

    level: float
    correlation: Field


def measure_noise(hu: Field, where: NDArray[np.bool_], spacing: Sequence[float]) -> Noise:
    """Measures strength and correlation of the noise of `hu` (X, Y, Z) after removal of the anatomy.

    Args:
        hu: HU.
        where: mask of homogeneous tissue: parenchyma without vessels, lesions and surface.
        spacing: voxel size in mm.
    """
    weight = smooth(where, spacing, ANATOMY)
    mean = smooth(np.where(where, hu, 0), spacing, ANATOMY) / np.maximum(weight, 1e-3)
    rest = np.where(where, hu - mean, 0).astype(np.float32)
    limit = 4 * float(np.sqrt(np.mean(rest[where] ** 2)))
    rest = np.clip(rest, -limit, limit)
    reach = [min(max(int(REACH / step), 1), 12, n // 4) for step, n in zip(spacing, hu.shape, strict=True)]
    shape = [next_fast_len(n + r, real=True) for n, r in zip(hu.shape, reach, strict=True)]
    products = irfftn(np.abs(rfftn(rest, shape)) ** 2, shape)
    pairs = irfftn(np.abs(rfftn(where.astype(np.float32), shape)) ** 2, shape)
    lags = np.ix_(*[np.arange(-r, r + 1) for r in reach])
    covariance = products[lags] / np.maximum(pairs[lags], 1)
    level = float(np.sqrt(max(covariance[tuple(reach)], 0.01)))
    taper = np.ones_like(covariance)
    for axis, r in enumerate(reach):
        window = np.cos(np.pi / 2 * np.arange(-r, r + 1) / (r + 1)) ** 2
        taper *= np.expand_dims(window, [a for a in range(3) if a != axis])
    return Noise(level, (covariance / level**2 * taper).astype(np.float32))


def make_noise_tile(noise: Noise, seed: int = 0, size: int = TILE) -> Field:
    """Synthesises a periodic tile (size, size, size) of noise with the given correlation and unit SD.

    Args:
        noise: measured noise; lags beyond half the tile are left out.
        seed: seed of the tile.
        size: voxels along each edge.
    """
    shape = (size, size, size)
    kernel = np.zeros(shape, np.float32)
    reach = [min(n // 2, size // 2 - 1) for n in noise.correlation.shape]
    middle = [n // 2 for n in noise.correlation.shape]
    inner = tuple(slice(m - r, m + r + 1) for m, r in zip(middle, reach, strict=True))
    kernel[np.ix_(*[np.arange(-r, r + 1) for r in reach])] = noise.correlation[inner]
    spectrum = np.sqrt(np.maximum(rfftn(kernel).real, 0))
    white = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    field = irfftn(rfftn(white) * spectrum, shape)
    field -= field.mean()
    return (field / np.float32(field.std())).astype(np.float32)


def sample_noise_tile(tile: Field, start: Sequence[int], shape: Sequence[int]) -> Field:
    """Samples a periodic tile over the voxels from `start` on: (shape)."""
    places = zip(start, shape, tile.shape, strict=True)
    return tile[np.ix_(*[np.arange(first, first + count) % size for first, count, size in places])]
