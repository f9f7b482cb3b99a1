"""Files that clients send: each is read as NIfTI, whole and sound, before it is stored."""

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
HIGHEST_LABEL = 255
CHUNK = 1 << 20
SPARE_BYTES = 1 << 24
"""What may stand in a file beside its voxels: extensions of the header, and filling."""


def ending(key: str, name: str | None) -> str:
    """The ending of a client's file, which is all that is taken of its name.

    Args:
        key: the field that holds the file.
        name: what the client calls it.

    Raises:
        Refusal: it is no single file of NIfTI.
    """
    for known in ENDINGS:
        if name and name.lower().endswith(known):
            return known
    raise Refusal(key, "one NIfTI file, .nii.gz or .nii; other formats and archives are not taken")


def check_upload(path: Path, key: str, kind: str, max_bytes: int) -> None:
    """Reads a file before anything else does.

    Args:
        path: the file, under a name of our own.
        key: the field that holds it, for the message.
        kind: `image`, or `label`, whose voxels must be whole numbers from 0 to 255.
        max_bytes: how much it may hold when it is unpacked.

    Raises:
        Refusal: it is no NIfTI, its voxels are elsewhere, it is cut or damaged, or it is too large.
    """
    try:
        _check_length(path, max_bytes)
        check_header(path, case=key)
        if kind == "label":
            read_mask(path, key, HIGHEST_LABEL)
    except CaseError as fault:
        raise Refusal(key, f"{fault.problem}; {fault.remedy}") from fault
    except (ValueError, KeyError, OSError, EOFError, ArithmeticError, zlib.error, HeaderDataError) as problem:
        raise Refusal(key, f"the file is no whole NIfTI file ({problem})") from problem


def _check_length(path: Path, max_bytes: int) -> None:
    """Counts the bytes that the header promises, in pieces: a small file may unpack to any size.

    Raises:
        ValueError: the file has fewer bytes or many more, or its voxels are said to lie in another file.
    """
    parts = _parts(path)
    first = next(parts, b"")
    header_class = nib.Nifti2Header if first[4:8] == b"n+2\0" else nib.Nifti1Header
    size = header_class.template_dtype.itemsize
    if len(first) < size:
        raise ValueError("it is shorter than a header")
    header = header_class(first[:size], check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
        raise ValueError("its header does not say that the voxels are in this file")
    start, shape = float(header["vox_offset"]), header.get_data_shape()
    if not 0 <= start <= SPARE_BYTES or any(length < 0 for length in shape):
        raise ValueError("its header promises voxels at an impossible place")
    promised = int(start) + math.prod(int(length) for length in shape) * header.get_data_dtype().itemsize
    if promised > max_bytes:
        raise ValueError(f"its header promises {promised} bytes; at most {max_bytes} are taken")
    count = len(first)
    for part in parts:
        count += len(part)
        if count > promised + SPARE_BYTES:
            raise ValueError("it holds more than its header promises")
    if count < promised:
        raise ValueError(f"it is truncated: {count} bytes instead of {promised}")


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else path.open("rb") as stream:
        while part := stream.read(CHUNK):
            yield part
