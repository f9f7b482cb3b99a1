"""Resample a class map from the network's grid to the native grid, in the box that is not background.

A class map of the whole body on a native grid takes gigabytes and seconds, mostly for background. If the
probability of liver and lesions together is below a limit in all eight voxels around a point, it is so for
the interpolated point. Only the box of all other voxels is therefore resampled, with the margin that the
diagnosis needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import compute_union_box, find_bounding_box
from scripts.lidia.geometry.grid import Grid, crop_affine
from scripts.lidia.geometry.resample import resample
from scripts.lidia.postprocess.class_map import LESION_THRESHOLD
from scripts.lidia.vocabulary import BACKGROUND, CLASSES

SURE = 1.0 - 1e-6
"""Minimum background probability of a voxel that is treated as certain background."""


class NativeMaps(NamedTuple):
    """A class map on a box of the native grid."""

    maps: NDArray[np.float32]
    """`(C, x, y, z)`."""
    affine: NDArray[np.float64]
    """`(4, 4)` of the box, RAS mm."""
    box: tuple[slice, ...]
    """Box in the native grid; outside it is background."""
    native: NDArray[np.float64]
    """`(4, 4)` of the native grid, RAS mm."""
    shape: tuple[int, ...]
    """Size of the native grid."""

    def to_full_volume(self, part: ArrayLike) -> NDArray:
        """Places `part` (x, y, z) in the box of a volume of zeros on the native grid."""
        inside = np.asarray(part)
        volume = np.zeros(self.shape, inside.dtype, order="F")  # memory order of NIfTI
        volume[self.box] = inside
        return volume

    def to_meta_tensor(self, volume: NDArray, meta: Mapping[str, Any]) -> MetaTensor:
        """Converts a volume (C, X, Y, Z) of the native grid to a MetaTensor with the image's meta data."""
        return MetaTensor(torch.from_numpy(volume), meta={**meta, "affine": torch.from_numpy(self.native)})

    def full_maps(self) -> NDArray[np.float32]:
        """Builds the class map of the whole native grid, `(C, X, Y, Z)`."""
        maps = np.zeros((len(self.maps), *self.shape), np.float32)
        maps[BACKGROUND] = 1.0
        maps[(slice(None), *self.box)] = self.maps
        return maps

    def drop_maps(self) -> NativeMaps:
        """Drops the maps, which take gigabytes for a large patient; the geometry remains."""
        return self._replace(maps=np.zeros((0, 0, 0, 0), np.float32))


def to_native_grid(
    pred: MetaTensor,
    user_liver: ArrayLike | None = None,
    *,
    reach_mm: float | None = None,
    lesion_threshold: float = LESION_THRESHOLD,
) -> NativeMaps:
    """Resamples a class map linearly to the native grid, as MONAI's Invertd does.

    Args:
        pred: `(C, X, Y, Z)` on the network's grid with the image's metadata; score maps of a patient
            branch may follow the classes.
        user_liver: `(X, Y, Z)` mask on the native grid that the box must contain.
        reach_mm: margin in mm around liver, lesions and mask; None includes all voxels that are not certain
            background.
        lesion_threshold: lesion probability above which a voxel is a lesion, see `classify_voxels`.
    """
    plain, affine = pred.as_tensor().cpu().float(), pred.affine.cpu().numpy().astype(np.float64)
    native = np.asarray(pred.meta.get("original_affine", affine), dtype=np.float64)
    shape = tuple(int(size) for size in pred.meta.get("spatial_shape", plain.shape[1:]))
    if reach_mm is None:
        unsure, reach = plain[BACKGROUND] < SURE, 0.0
    else:  # the negation includes NaN, which must be reported later
        unsure, reach = ~(plain[1 : len(CLASSES)].sum(dim=0) < min(lesion_threshold, 0.5)), reach_mm
    boxes = [_widen_box(find_bounding_box(unsure) or (slice(0, 1),) * 3, affine, plain.shape[1:], reach)]
    mask_box = None if user_liver is None else find_bounding_box(user_liver)
    mask = [] if mask_box is None else [_widen_box(mask_box, native, shape, reach)]
    network_box = compute_union_box(
        boxes + [_transfer_box(part, native, affine, plain.shape[1:]) for part in mask]
    )
    box = compute_union_box([_transfer_box(network_box, affine, native, shape), *mask])
    part = MetaTensor(
        plain[(slice(None), *network_box)], affine=torch.from_numpy(crop_affine(affine, network_box))
    )
    grid = Grid(native, shape).crop(box)
    return NativeMaps(resample(part, grid, outside=None).numpy(), grid.affine, box, native, shape)


def _widen_box(
    box: Sequence[slice], affine: NDArray[np.float64], shape: Sequence[int], reach_mm: float
) -> tuple[slice, ...]:
    """Widens a box by `reach_mm` and one voxel of background for interpolation."""
    more = 1 + np.ceil(reach_mm / np.linalg.norm(affine[:3, :3], axis=0)).astype(int)
    sides = zip(box, more.tolist(), shape, strict=True)
    return tuple(slice(max(side.start - pad, 0), min(side.stop + pad, size)) for side, pad, size in sides)


def _transfer_box(
    box: Sequence[slice], affine: NDArray[np.float64], other: NDArray[np.float64], shape: Sequence[int]
) -> tuple[slice, ...]:
    """Computes the box of another grid that contains a box of this grid."""
    ends = [(side.start - 0.5, side.stop - 0.5) for side in box]
    corners = np.array(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    corners = np.concatenate([corners, np.ones((1, corners.shape[1]))])
    points = np.linalg.solve(other, affine @ corners)[:3]
    low, high = np.floor(points.min(axis=1)), np.ceil(points.max(axis=1)) + 1
    sides = zip(low.astype(int), high.astype(int), shape, strict=True)
    return tuple(slice(min(max(a, 0), size - 1), max(min(b, size), 1)) for a, b, size in sides)
