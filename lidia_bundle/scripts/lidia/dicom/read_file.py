"""Reading one DICOM file, with or without the preamble and the file meta of DICOM PS3.10, section 7.1."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lidia.dicom.header_values import read_text

if TYPE_CHECKING:
    from pydicom import Dataset

MARK_AT, MARK = 128, b"DICM"
BEGINNINGS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""First group of a data set without preamble: of the file meta, of the data set, of one in big endian."""


def begins_as_dicom(path: Path) -> bool:
    """Whether a file has the mark of a DICOM file.

    Raises:
        OSError: if it cannot be read.
    """
    return _head(path)[MARK_AT:] == MARK


def read_file(path: Path, **options: Any) -> Dataset | None:
    """Reads a DICOM file; archives and research software leave out the preamble, some the file meta too.

    A file without the mark is read by force (https://github.com/pydicom/pydicom/issues/150), and is DICOM if
    it then names its SOP class, or is an image of some modality.

    Args:
        path: the file.
        **options: of pydicom's `dcmread`.

    Returns:
        The data set, its `file_meta` with a TransferSyntaxUID; None if the file is no DICOM.

    Raises:
        OSError: if the file cannot be read; other kinds of exceptions if it is DICOM and damaged.
    """
    from pydicom import dcmread

    head = _head(path)
    if head[MARK_AT:] == MARK:
        return _with_syntax(dcmread(path, **options))
    marked = head[: len(MARK)] == MARK  # a preamble that was cut off before its mark
    if not marked and head[:2] not in BEGINNINGS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a file that may be anything
            source = BytesIO(path.read_bytes()[len(MARK) :]) if marked else path
            found = dcmread(source, force=True, **options)
            genuine = _is_genuine(found)
    except OSError:
        raise
    except Exception:  # whatever else begins with these bytes can break the reader anywhere
        return None
    if not genuine:
        return None
    found.filename = str(path)
    return _with_syntax(found)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MARK_AT + len(MARK))


def _is_genuine(found: Dataset) -> bool:
    named = re.fullmatch(r"1\.2\.840\.10008\.[0-9.]+", read_text(found, "SOPClassUID"))
    image = all(isinstance(found.get(size), int) for size in ("Rows", "Columns"))
    return bool(named) or image and bool(read_text(found, "Modality"))


def _with_syntax(found: Dataset) -> Dataset:
    """Names the transfer syntax of pixels that are not compressed: of others the file meta alone tells."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in found.file_meta:
        implicit, little = found.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return found
