"""Select the voxels at which the HU of a lesion and of the liver parenchyma are measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion

from scripts.lidia.components import as_array, find_bounding_box

MAX_SAMPLES = 20_000
"""Maximum number of sampled voxels; more do not improve a mean."""
MARGIN_MM = 3.0
"""Minimum distance of parenchyma voxels from the liver's surface and from lesions."""


def sample_mask(mask: ArrayLike) -> NDArray[np.int64]:
    """Sample voxels of a mask.

    Args:
        mask: `(X, Y, Z)`, true inside.

    Returns:
        `(N, 3)` indices, N at most `MAX_SAMPLES`; a larger mask is sampled with a fixed seed.

    Raises:
        ValueError: the volume does not have three axes.
    """
    index = np.argwhere(as_array(mask) > 0)
    if len(index) <= MAX_SAMPLES:
        return index
    # Every n-th voxel would lie in a few planes if n divides the size of the volume
    chosen = np.random.default_rng(0).choice(len(index), MAX_SAMPLES, replace=False, shuffle=False)
    selected: NDArray[np.int64] = index[np.sort(chosen)]
    return selected


def sample_parenchyma(liver: ArrayLike, lesions: ArrayLike, spacing: Sequence[float]) -> NDArray[np.int64]:
    """Sample voxels of the parenchyma, at least `MARGIN_MM` from the liver's surface and from lesions.

    Vessels are included, so the median of the HU should be used.

    Args:
        liver: `(X, Y, Z)`, true inside.
        lesions: `(X, Y, Z)`, true or positive inside a lesion.
        spacing: mm per voxel along X, Y, Z.

    Returns:
        `(N, 3)` indices, N at most `MAX_SAMPLES`; empty if no voxel is that deep.

    Raises:
        ValueError: the volume does not have three axes.
    """
    tissue = (as_array(liver) > 0) & ~(as_array(lesions) > 0)
    box = find_bounding_box(tissue)
    if box is None:
        return np.zeros((0, 3), np.int64)
    # On a fine grid a subset of the voxels is sufficient
    steps = np.array([max(1, int(MARGIN_MM / size)) for size in spacing])
    coarse = tissue[box][tuple(slice(None, None, step) for step in steps)]
    for axis, step in enumerate(steps):
        reach = max(1, int(np.ceil(MARGIN_MM / (spacing[axis] * step) - 1e-6)))
        line = np.ones([2 * reach + 1 if other == axis else 1 for other in range(3)], bool)
        coarse = binary_erosion(coarse, line)
    return sample_mask(coarse) * steps + [side.start for side in box]
