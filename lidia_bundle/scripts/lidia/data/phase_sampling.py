"""Read the part of a phase around some places, and sample it on any grid.

Arrays are (X, Y, Z), points RAS mm, values HU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import find_axial_axis
from scripts.lidia.data.read_volume import HU, read_phase
from scripts.lidia.geometry.grid import Grid, crop_affine, to_index
from scripts.lidia.geometry.volume import Volume

AIR = HU[0]


def list_phase_sources(item: Mapping[str, Any]) -> dict[str, str | Volume]:
    """List where the phases of a patient are: in memory, or else in a file.

    Args:
        item: item of the datalist; `scans` holds the phases in memory, see `LoadPhases`.

    Returns:
        `{phase: path or volume}`.
    """
    scans = item.get("scans") or {}
    return {phase: scans.get(phase, path) for phase, path in (item.get("phases") or {}).items()}


def read_phase_crop(
    source: str | Path | Volume, case: str, places: NDArray[np.float64], whole_slices: bool = False
) -> Volume:
    """Read the box of a phase that holds some places.

    A phase that is in memory is cut. A NIfTI file is decompressed up to the end of the box, and only the box
    is kept. That the file is complete and holds HU was checked when it was read for the network.

    Args:
        source: NIfTI file, DICOM folder, or the whole phase in memory.
        case: the patient's id, for messages.
        places: points (3, N), RAS mm.
        whole_slices: whether to keep whole axial slices and cut the box along the axial axis only.

    Returns:
        The box with a margin of one voxel; empty if the phase contains no point.
    """
    if not isinstance(source, Volume) and Path(source).is_dir():
        source = Volume(*read_phase(source, case, check_hu=False)[:2])
    if isinstance(source, Volume):
        return source.crop(_find_box(places, source.affine, source.shape, whole_slices))
    image = nib.load(source)
    box = _find_box(places, image.affine, image.shape, whole_slices)
    padding = (0,) * (len(image.shape) - 3)
    # Whole planes are faster to read than parts of rows
    planes = np.asarray(image.dataobj[(slice(None), slice(None), box[2], *padding)])
    return Volume(planes[box[:2]], crop_affine(image.affine, box))


def _find_box(
    places: NDArray[np.float64], affine: NDArray, shape: Sequence[int], whole_slices: bool
) -> tuple[slice, ...]:
    index = to_index(affine, places)
    low = np.floor(index.min(axis=1)).astype(int) - 1
    high = np.ceil(index.max(axis=1)).astype(int) + 2
    if whole_slices:
        across = np.arange(3) != find_axial_axis(affine)
        low, high = np.where(across, 0, low), np.where(across, shape[:3], high)
    return tuple(
        slice(min(max(a, 0), size), min(max(b, 0), size))
        for a, b, size in zip(low, high, shape, strict=False)
    )


def sample_hu(part: Volume, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample HU at points, linearly between voxel centres.

    Args:
        part: of a phase.
        points_mm: (3, N) RAS mm.

    Returns:
        (N,) HU within -1024..3071, NaN beyond the outermost voxel centres.
    """
    if not part.voxels.size or not points_mm.size:
        return np.full(points_mm.shape[1], np.nan)
    values = _replace_nonfinite(part).sample_points(points_mm, outside=np.nan, edge=0.0)
    return np.clip(values.astype(np.float64), *HU)


def resample_hu(part: Volume, grid: Grid, outside: float = AIR) -> NDArray[np.float32]:
    """Sample HU on a grid, linearly between voxel centres, as the network's own grid is sampled.

    Args:
        part: of a phase.
        grid: where the HU are sampled.
        outside: value outside the box.

    Returns:
        (X, Y, Z) HU within -1024..3071.
    """
    near = _replace_nonfinite(
        part.crop(_find_box(grid.corners(), part.affine, part.shape, whole_slices=False))
    )
    if not near.voxels.size:
        return np.full(grid.shape, outside, np.float32)
    return np.clip(near.resample(grid, outside=outside), *HU)


def _replace_nonfinite(part: Volume) -> Volume:
    """Convert to float32 and replace values that are not finite by air, as the network's reader does."""
    voxels = np.asarray(part.voxels, dtype=np.float32)
    if not np.isfinite(voxels).all():
        voxels = np.nan_to_num(voxels, nan=AIR, posinf=AIR, neginf=AIR)
    return Volume(voxels, part.affine)
