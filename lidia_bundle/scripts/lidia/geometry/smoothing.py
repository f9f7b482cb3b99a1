"""Smooths voxels before they are sampled on a coarser grid, to prevent aliasing of noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d


def blur_axis(array: NDArray[Any], axis: int, step: float, target: float, output: Any = None) -> NDArray[Any]:
    """Smooths along one axis by a Gaussian with sigma (target / step - 1) / 2 voxels, as scikit-image does.

    Args:
        array: voxels, `step` mm apart along the axis.
        axis: the axis to smooth.
        step: mm.
        target: mm of the target grid; if sigma is at most 0.2 voxels, the array itself is returned.
        output: array to write into; it may be `array`.
    """
    sigma = (target / step - 1) / 2
    if sigma <= 0.2:
        return array
    return gaussian_filter1d(array, sigma, axis, output=output, mode="nearest", truncate=3.0)


def blur_axes(array: NDArray[Any], steps: Sequence[float], targets: Sequence[float]) -> NDArray[Any]:
    """Smooths the last three axes with `blur_axis`; the input is not changed.

    Args:
        array: (..., X, Y, Z).
        steps: mm per voxel along X, Y, Z.
        targets: mm per voxel of the target grid along the same axes.
    """
    result = None
    for axis, step, target in zip((-3, -2, -1), steps, targets, strict=True):
        smooth = blur_axis(array, axis, float(step), float(target), result)
        if smooth is not array:
            array = result = smooth  # later axes are smoothed in place: a second copy may need gigabytes
    return array


def smooth_for_spacing(volume: MetaTensor, spacing: Sequence[float]) -> MetaTensor:
    """Smooths a volume for sampling at a coarser spacing.

    Args:
        volume: (1, X, Y, Z) with its affine.
        spacing: mm of the target grid along the same axes; axes that do not become coarser are unchanged.
    """
    array = blur_axes(volume.numpy(), volume.pixdim.tolist(), spacing)
    return MetaTensor(torch.as_tensor(array), meta=volume.meta, applied_operations=volume.applied_operations)
