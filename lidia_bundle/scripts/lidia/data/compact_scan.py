"""Keep a scan in memory after it was read, in half of the bytes where all HU are whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.geometry.volume import Volume

CHUNK = 1 << 15
"""Voxels that are converted at a time; they stay in the cache of the processor."""


def compact_scan(voxels: NDArray[np.float32], affine: NDArray[np.float64]) -> Volume:
    """Convert HU to int16 if that changes no voxel, as for nearly all CT; other scans stay float32.

    Args:
        voxels: (X, Y, Z) HU within -1024..3071, finite.
        affine: (4, 4), RAS mm.
    """
    whole = np.empty_like(voxels, np.int16)
    source, target = voxels.ravel(order="K"), whole.ravel(order="K")
    if not np.shares_memory(target, whole):  # not contiguous in any order
        return Volume(voxels, affine)
    for start in range(0, source.size, CHUNK):
        part = slice(start, start + CHUNK)
        target[part] = source[part]
        if (target[part].astype(np.float32) != source[part]).any():
            return Volume(voxels, affine)
    return Volume(whole, affine)
