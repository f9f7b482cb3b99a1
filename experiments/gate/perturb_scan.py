"""Turn a CT scan into inputs that must not be trusted: wrong orientation, wrong HU, no liver."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Scan = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""HU and liver mask, `(X, Y, Z)` each, in RAS order."""

MIN_SLICES = 8
"""A crop with fewer slices is no scan."""
_HU = (-1000.0, -200.0, -100.0, 0.0, 60.0, 150.0, 300.0, 1000.0)
_MR = (0.0, 50.0, 800.0, 300.0, 450.0, 500.0, 300.0, 50.0)
"""Intensities of a T1-like MR by HU: fat is bright, air and bone are dark."""


def keep(scan: Scan) -> NDArray[np.float32]:
    """Return the scan unchanged."""
    return scan[0]


def turn_upside_down(scan: Scan) -> NDArray[np.float32]:
    """Reverse the order of the slices."""
    return scan[0][:, :, ::-1]


def mirror(scan: Scan) -> NDArray[np.float32]:
    """Exchange left and right."""
    return scan[0][::-1]


def omit_intercept(scan: Scan) -> NDArray[np.float32]:
    """Add 1024 HU: stored values whose rescale intercept is lost."""
    return scan[0] + np.float32(1024)


def shift_up(scan: Scan) -> NDArray[np.float32]:
    """Add 150 HU."""
    return scan[0] + np.float32(150)


def shift_down(scan: Scan) -> NDArray[np.float32]:
    """Subtract 100 HU."""
    return scan[0] - np.float32(100)


def halve(scan: Scan) -> NDArray[np.float32]:
    """Multiply HU by 0.5."""
    return scan[0] * np.float32(0.5)


def double(scan: Scan) -> NDArray[np.float32]:
    """Multiply HU by 2."""
    return scan[0] * np.float32(2)


def imitate_mr(scan: Scan) -> NDArray[np.float32]:
    """Map HU to the intensities of a T1-weighted MR."""
    return np.interp(scan[0], _HU, _MR).astype(np.float32)


def crop_chest(scan: Scan) -> NDArray[np.float32]:
    """Keep the slices above the liver."""
    return scan[0][:, :, _liver_slices(scan)[1] + 1 :]


def crop_pelvis(scan: Scan) -> NDArray[np.float32]:
    """Keep the slices below the liver."""
    return scan[0][:, :, : _liver_slices(scan)[0]]


def _liver_slices(scan: Scan) -> tuple[int, int]:
    levels = np.flatnonzero(scan[1].any(axis=(0, 1)))
    return int(levels[0]), int(levels[-1])


PERTURBATIONS: Mapping[str, Callable[[Scan], NDArray[np.float32]]] = {
    "original": keep,
    "upside_down": turn_upside_down,
    "mirrored": mirror,
    "no_intercept": omit_intercept,
    "plus_150": shift_up,
    "minus_100": shift_down,
    "half": halve,
    "double": double,
    "mr_like": imitate_mr,
    "chest": crop_chest,
    "pelvis": crop_pelvis,
}
"""Each kind of input; `original` is the unchanged scan."""
