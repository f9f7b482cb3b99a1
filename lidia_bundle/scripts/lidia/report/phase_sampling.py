"""The part of a phase that a page shows, read once, and laid onto any grid of it.

Arrays are (X, Y, Z), places RAS mm, values HU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from scripts.lidia.components import axial_axis, crop_affine
from scripts.lidia.data.read_volume import HU, read_phase
from scripts.lidia.geometry.separable_resample import resample_linear

AIR = HU[0]


class Grid(NamedTuple):
    """Where values are wanted.

    Attributes:
        affine: (4, 4) from indices to RAS mm.
        shape: X, Y, Z.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, int, int]

    def corners(self) -> NDArray[np.float64]:
        """Its eight corners, (3, 8) RAS mm."""
        ends = np.meshgrid(*[(0.0, size - 1.0) for size in self.shape], indexing="ij")
        index = np.stack([*ends, np.ones_like(ends[0])]).reshape(4, -1)
        return (self.affine @ index)[:3]


class Part(NamedTuple):
    """A box of a phase.

    Attributes:
        values: (x, y, z) as the file has them, HU.
        affine: (4, 4) of the box, RAS mm.
    """

    values: NDArray
    affine: NDArray[np.float64]


def read_part(path: str | Path, case: str, places: NDArray[np.float64], whole_slices: bool = False) -> Part:
    """Read the box of a phase that holds some places.

    A NIfTI file is unzipped as far as the box reaches, and only the box is kept. Whether the file is whole
    and holds HU was checked when it was read for the network.

    Args:
        path: NIfTI file or DICOM folder.
        case: the patient's id, for messages.
        places: (3, N) RAS mm.
        whole_slices: the box is as wide as the body, and holds the places from the feet up alone.

    Returns:
        The box with a voxel around; empty where the phase does not reach any place.
    """
    if Path(path).is_dir():
        volume, affine, _ = read_phase(path, case, check_hu=False)
        box = _box(places, affine, volume.shape, whole_slices)
        return Part(volume[box], crop_affine(affine, box))
    image = nib.load(path)
    box = _box(places, image.affine, image.shape, whole_slices)
    rest = (0,) * (len(image.shape) - 3)
    # Whole planes are read faster than rows of them
    planes = np.asarray(image.dataobj[(slice(None), slice(None), box[2], *rest)])
    return Part(planes[box[:2]], crop_affine(image.affine, box))


def _box(
    places: NDArray[np.float64], affine: NDArray, shape: Sequence[int], whole_slices: bool
) -> tuple[slice, ...]:
    back = np.linalg.inv(np.asarray(affine, dtype=np.float64))
    index = back[:3, :3] @ places + back[:3, 3:]
    low = np.floor(index.min(axis=1)).astype(int) - 1
    high = np.ceil(index.max(axis=1)).astype(int) + 2
    if whole_slices:
        across = np.arange(3) != axial_axis(affine)
        low, high = np.where(across, 0, low), np.where(across, shape[:3], high)
    return tuple(
        slice(min(max(a, 0), size), min(max(b, 0), size))
        for a, b, size in zip(low, high, shape, strict=False)
    )


def at(part: Part, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values at places, linearly between voxel centres.

    Args:
        part: of a phase.
        places: (3, N) RAS mm.

    Returns:
        (N,) HU within -1024..3071, NaN beyond the part.
    """
    if not part.values.size or not places.size:
        return np.full(places.shape[1], np.nan)
    back = np.linalg.inv(part.affine)
    index = np.round(back[:3, :3] @ places + back[:3, 3:], 6)
    there = map_coordinates(
        _finite(part.values), index, order=1, mode="constant", cval=np.nan, output=np.float64
    )
    return np.clip(there, *HU)


def onto(part: Part, grid: Grid) -> NDArray[np.float32]:
    """Values on a grid, linearly between voxel centres, as the network's own grid is sampled.

    Args:
        part: of a phase.
        grid: where they are wanted.

    Returns:
        (X, Y, Z) HU within -1024..3071, air beyond the part.
    """
    box = _box(grid.corners(), part.affine, part.values.shape, whole_slices=False)
    values = _finite(part.values[box])
    if not values.size:
        return np.full(grid.shape, AIR, np.float32)
    volume = MetaTensor(torch.tensor(values)[None], affine=torch.from_numpy(crop_affine(part.affine, box)))
    seen = resample_linear(volume, torch.from_numpy(grid.affine), grid.shape, antialias=False, outside=AIR)
    return np.clip(seen[0].numpy(), *HU)


def _finite(values: NDArray) -> NDArray[np.float32]:
    """As float32; what is not finite is taken for air, as when the network reads it."""
    found = np.asarray(values, dtype=np.float32)
    return found if np.isfinite(found).all() else np.nan_to_num(found, nan=AIR, posinf=AIR, neginf=AIR)
