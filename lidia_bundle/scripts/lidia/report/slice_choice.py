"""Choose the axial slice of a picture and sample every phase on it.

Arrays are (X, Y) with x towards the patient's right and y towards the front (RAS); values are HU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.geometry.grid import to_mm
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.report.read_results import find_box_with_margin
from scripts.lidia.vocabulary import PHASES

AIR = -1024.0


class Plane(NamedTuple):
    """One axial slice of a patient, cut to a box.

    Attributes:
        phases: phase -> HU (X, Y), in temporal order; None for an absent phase.
        spacing: in-plane voxel size in mm.
        level: slice number on the results' grid.
        box: ranges of x and y that were kept.
    """

    phases: dict[str, np.ndarray | None]
    spacing: tuple[float, float]
    level: int
    box: tuple[slice, slice]


def choose_slices(instances: np.ndarray, count: int) -> list[int]:
    """Choose the widest slice of each of the largest objects: at most `count`, no neighbours.

    Args:
        instances: instance numbers (X, Y, Z), 0 is background.
        count: largest number of slices.

    Returns:
        Slice numbers in the order of the objects' volumes; the middle slice if there is no object.
    """
    numbers, volumes = np.unique(instances[instances > 0], return_counts=True)
    chosen: list[int] = []
    for number in numbers[np.argsort(-volumes)]:
        widest = int(np.argmax((instances == number).sum(axis=(0, 1))))
        if all(abs(widest - other) > 1 for other in chosen):
            chosen.append(widest)
    return chosen[:count] or [instances.shape[2] // 2]


def find_box(mask: np.ndarray, spacing: Sequence[float], margin: float = 25.0) -> tuple[slice, slice]:
    """Find the box of a mask (X, Y, Z) in x and y with a margin in mm; the whole plane for an empty mask."""
    x, y, _ = find_box_with_margin([mask], spacing, margin)
    return x, y


def sample_plane(
    phases: Mapping[str, str | Volume],
    affine: np.ndarray,
    level: int,
    box: tuple[slice, slice],
    case: str = "",
) -> Plane:
    """Sample every phase on one slice.

    Args:
        phases: phase -> NIfTI file, DICOM folder, or the volume; absent phases are left out.
        affine: the grid of the results, voxel indices -> RAS mm.
        level: slice number on that grid.
        box: part of x and y to keep.
        case: the patient's id, for messages.

    Returns:
        The plane, phases interpolated linearly at its voxel centres, air outside their scans.
    """
    x, y = np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij")
    points = to_mm(affine, np.stack([x, y, np.full_like(x, level)]).reshape(3, -1))
    planes: dict[str, np.ndarray | None] = dict.fromkeys(PHASES)
    for name, source in phases.items():
        volume = (
            source if isinstance(source, Volume) else Volume(*read_phase(source, case, check_hu=False)[:2])
        )
        planes[name] = volume.sample_points(points, outside=AIR, edge=0.0).reshape(x.shape)
    spacing = np.linalg.norm(affine[:3, :2], axis=0)
    return Plane(planes, (float(spacing[0]), float(spacing[1])), level, box)
