"""Moves slices that lie slightly off an even grid onto it; passes of one scan may be offset so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.header_values import require_numbers
from scripts.lidia.dicom.scan_passes import OFF_GRID_MM, OFF_GRID_STEPS

if TYPE_CHECKING:
    from pydicom import Dataset


def align_to_grid(ordered: Sequence[Dataset], places: NDArray[np.float64]) -> float:
    """Moves slices along their normal onto the even grid that fits them best.

    Args:
        ordered: slices, sorted along their normal; their ImagePositionPatient is changed.
        places: positions along the normal, mm.

    Returns:
        The largest shift, mm; 0 if the slices lie too far from any even grid and none was moved.
    """
    step = (places[-1] - places[0]) / (len(places) - 1)
    offsets = places - places[0] - step * np.arange(len(places))
    offsets -= (offsets.max() + offsets.min()) / 2
    largest = float(np.abs(offsets).max())
    if largest > min(OFF_GRID_MM, OFF_GRID_STEPS * step) / 2:
        return 0.0
    orientation = np.asarray(require_numbers(ordered[0], "ImageOrientationPatient"))
    normal = np.cross(orientation[:3], orientation[3:])
    for slice_, shift in zip(ordered, offsets, strict=True):
        corner = np.asarray(require_numbers(slice_, "ImagePositionPatient")) - shift * normal
        slice_.ImagePositionPatient = [float(f"{value:.5f}") for value in corner]
    return largest
