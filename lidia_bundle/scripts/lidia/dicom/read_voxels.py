"""Reads slices or frames as one volume of HU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import require_numbers
from scripts.lidia.dicom.hu_scale import check_scale, count_values
from scripts.lidia.dicom.pixel_values import (
    AIR,
    SlicePixels,
    convert_to_hu,
    count_remarks,
    decode_stored_values,
)
from scripts.lidia.dicom.read_file import read_file

if TYPE_CHECKING:
    from pydicom import Dataset

DecodedVolume = tuple[NDArray[np.float32], NDArray[np.float64], list[str]]


def read_voxels(slices: Sequence[Dataset]) -> DecodedVolume:
    """Reads the voxels of single slices.

    Args:
        slices: with pixels, sorted along their normal.

    Returns:
        HU (X, Y, Z) not below -1024; the RAS affine (mm); remarks on corrections.

    Raises:
        CaseError: if a slice cannot be decoded, or its values cannot be HU.
    """

    def convert_slices() -> Iterator[SlicePixels]:
        for slice_ in slices:
            stored, words = _decode(slice_)
            converted = convert_to_hu(slice_, stored)
            yield converted._replace(remarks=words + converted.remarks)

    return _stack_slices(slices, convert_slices())


def read_frames(frames: Sequence[Dataset], every: int = 1) -> DecodedVolume:
    """Reads the voxels of one enhanced multi-frame file.

    Args:
        frames: from `split_frames`, in any order.
        every: step along the normal; 1 reads all frames.

    Returns:
        As `read_voxels`.

    Raises:
        CaseError: as `read_voxels`.
    """
    file = Path(frames[0].filename)
    header = read_file(file)
    if header is None:
        raise CaseError("dicom", str(file), "the file is not DICOM", "copy the file again", "damaged")
    stored, words = _decode(header)
    stored = stored.reshape(-1, *stored.shape[-2:])
    if len(stored) != len(frames):
        problem = f"{len(stored)} frames of pixels for {len(frames)} positions"
        raise CaseError("dicom", str(file), problem, "copy the file again", "damaged")
    orientation = np.reshape(require_numbers(frames[0], "ImageOrientationPatient"), (2, 3))
    positions = _read_positions(frames) @ np.cross(*orientation)
    order = np.argsort(positions)[::every]

    def convert_frames() -> Iterator[SlicePixels]:
        for number in order:
            converted = convert_to_hu(header, stored[number], frames[number])
            yield converted._replace(remarks=words + converted.remarks)

    return _stack_slices([frames[number] for number in order], convert_frames())


def _decode(header: Dataset) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    try:
        return decode_stored_values(header)
    except CaseError:
        raise
    except Exception as error:  # decoders raise many kinds
        problem = f"the pixels cannot be decoded ({type(error).__name__}: {error})"
        remedy = "copy the series again"
        raise CaseError("dicom", str(header.filename), problem, remedy, "damaged") from error


def _stack_slices(slices: Sequence[Dataset], pixels: Iterator[SlicePixels]) -> DecodedVolume:
    rows, columns = (int(require_numbers(slices[0], keyword)[0]) for keyword in ("Rows", "Columns"))
    voxels = np.empty((columns, rows, len(slices)), np.float32, order="F")
    counts, remarks = [], []
    for number, slice_ in enumerate(pixels):
        if slice_.hu.shape != (rows, columns):
            problem = f"{slice_.hu.shape} pixels for {rows} rows and {columns} columns"
            file = str(slices[number].filename)
            raise CaseError("dicom", file, problem, "copy the series again", "damaged")
        counts.append(count_values(slice_.hu))
        remarks.append(slice_.remarks)
        np.maximum(slice_.hu.T, AIR, out=voxels[:, :, number])
    check_scale(counts, list(slices))
    return voxels, _make_affine(slices), count_remarks(remarks)


def _read_positions(slices: Sequence[Dataset]) -> NDArray[np.float64]:
    return np.array([require_numbers(slice_, "ImagePositionPatient") for slice_ in slices])


def _make_affine(slices: Sequence[Dataset]) -> NDArray[np.float64]:
    """Makes the affine (4, 4) from column, row and slice to RAS mm; DICOM's own axes are LPS."""
    row, column = np.reshape(require_numbers(slices[0], "ImageOrientationPatient"), (2, 3))
    between_rows, between_columns = require_numbers(slices[0], "PixelSpacing")
    normal, corners = np.cross(row, column), _read_positions(slices)
    positions = corners @ normal
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * between_columns, column * between_rows
    affine[:3, 2] = normal * (positions[-1] - positions[0]) / max(len(positions) - 1, 1)
    affine[:3, 3] = corners[0]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
