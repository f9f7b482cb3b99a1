"""Slices that lie a little beside an even grid, as passes of one scan may do, moved onto it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.header_values import require_numbers
from scripts.lidia.dicom.scan_passes import OFF_GRID_MM, OFF_GRID_STEPS

if TYPE_CHECKING:
    from pydicom import Dataset


def straighten(ordered: Sequence[Dataset], places: NDArray[np.float64]) -> float:
    """Moves slices along their normal onto the even grid that fits them best.

    Args:
        ordered: slices along their normal; their ImagePositionPatient is changed.
        places: where they lie along it, mm.

    Returns:
        The most that a slice was moved by, mm; 0 if they lie too far from any even grid, and none was moved.
    """
    step = (places[-1] - places[0]) / (len(places) - 1)
    beside = places - places[0] - step * np.arange(len(places))
    beside -= (beside.max() + beside.min()) / 2
    most = float(np.abs(beside).max())
    if most > min(OFF_GRID_MM, OFF_GRID_STEPS * step) / 2:
        return 0.0
    turn = np.asarray(require_numbers(ordered[0], "ImageOrientationPatient"))
    normal = np.cross(turn[:3], turn[3:])
    for slice_, shift in zip(ordered, beside, strict=True):
        corner = np.asarray(require_numbers(slice_, "ImagePositionPatient")) - shift * normal
        slice_.ImagePositionPatient = [float(f"{value:.5f}") for value in corner]
    return most
