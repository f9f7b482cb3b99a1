"""Reads segments of a DICOM SEG as integers with a RAS affine (mm)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_text, require_numbers


def read_segment_names(path: Path, case: str) -> dict[int, str]:
    """Reads the SegmentLabel of each segment (DICOM PS3.3 C.8.20).

    Args:
        path: a DICOM SEG.
        case: id of the case, for error messages.

    Raises:
        CaseError: if the file cannot be read, or is not a DICOM SEG.
    """
    from pydicom import dcmread

    try:
        segments = dcmread(path, stop_before_pixels=True).SegmentSequence
        numbers = [int(require_numbers(segment, "SegmentNumber")[0]) for segment in segments]
        names = [read_text(segment, "SegmentLabel") for segment in segments]
        return dict(zip(numbers, names, strict=True))
    except Exception as error:  # pydicom raises many types; all of them mean that this is not a SEG
        problem = f"not a readable DICOM SEG ({type(error).__name__}: {error})"
        raise CaseError(case, str(path), problem, "download it again", "damaged") from error


def read_segments(
    path: Path, case: str, numbers: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reads the union of some segments.

    Args:
        path: a DICOM SEG.
        case: id of the case, for error messages.
        numbers: numbers of the segments.

    Returns:
        0 and 1 (X, Y, Z), and the RAS affine (mm). Slices without any segment may be missing at both
        ends.

    Raises:
        CaseError: if the file cannot be read, or its frames are not a regular stack.
    """
    import highdicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # highdicom warns about faults of the file that it corrects
            seg = highdicom.seg.segread(path)
            options = {"combine_segments": False, "dtype": np.uint8, "atol": 0.1}
            volume = seg.get_volume(segment_numbers=list(numbers), **options)
    except Exception as error:  # readers, decoders and geometry checks raise many types
        problem = f"the segments cannot be read as a volume ({type(error).__name__}: {error})"
        raise CaseError(case, str(path), problem, "download it again, or convert it", "no_volume") from error
    # highdicom: slice, row, column, segment in LPS; here: column, row, slice in RAS
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(volume.affine, dtype=float)[:, [2, 1, 0, 3]]
    return np.transpose(volume.array.max(axis=-1), (2, 1, 0)).astype(np.int64), affine
