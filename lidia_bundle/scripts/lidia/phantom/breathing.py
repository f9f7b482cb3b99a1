"""Draws the displacement of the organs between the breath-hold of a phase and that of the venous phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.shapes import Field, Frame

LIMITS = {"residual": 3.0, "raw": 20.0}
"""Largest displacement in mm: residual after registration, and between separate breath-holds."""


class Breathing:
    """Smooth displacement field, drawn once per phase.

    Args:
        mode: `residual` or `raw`.
        rng: random generator.
        front: half axis of the abdominal cavity in mm; the spine behind it does not move.

    Raises:
        ValueError: if the mode is unknown.
    """

    def __init__(self, mode: str, rng: np.random.Generator, front: float) -> None:
        if mode not in LIMITS:
            raise ValueError(f"breathing is {mode!r}; choose one of {', '.join(LIMITS)}")
        self._limit, self._front = LIMITS[mode], front
        if mode == "raw":
            shift = np.array((rng.normal(0, 1), rng.normal(0, 2), rng.normal(0, 6)))
            bend = rng.uniform(1, 3, 3)
        else:
            size = rng.uniform(0, 2.2)
            way = rng.standard_normal(3)
            shift = size * way / np.linalg.norm(way)
            bend = rng.uniform(0.2, 0.5, 3) * size
        self._shift: NDArray = shift
        self._bend: NDArray = bend
        self._waves = 2 * np.pi / rng.uniform(120, 220, (3, 3))
        self._starts = rng.uniform(0, 2 * np.pi, (3, 3))

    def __call__(self, frame: Frame) -> tuple[Field, Field, Field]:
        """Computes the displacement in mm along x, y and z at the voxels of a frame, each (X, Y, Z)."""
        x, y, z = frame.open()
        back = np.exp(-((x / 45) ** 2) - ((y + self._front) / 45) ** 2).astype(np.float32)
        fields = []
        for axis in range(3):
            wave = np.float32(self._bend[axis])
            for coordinate, k, start in zip((x, y, z), self._waves[axis], self._starts[axis], strict=True):
                wave = wave * np.sin(coordinate * np.float32(k) + np.float32(start))
            fields.append((np.float32(self._shift[axis]) + wave) * (1 - back))
        square = fields[0] ** 2 + fields[1] ** 2 + fields[2] ** 2
        longest = float(np.sqrt(square.max()))
        if longest > self._limit:
            fields = [field * np.float32(self._limit / longest) for field in fields]
        return fields[0], fields[1], fields[2]
