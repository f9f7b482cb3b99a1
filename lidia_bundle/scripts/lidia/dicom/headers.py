"""Reads the headers of all DICOM files below a folder and reports damaged files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.attributes import TAGS
from scripts.lidia.dicom.file_account import Account, find_reason_without_header
from scripts.lidia.dicom.header_values import CT, read_text
from scripts.lidia.dicom.read_file import read_study_file

if TYPE_CHECKING:
    from pydicom import Dataset


MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, whose file may have another name."""


def read_headers(
    folder: str | Path,
    unreadable: list[CaseError] | None,
    account: Account | None = None,
    more: Sequence[str] = (),
) -> Iterable[Dataset]:
    """Yields the headers of all DICOM files below a folder, without pixels.

    Args:
        folder: a folder, searched with its sub-folders, or a file.
        unreadable: receives the errors of files that should be DICOM and are empty or damaged.
        account: of the folder; receives the reasons of all other files.
        more: keywords to read in addition to those of the table.

    Raises:
        CaseError: if there is no such folder; without `unreadable`, if a file is empty or damaged.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        remedy = "install pydicom and highdicom"
        problem = f"DICOM cannot be read: {error}"
        raise CaseError("dicom", str(folder), problem, remedy, "no_reader") from error
    if not Path(folder).exists():
        remedy = "check --dicom_dir"
        raise CaseError("dicom", str(folder), "there is no such folder", remedy, "missing")
    account = Account(folder) if account is None else account
    for path, words in account.closed.items():
        problem = f"it cannot be read ({words})"
        remedy = "change the permissions so that it can be read, or move it away"
        _raise_or_append(CaseError("dicom", str(path), problem, remedy, "closed"), unreadable)
    for path in account.iterate_unread():
        try:
            header = _read_study_header(path, account, more)
        except CaseError as fault:
            account.leave_out([path], "damaged", detail="" if account.private else fault.problem)
            _raise_or_append(fault, unreadable)
        else:
            if header is not None:
                yield header


def _raise_or_append(fault: CaseError, unreadable: list[CaseError] | None) -> None:
    if unreadable is None:
        raise fault
    unreadable.append(fault)


def _read_study_header(path: Path, account: Account, more: Sequence[str]) -> Dataset | None:
    """Reads the header of a file of a study; records any other file in the account and returns None.

    Raises:
        CaseError: if it should be DICOM and cannot be read.
    """
    try:
        is_skipped = account.is_hidden(path) or path.name.upper() == "DICOMDIR"
        header = None if is_skipped else _read_header(path, more)
        reason = "" if header is not None else find_reason_without_header(path, account) or "not_dicom"
    except OSError as error:
        remedy = "change the permissions so that it can be read, or copy the study again"
        problem = f"the file cannot be read ({error.strerror or error})"
        raise CaseError("dicom", str(path), problem, remedy, "damaged") from error
    if header is not None and header.file_meta.get("MediaStorageSOPClassUID") != MEDIA_STORAGE_DIRECTORY:
        return header
    if reason == "packed":
        account.unpack(path)
    else:
        account.leave_out([path], reason or "index")
    return None


def _read_header(path: Path, more: Sequence[str]) -> Dataset | None:
    """Reads the header of a file; None if it is not DICOM and its name does not claim so.

    Raises:
        CaseError: if it should be DICOM and is empty or damaged.
    """
    remedy, tags = "copy the study again", [*TAGS, *more]
    header = read_study_file(path, case="dicom", remedy=remedy, stop_before_pixels=True, specific_tags=tags)
    if header is None:
        return None
    kind = header.file_meta.get("MediaStorageSOPClassUID") or read_text(header, "SOPClassUID")
    # pydicom accepts a file that ends between two elements; BitsAllocated comes after all geometry attributes
    cut = "BitsAllocated" not in header and ("SOPClassUID" not in header or kind in CT)
    if cut and kind != MEDIA_STORAGE_DIRECTORY:
        raise CaseError("dicom", str(path), "the file ends within its header", remedy, "truncated")
    return header
