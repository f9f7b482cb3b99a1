"""Reads one DICOM file, with or without preamble and file meta information (PS3.10, 7.1)."""

from __future__ import annotations

import re
import warnings
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_text

if TYPE_CHECKING:
    from pydicom import Dataset

MARK_OFFSET, MARK = 128, b"DICM"
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""First bytes without a preamble: of the file meta, of the data set, and of a big endian data set."""


def read_study_file(path: Path, *, case: str, remedy: str, **options: Any) -> Dataset | None:
    """Reads a file of a study; None if it is not DICOM and its name does not claim so.

    Args:
        path: the file.
        case: id of the case, for messages.
        remedy: remedy of the error.
        **options: arguments of pydicom's `dcmread`.

    Raises:
        CaseError: if it should be DICOM and is empty or damaged.
        OSError: if its size cannot be read.
    """
    fault, has_ending = partial(CaseError, case, str(path)), path.suffix.lower() in (".dcm", ".ima")
    if path.stat().st_size == 0 and (has_ending or not path.suffix):
        raise fault("the file is empty (0 bytes)", remedy, "empty_file")
    try:
        dataset = read_file(path, **options)
    except Exception as error:  # a broken file can break its reader anywhere
        raise fault(f"the file cannot be read ({error})", remedy, "damaged") from error
    if dataset is None and has_ending:
        raise fault("the file is not DICOM", remedy, "damaged")
    return dataset


def read_file(path: Path, **options: Any) -> Dataset | None:
    """Reads a DICOM file; some software omits the preamble, or the file meta information too.

    A file without the mark is read with `force` (https://github.com/pydicom/pydicom/issues/150). It counts as
    DICOM if it then has a SOP class, or image size and modality.

    Args:
        path: the file.
        **options: arguments of pydicom's `dcmread`.

    Returns:
        The data set with a TransferSyntaxUID in its `file_meta`; None if the file is not DICOM.

    Raises:
        OSError: if the file cannot be read; other kinds of exceptions if it is DICOM and damaged.
    """
    from pydicom import dcmread

    with path.open("rb") as file:
        head = file.read(MARK_OFFSET + len(MARK))
    if head[MARK_OFFSET:] == MARK:
        return _complete_syntax(dcmread(path, **options))
    marked = head[: len(MARK)] == MARK  # the preamble was removed, the mark was not
    if not marked and head[:2] not in FIRST_GROUPS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file may be of any kind
            source = BytesIO(path.read_bytes()[len(MARK) :]) if marked else path
            dataset = dcmread(source, force=True, **options)
            genuine = _is_genuine(dataset)
    except OSError:
        raise
    except Exception:  # other files that begin with these bytes can break the reader anywhere
        return None
    if not genuine:
        return None
    dataset.filename = str(path)
    return _complete_syntax(dataset)


def _is_genuine(dataset: Dataset) -> bool:
    has_sop_class = re.fullmatch(r"1\.2\.840\.10008\.[0-9.]+", read_text(dataset, "SOPClassUID"))
    image = all(isinstance(dataset.get(size), int) for size in ("Rows", "Columns"))
    return bool(has_sop_class) or image and bool(read_text(dataset, "Modality"))


def _complete_syntax(dataset: Dataset) -> Dataset:
    """Adds the transfer syntax of uncompressed pixels; only the file meta can name a compressed one."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset
