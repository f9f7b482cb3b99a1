"""Read the DICOM series behind the grid of a patient, and place the masks on its grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.source_series import make_stack, read_source, resample_to_stack


class SeriesFindings(NamedTuple):
    """The findings of a patient on the grid of a DICOM series."""

    source: Sequence[Any]
    """Headers of the series, see `read_source`."""
    liver: NDArray[Any]
    """`(X, Y, Z)` mask, in the shape of the series' stack."""
    instances: NDArray[Any]
    """`(X, Y, Z)` lesion numbers, in the same shape."""
    liver_mm3: float
    """Volume of the liver on its own grid."""


def read_series_findings(
    paths: Sequence[Path], masks: Mapping[str, NDArray[Any]], affine: NDArray[np.float64], *, case: str
) -> SeriesFindings:
    """Reads the headers of a series and resamples the masks to its grid.

    Args:
        paths: files of the series, from `find_source_files`.
        masks: `liver` and `instances`, (X, Y, Z) each.
        affine: (4, 4) of the masks, RAS mm.
        case: id of the case, for messages.

    Raises:
        CaseError: the series cannot be read, or cannot be referred to (see `read_source`).
    """
    source = read_source(paths, case=case)
    stack = make_stack(source)
    liver, instances = (resample_to_stack(masks[name], affine, stack) for name in ("liver", "instances"))
    volume = float(np.count_nonzero(masks["liver"]) * abs(np.linalg.det(affine[:3, :3])))
    return SeriesFindings(source, liver, instances, volume)
