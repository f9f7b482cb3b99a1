"""From the network's grid back to the patient's own, for the part of it in which anything was seen.

A class map of the whole body on a native grid takes gigabytes and seconds, most of them for background. Where
all eight voxels round a place say background first, so does what is interpolated between them, hence only the
box of the rest is resampled, with as much round it as a diagnosis looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import bounding_box, union_box
from scripts.lidia.geometry.grid import Grid, crop_affine
from scripts.lidia.geometry.resample import resample
from scripts.lidia.vocabulary import BACKGROUND, CLASSES

SURE = 1.0 - 1e-6
"""Background probability from which on a voxel is taken for background."""


class NativeMaps(NamedTuple):
    """A class map on a box of the native grid."""

    maps: NDArray[np.float32]
    """`(C, x, y, z)`."""
    affine: NDArray[np.float64]
    """`(4, 4)` of the box, RAS mm."""
    box: tuple[slice, ...]
    """Where it lies in the native grid; all around is background."""
    native: NDArray[np.float64]
    """`(4, 4)` of the native grid, RAS mm."""
    shape: tuple[int, ...]
    """Of the native grid."""

    def to_full_volume(self, part: ArrayLike) -> NDArray:
        """A volume of the native grid that holds `part` (x, y, z) in the box and 0 around it."""
        inside = np.asarray(part)
        volume = np.zeros(self.shape, inside.dtype, order="F")  # as NIfTI stores it
        volume[self.box] = inside
        return volume

    def to_meta_tensor(self, volume: NDArray, meta: Mapping[str, Any]) -> MetaTensor:
        """A volume (C, X, Y, Z) of the native grid with its place and what else is known of the image."""
        return MetaTensor(torch.from_numpy(volume), meta={**meta, "affine": torch.from_numpy(self.native)})

    def full_maps(self) -> NDArray[np.float32]:
        """The class map of the whole native grid, `(C, X, Y, Z)`."""
        maps = np.zeros((len(self.maps), *self.shape), np.float32)
        maps[BACKGROUND] = 1.0
        maps[(slice(None), *self.box)] = self.maps
        return maps

    def drop_maps(self) -> NativeMaps:
        """The place alone: of a large patient, maps are gigabytes that no diagnosis reads a second time."""
        return self._replace(maps=np.zeros((0, 0, 0, 0), np.float32))


def to_native_grid(
    pred: MetaTensor, user_liver: ArrayLike | None = None, *, reach_mm: float | None = None
) -> NativeMaps:
    """Brings a class map back to the grid that the patient came on, linearly, as MONAI's Invertd does.

    Args:
        pred: `(C, X, Y, Z)` on the network's grid with the image's meta, see `RequireMeta`; behind the
            classes perhaps painted scores.
        user_liver: `(X, Y, Z)` mask on the native grid that the box has to hold too.
        reach_mm: how far from liver, lesions and mask anybody will look; None is wherever background is not
            sure, which is all that the map says.
    """
    plain, affine = pred.as_tensor().cpu().float(), pred.affine.cpu().numpy().astype(np.float64)
    native = np.asarray(pred.meta.get("original_affine", affine), dtype=np.float64)
    shape = tuple(int(size) for size in pred.meta.get("spatial_shape", plain.shape[1:]))
    if reach_mm is None:
        unsure, reach = plain[BACKGROUND] < SURE, 0.0
    else:  # a NaN is larger than nothing, and has to be seen
        unsure, reach = ~(plain[1 : len(CLASSES)].amax(dim=0) <= plain[BACKGROUND]), reach_mm
    boxes = [_widen_box(bounding_box(unsure) or (slice(0, 1),) * 3, affine, plain.shape[1:], reach)]
    drawn = None if user_liver is None else bounding_box(user_liver)
    mask = [] if drawn is None else [_widen_box(drawn, native, shape, reach)]
    seen = union_box(boxes + [_transfer_box(one, native, affine, plain.shape[1:]) for one in mask])
    box = union_box([_transfer_box(seen, affine, native, shape), *mask])
    part = MetaTensor(plain[(slice(None), *seen)], affine=torch.from_numpy(crop_affine(affine, seen)))
    grid = Grid(native, shape).crop(box)
    return NativeMaps(resample(part, grid, outside=None).numpy(), grid.affine, box, native, shape)


def _widen_box(
    box: Sequence[slice], affine: NDArray[np.float64], shape: Sequence[int], reach_mm: float
) -> tuple[slice, ...]:
    """A box with so much more on each side, and a voxel of background to blend with."""
    more = 1 + np.ceil(reach_mm / np.linalg.norm(affine[:3, :3], axis=0)).astype(int)
    sides = zip(box, more.tolist(), shape, strict=True)
    return tuple(slice(max(side.start - by, 0), min(side.stop + by, size)) for side, by, size in sides)


def _transfer_box(
    box: Sequence[slice], affine: NDArray[np.float64], other: NDArray[np.float64], shape: Sequence[int]
) -> tuple[slice, ...]:
    """The box of another grid that holds a box of this one."""
    ends = [(side.start - 0.5, side.stop - 0.5) for side in box]
    corners = np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    corners = np.concatenate([corners, np.ones((1, corners.shape[1]))])
    places = np.linalg.solve(other, affine @ corners)[:3]
    low, high = np.floor(places.min(axis=1)), np.ceil(places.max(axis=1)) + 1
    sides = zip(low.astype(int), high.astype(int), shape, strict=True)
    return tuple(slice(min(max(a, 0), size - 1), max(min(b, size), 1)) for a, b, size in sides)
