"""Reads one folder of DICOM files as one CT volume; geometry is never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, format_reason
from scripts.lidia.dicom.header_values import check_pixels, check_slice, read_text, require_numbers
from scripts.lidia.dicom.multiframe import split_frames
from scripts.lidia.dicom.read_voxels import read_frames
from scripts.lidia.dicom.slices import SliceSelection, compute_position
from scripts.lidia.input_folders import list_files

if TYPE_CHECKING:
    from pydicom import Dataset

REMARKED_REASONS = ("volume", "packed", "link", "hidden_dicom")
"""Reasons to leave out files that give a remark for the user."""
SeriesVolume = tuple[NDArray[np.float32], NDArray[np.float64], list[CaseError]]


def read_series(folder: str | Path, *, case: str = "") -> SeriesVolume:
    """Reads a folder that holds one axial CT series.

    Localizers, reports, copies of a slice and other files are left out with a remark.

    Args:
        folder: searched with its sub-folders; names and endings of files do not matter.
        case: id of the case, for messages; the folder's name if empty.

    Returns:
        HU (X, Y, Z) float32, not below -1024; the RAS affine (mm); remarks of severity "warning".

    Raises:
        CaseError: if the folder holds no CT series or more than one, if a file is damaged, or if the slices
            are not a regular volume (gaps, uneven spacing, tilted gantry, two acquisitions, too few slices).
    """
    series, account = SliceSelection(str(folder), case or Path(folder).name), Account(folder)
    for path, words in account.closed.items():
        remedy = "change the permissions so that it can be read, or move it away"
        raise series.make_error("closed", f"the folder cannot be read ({words})", remedy, str(path))
    voxels, affine, remarks = _read(series, list_dicom_paths(folder), look=True)
    for entry in series.close_account(account)["reasons"]:
        if entry["reason"] in REMARKED_REASONS:
            series.add_remark("left_out", format_reason(entry))
    return voxels, affine, remarks


def read_files(paths: Sequence[Path], *, case: str, step_mm: float = 0.0) -> SeriesVolume:
    """Reads a series by its files: single slices, or one enhanced multi-frame file.

    Args:
        paths: the files, for example those of a `Series`.
        case: id of the case, for messages.
        step_mm: decodes only slices this many mm apart; 0 decodes all.

    Raises:
        CaseError: as `read_series` does.
    """
    return _read(SliceSelection(str(paths[0].parent), case), paths, step_mm)


def _read(
    series: SliceSelection, paths: Sequence[Path], step_mm: float = 0.0, look: bool = False
) -> SeriesVolume:
    try:
        return _read_volume(series, paths, step_mm, look)
    except ImportError:
        raise
    except CaseError as fault:  # an error of a header names its file, not the case
        raise fault.of_case(series.case) from fault
    except Exception as error:  # pydicom parses values on access, and raises many kinds of errors
        problem = f"a header cannot be parsed ({type(error).__name__}: {error})"
        raise series.make_error("damaged", problem, "copy the series again") from error


def _read_volume(series: SliceSelection, paths: Sequence[Path], step_mm: float, look: bool) -> SeriesVolume:
    header = series.read_multiframe_header(paths)
    if header is not None:
        frames = split_frames(header)
        (_, _, step), _ = check_stack(frames, case=series.case)
        check_pixels(header)
        if look:
            series.remark_kind(header, frames)
        voxels, affine, words = read_frames(frames, every=max(1, int(step_mm / step)))
        for remark in words:
            series.add_remark("pixels", remark)
        return voxels, affine, series.remarks
    slices = series.select_volume(series.read_files(paths))
    if look:
        series.remark_kind(slices[0], slices)
    every = max(1, int(step_mm / (compute_position(slices[1]) - compute_position(slices[0]))))
    return (*series.read_volume(slices[::every]), series.remarks)


def check_stack(headers: Sequence[Dataset], *, case: str) -> tuple[tuple[float, float, float], float]:
    """Checks from headers that slices or frames are one regular volume without gantry tilt.

    Args:
        headers: of slices of one shape and orientation, in any order; copies are allowed.
        case: name for messages.

    Returns:
        mm between columns, rows and slices; mm from the first slice to the last.

    Raises:
        CaseError: as `read_series` does.
    """
    series = SliceSelection(str(Path(headers[0].filename).parent), case)
    for header in headers:
        check_slice(header)
    unique = list({(read_text(s, "SOPInstanceUID"), compute_position(s)): s for s in headers}.values())
    if len({round(compute_position(header), 2) for header in unique}) < len(unique):
        if len({header.filename for header in headers}) < len(headers):
            problem = "several frames at one position: more than one phase in the file"
            raise series.make_error("two_acquisitions", problem, "export each phase as a series of its own")
        unique = series.drop_copies(series.read_files([Path(header.filename) for header in unique]))
    ordered = series.check_regular(unique)
    extent = compute_position(ordered[-1]) - compute_position(ordered[0])
    rows, columns = require_numbers(ordered[0], "PixelSpacing")
    return (columns, rows, extent / (len(ordered) - 1)), extent


def read_slices(paths: Sequence[Path], *, case: str) -> list[Dataset]:
    """Reads the slices of the volume of `read_series`, in its order, without those that it leaves out.

    Args:
        paths: files of one series, for example from `list_dicom_paths`.
        case: id of the case, for messages.

    Raises:
        CaseError: as `read_series` does.
    """
    series = SliceSelection(str(paths[0].parent), case)
    return series.select_volume(series.read_files(paths))


def list_dicom_paths(folder: str | Path) -> list[Path]:
    """Lists the files of a folder and its sub-folders that may be DICOM."""
    paths = [path for path in list_files(folder).files if not path.name.startswith(".")]
    return [path for path in paths if path.name.upper() != "DICOMDIR"]
