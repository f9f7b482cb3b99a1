"""A body of fat with a spine and a tube before it, for the tests of the aorta search."""

from __future__ import annotations

import numpy as np

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])
AFFINE[:3, 3] = (-180.0, -130.0, 0.0)
TUBE_RAS = (-12.0, -20.0)
"""A little left of the middle, 50 mm before the middle of the spine."""


def body(tube_hu: float, slices: int = 24) -> np.ndarray:
    """(180, 130, slices) HU: an oval of fat with a spine and, before it, a tube of 10 mm radius."""
    x, y = (AFFINE[n, 3] + AFFINE[n, n] * np.arange(size) for n, size in ((0, 180), (1, 130)))
    x, y = x[:, None], y[None]
    plane = np.full((180, 130), -1000.0)
    plane[(x / 160) ** 2 + (y / 115) ** 2 < 1] = -60
    spine = (x + 2) ** 2 + (y + 55) ** 2 < 20**2
    plane[spine] = 350
    plane[(x + 2) ** 2 + (y + 55) ** 2 < 15**2] = 180
    plane[(x - TUBE_RAS[0]) ** 2 + (y - TUBE_RAS[1]) ** 2 < 10**2] = tube_hu
    noise = np.random.default_rng(0).normal(0, 8, (180, 130, slices))
    return (plane[..., None] + noise).astype(np.float32)
