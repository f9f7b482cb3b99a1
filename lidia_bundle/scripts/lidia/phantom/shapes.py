"""Defines the frame (voxel centres in mm) and implicit shapes in it.

A shape is a field in mm, positive inside, that approximates the distance to the surface. The frame is RAS: x
to the patient's right, y to the front, z to the head, origin in the middle of the upper abdomen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Field = NDArray[np.float32]
Box = tuple[slice, slice, slice]
TILE = 48
"""Edge of the periodic noise tiles in voxels."""


class Frame(NamedTuple):
    """Centres of voxels along each axis.

    Attributes:
        x: (X,) mm.
        y: (Y,) mm.
        z: (Z,) mm.
    """

    x: Field
    y: Field
    z: Field

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis (X, Y, Z)."""
        return len(self.x), len(self.y), len(self.z)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm (x, y, z)."""
        return tuple(float(axis[1] - axis[0]) for axis in self)  # type: ignore[return-value]

    def box(self, centre: Sequence[float] | NDArray[Any], reach: Any) -> Box:
        """Returns the box of voxels within `reach` (mm, one value or one per axis) of `centre` (mm)."""
        reach = np.broadcast_to(np.asarray(reach, float), 3)
        cuts = []
        for axis, middle, half in zip(self, centre, reach, strict=True):
            low, high = np.searchsorted(axis, (middle - half, middle + half))
            cuts.append(slice(int(low), int(high)))
        return cuts[0], cuts[1], cuts[2]

    def open(self, box: Box | None = None) -> tuple[Field, Field, Field]:
        """Returns the coordinates (X,1,1), (1,Y,1), (1,1,Z) in mm of a box, for broadcasting."""
        a, b, c = box or (slice(None), slice(None), slice(None))
        return self.x[a, None, None], self.y[None, b, None], self.z[None, None, c]


def frame_of(fov: Any, spacing: Any, offset: Any) -> Frame:
    """Makes a frame of about `fov` mm at `spacing` mm with its centre at `offset` mm."""
    axes = []
    for length, step, middle in zip(fov, spacing, offset, strict=True):
        count = max(2, int(round(length / step)))
        axes.append(((np.arange(count) - (count - 1) / 2) * step + middle).astype(np.float32))
    return Frame(*axes)


def soft(depth: Field, width: float) -> Field:
    """Computes a voxel's share inside a shape with the surface `depth` mm away; voxels are `width` mm."""
    return np.clip(depth * np.float32(1 / width) + np.float32(0.5), 0, 1, dtype=np.float32)


def ellipsoid(grid: tuple[Field, Field, Field], centre: Any, radii: Any, turn: float = 0.0) -> Field:
    """Makes the field of an ellipsoid, rotated by `turn` radians in the axial plane."""
    x, y, z = (g - np.float32(c) for g, c in zip(grid, centre, strict=True))
    if turn:
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        x, y = c * x + s * y, c * y - s * x
    a, b, c = (np.float32(1 / r) for r in radii)
    return (1 - np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2)) * np.float32(min(radii))


def capsule(
    grid: tuple[Field, Field, Field], start: NDArray, end: NDArray, radius: float, radius_end: float
) -> Field:
    """Makes the field of a rod from `start` to `end` (mm) that tapers from one radius to the other."""
    axis = (end - start).astype(np.float32)
    length2 = np.float32(max(float(axis @ axis), 1e-6))
    x, y, z = (g - np.float32(s) for g, s in zip(grid, start, strict=True))
    t = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / length2, 0, 1)
    gap = (x - t * axis[0]) ** 2 + (y - t * axis[1]) ** 2 + (z - t * axis[2]) ** 2
    return np.float32(radius) + np.float32(radius_end - radius) * t - np.sqrt(gap)


def join(a: Field, b: Field, blend: float) -> Field:
    """Makes the union of two fields with a fillet of `blend` mm."""
    mix = np.maximum(np.float32(blend) - np.abs(a - b), 0)
    return np.maximum(a, b) + mix * mix * np.float32(0.25 / blend)


def meet(a: Field, b: Field, blend: float) -> Field:
    """Makes the intersection of two fields with a rounded edge of `blend` mm."""
    return -join(-a, -b, blend)


class Grain:
    """Periodic random fields of unit variance, as texture of a given grain anywhere in the frame.

    Args:
        rng: random generator.
        spacing: voxel size in mm (x, y, z).
        grains: correlation lengths in mm (sigma of the smoothing), named.
    """

    def __init__(self, rng: np.random.Generator, spacing: Sequence[float], grains: dict[str, float]) -> None:
        self._tiles: dict[str, Field] = {}
        for name, grain in grains.items():
            tile = rng.standard_normal((TILE, TILE, TILE), dtype=np.float32)
            sigma = [min(max(grain / step, 0.4), TILE / 8) for step in spacing]
            tile = gaussian_filter(tile, sigma, mode="wrap", truncate=3)
            self._tiles[name] = (tile - tile.mean()) / tile.std()

    def __call__(self, name: str, box: Box, shift: Any = (0, 0, 0)) -> Field:
        """Returns the field over a box of the frame; `shift` (voxels) selects another part of it."""
        index = [(np.arange(cut.start, cut.stop) + s) % TILE for cut, s in zip(box, shift, strict=True)]
        return self._tiles[name][np.ix_(*index)]
