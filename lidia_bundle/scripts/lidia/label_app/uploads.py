"""Checks uploaded files: each must be a complete, valid NIfTI file before it is stored."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
from nibabel.spatialimages import HeaderDataError

from scripts.lidia.data.read_volume import read_mask
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_header
from scripts.lidia.label_app.values import Refusal

ENDINGS = (".nii.gz", ".nii")
MAX_LABEL = 255
CHUNK = 1 << 20
MAX_EXTRA_BYTES = 1 << 24
"""Bytes that a file may hold besides its voxels: header extensions and padding."""


def check_ending(key: str, name: str | None) -> str:
    """Returns the ending of a client's file; the rest of its name is not used.

    Raises:
        Refusal: it is not a single NIfTI file.
    """
    for suffix in ENDINGS:
        if name and name.lower().endswith(suffix):
            return suffix
    raise Refusal(key, "one NIfTI file, .nii.gz or .nii; other formats and archives are not accepted")


def check_upload(path: Path, key: str, kind: str, max_bytes: int) -> None:
    """Checks an uploaded file before other code reads it.

    Args:
        path: the file, under a name chosen by the server.
        key: the form field, for messages.
        kind: `image`, or `label`, whose voxels must be whole numbers from 0 to 255.
        max_bytes: largest unpacked size.

    Raises:
        Refusal: it is not NIfTI, its voxels are in another file, or it is truncated, damaged or too large.
    """
    try:
        _check_length(path, max_bytes)
        check_header(path, case=key)
        if kind == "label":
            read_mask(path, key, MAX_LABEL)
    except CaseError as fault:
        raise Refusal(key, f"{fault.problem}; {fault.remedy}") from fault
    except (ValueError, KeyError, OSError, EOFError, ArithmeticError, zlib.error, HeaderDataError) as problem:
        raise Refusal(key, f"the file is not a complete NIfTI file ({problem})") from problem


def _check_length(path: Path, max_bytes: int) -> None:
    """Compares the unpacked size with the header, in chunks, since a small file may unpack to any size.

    Raises:
        ValueError: the file has fewer bytes or many more, or its voxels are in another file.
    """
    parts = _read_chunks(path)
    first = next(parts, b"")
    header_class = nib.Nifti2Header if first[4:8] == b"n+2\0" else nib.Nifti1Header
    size = header_class.template_dtype.itemsize
    if len(first) < size:
        raise ValueError("it is shorter than a header")
    header = header_class(first[:size], check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
        raise ValueError("according to its header the voxels are in another file")
    start, shape = float(header["vox_offset"]), header.get_data_shape()
    if not 0 <= start <= MAX_EXTRA_BYTES or any(length < 0 for length in shape):
        raise ValueError("the offset or shape in its header is invalid")
    voxels = math.prod(int(length) for length in shape)
    declared_bytes = int(start) + voxels * header.get_data_dtype().itemsize
    if declared_bytes > max_bytes:
        raise ValueError(f"its header declares {declared_bytes} bytes; at most {max_bytes} are accepted")
    count = len(first)
    for part in parts:
        count += len(part)
        if count > declared_bytes + MAX_EXTRA_BYTES:
            raise ValueError("it holds more bytes than its header declares")
    if count < declared_bytes:
        raise ValueError(f"it is truncated: {count} bytes instead of {declared_bytes}")


def _read_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else path.open("rb") as stream:
        while part := stream.read(CHUNK):
            yield part
