"""One folder of DICOM files as one CT volume, or a clear reason why it is none. Geometry is never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, describe
from scripts.lidia.dicom.header_values import check_pixels, check_slice, read_text, require_numbers
from scripts.lidia.dicom.multiframe import single_frames
from scripts.lidia.dicom.read_voxels import read_frames
from scripts.lidia.dicom.slices import Slices, position_along_normal
from scripts.lidia.input_folders import list_files

if TYPE_CHECKING:
    from pydicom import Dataset

BESIDE = ("volume", "packed", "link", "hidden_dicom")
"""Reasons to leave out files of a series' folder that a user should hear of."""
Read = tuple[NDArray[np.float32], NDArray[np.float64], list[CaseError]]


def read_series(folder: str | Path, *, case: str = "") -> Read:
    """Reads a folder that holds one axial CT series.

    Localizers, reports, copies of a slice and files that are no DICOM are left out, and said to be.

    Args:
        folder: searched with its sub-folders; names and endings of files do not matter.
        case: id of the case, for messages; the folder's name if empty.

    Returns:
        HU (X, Y, Z) float32, not below -1024; the RAS affine (mm); remarks of severity "warning".

    Raises:
        CaseError: if there is no CT series in the folder or more than one, if a file is damaged, or if the
        slices are no regular volume (gaps, uneven spacing, tilted gantry, two acquisitions, too few slices).
    """
    series, account = Slices(str(folder), case or Path(folder).name), Account(folder)
    for path, words in account.closed.items():
        remedy = "get the right to read it, or move it away"
        raise series.fault("closed", f"the folder cannot be read ({words})", remedy, str(path))
    voxels, affine, remarks = _read(series, dicom_paths(folder), look=True)
    for entry in series.settle(account)["reasons"]:
        if entry["reason"] in BESIDE:
            series.remark("left_out", describe(entry))
    return voxels, affine, remarks


def read_files(paths: Sequence[Path], *, case: str, step_mm: float = 0.0) -> Read:
    """Reads a series by its files: single slices, or one enhanced multi-frame file.

    Args:
        paths: the files, such as a `Series` of a study names.
        case: id of the case, for messages.
        step_mm: for a look alone: so many mm from slice to slice will do, and only these are decoded.

    Raises:
        CaseError: as `read_series` does.
    """
    return _read(Slices(str(paths[0].parent), case), paths, step_mm)


def _read(series: Slices, paths: Sequence[Path], step_mm: float = 0.0, look: bool = False) -> Read:
    try:
        return _volume(series, paths, step_mm, look)
    except ImportError:
        raise
    except CaseError as fault:  # of a header: it knows its file, not the case
        raise fault.of_case(series.case) from fault
    except Exception as error:  # values are parsed when they are asked for, and parsing fails in many ways
        problem = f"a header cannot be understood ({type(error).__name__}: {error})"
        raise series.fault("damaged", problem, "copy the series again") from error


def _volume(series: Slices, paths: Sequence[Path], step_mm: float, look: bool) -> Read:
    alone = series.multiframe(paths)
    if alone is not None:
        frames = single_frames(alone)
        (_, _, step), _ = check_stack(frames, case=series.case)
        check_pixels(alone)
        if look:
            series.look(alone, frames)
        voxels, affine, words = read_frames(frames, every=max(1, int(step_mm / step)))
        for remark in words:
            series.remark("pixels", remark)
        return voxels, affine, series.remarks
    slices = series.kept(series.files(paths))
    if look:
        series.look(slices[0], slices)
    every = max(1, int(step_mm / (position_along_normal(slices[1]) - position_along_normal(slices[0]))))
    return (*series.volume(slices[::every]), series.remarks)


def check_stack(headers: Sequence[Dataset], *, case: str) -> tuple[tuple[float, float, float], float]:
    """Checks by headers alone that slices or frames are one regular upright volume.

    Args:
        headers: of slices of one shape and orientation, in any order; copies are allowed.
        case: what to call them in messages.

    Returns:
        mm between columns, rows and slices; mm from the first slice to the last.

    Raises:
        CaseError: as `read_series` does.
    """
    series = Slices(str(Path(headers[0].filename).parent), case)
    for header in headers:
        check_slice(header)
    alone = list({(read_text(s, "SOPInstanceUID"), position_along_normal(s)): s for s in headers}.values())
    if len({round(position_along_normal(header), 2) for header in alone}) < len(alone):
        if len({header.filename for header in headers}) < len(headers):
            problem = "several frames at one place: more than one phase in the file"
            raise series.fault("two_acquisitions", problem, "export each phase as a series of its own")
        alone = series.without_copies(series.files([Path(header.filename) for header in alone]))
    ordered = series.regular(alone)
    extent = position_along_normal(ordered[-1]) - position_along_normal(ordered[0])
    rows, columns = require_numbers(ordered[0], "PixelSpacing")
    return (columns, rows, extent / (len(ordered) - 1)), extent


def read_slices(paths: Sequence[Path], *, case: str) -> list[Dataset]:
    """Reads the slices that `read_series` makes a volume of, in its order: those left out are not among them.

    Args:
        paths: files of one series, such as `dicom_paths` finds.
        case: id of the case, for messages.

    Raises:
        CaseError: as `read_series` does.
    """
    series = Slices(str(paths[0].parent), case)
    return series.kept(series.files(paths))


def dicom_paths(folder: str | Path) -> list[Path]:
    """Finds the files of a folder and its sub-folders that may be DICOM."""
    paths = [path for path in list_files(folder).files if not path.name.startswith(".")]
    return [path for path in paths if path.name.upper() != "DICOMDIR"]
