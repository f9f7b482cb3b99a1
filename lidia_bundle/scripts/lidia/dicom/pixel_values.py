"""Converts stored values of CT to HU by the bits, sign, padding and rescale of the header.

Used bits: PS3.5, 8.1.1; padding: PS3.3, C.7.5.1.1.2; rescale: PS3.3, C.11.1. A header is corrected only where
one reading is possible; an ambiguous one refuses the series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_integer, read_text, require_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

AIR = -1024.0
"""HU of voxels that were not scanned."""
TISSUE = (-900.0, 3071.0)
"""HU range of a body. Padding inside this range is distinguished from tissue by its position."""
MIN_PADDING_SHARE = 0.02
"""Smallest share of a slice for which one value at all corners counts as undeclared padding."""


class SlicePixels(NamedTuple):
    """The values of one slice.

    Attributes:
        hu: (rows, columns) float32, padding at -1024.
        remarks: corrections, in words; equal corrections have equal words.
    """

    hu: NDArray[np.float32]
    remarks: tuple[str, ...]


def convert_to_hu(header: Dataset, stored: NDArray[np.integer], frame: Dataset | None = None) -> SlicePixels:
    """Converts one slice to HU.

    Args:
        header: of the file; see `check_pixels`.
        stored: (rows, columns) as `decode_stored_values` gives it.
        frame: header of the frame of an enhanced object, which holds the rescale; `header` if None.

    Raises:
        CaseError: if the declared padding is ambiguous.
    """
    own = header if frame is None else frame
    [slope], [intercept] = (require_numbers(own, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    remarks = []
    padding = _find_declared_padding(header, stored, slope, intercept)
    if padding.any() and float((slope * stored + intercept)[padding].max()) > TISSUE[0]:
        remarks.append("padding that the header declares was set to air")
    undeclared = _find_undeclared_padding(stored, slope * stored + intercept, padding)
    if undeclared is not None:
        padding |= undeclared
        remarks.append("one undeclared value outside the reconstruction circle was set to air")
    hu = np.asarray(stored, np.float32) * np.float32(slope) + np.float32(intercept)
    hu[padding] = AIR
    if read_text(header, "PhotometricInterpretation") == "MONOCHROME1":
        remarks.append("PhotometricInterpretation MONOCHROME1 changes the display, not the HU")
    return SlicePixels(hu, tuple(remarks))


def decode_stored_values(header: Dataset) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """Decodes a file and keeps the bits that BitsStored and HighBit name, with their sign.

    Args:
        header: with pixels.

    Returns:
        ([frames,] rows, columns) integers; remarks.

    Raises:
        CaseError: if HighBit contradicts the bits that are used.
    """
    stored = _decode_pixels(header)
    bits, signed = int(require_numbers(header, "BitsStored")[0]), _is_signed(header)
    high = read_integer(header, "HighBit")
    if high is not None and high + 1 != bits:
        remark = "HighBit is not BitsStored - 1: the bits below it were used"
        return _shift_bits(header, bits, high), (remark,)
    [allocated] = require_numbers(header, "BitsAllocated")
    if bits == allocated or header.file_meta.TransferSyntaxUID.is_compressed:
        return stored, ()
    raw = _decode_pixels(header, correct_unused_bits=False)
    masked = not np.array_equal(raw, stored)
    if masked and signed and int(raw.min()) >= 0 and int(stored.min()) < 0 and not _has_overlay(header):
        problem = f"PixelRepresentation is 1, BitsStored {bits}, and negative values have no sign above"
        _refuse(header, f"{problem}: they may be unsigned", "correct BitsStored and PixelRepresentation")
    return stored, ("bits above BitsStored, such as an old overlay, were masked",) * masked


def _decode_pixels(header: Dataset, *, correct_unused_bits: bool = True) -> NDArray[np.integer]:
    """Decodes the pixels of a file, also by pydicom 2, which the label server's environment has.

    Args:
        header: with pixels.
        correct_unused_bits: set the bits above BitsStored to 0, or to the sign; pixels that were compressed
            are not changed by pydicom 2.
    """
    try:
        from pydicom.pixels import pixel_array
    except ImportError:
        raw: NDArray[np.integer] = header.pixel_array
        unused = raw.dtype.itemsize * 8 - int(require_numbers(header, "BitsStored")[0])
        plain = not header.file_meta.TransferSyntaxUID.is_compressed
        return (raw << unused) >> unused if correct_unused_bits and plain else raw
    decoded: NDArray[np.integer] = pixel_array(header, correct_unused_bits=correct_unused_bits)
    return decoded


def _shift_bits(header: Dataset, bits: int, high: int) -> NDArray[np.integer]:
    """Returns the bits from HighBit downwards.

    Raises:
        CaseError: if bits below them are used.
    """
    low = high + 1 - bits
    raw = _decode_pixels(header, correct_unused_bits=False)
    plain = not header.file_meta.TransferSyntaxUID.is_compressed
    if low < 0 or not plain or (raw & ((1 << low) - 1)).any():
        problem = f"HighBit is {high} with BitsStored {bits}, and other bits are used"
        _refuse(header, problem, "write HighBit as BitsStored - 1")
    shift = int(require_numbers(header, "BitsAllocated")[0]) - 1 - high
    return (raw << shift) >> (shift + low)


def _has_overlay(header: Dataset) -> bool:
    return any(0x6000 <= tag.group <= 0x601E for tag in header.keys())  # noqa: SIM118


def _is_signed(header: Dataset) -> bool:
    return require_numbers(header, "PixelRepresentation")[0] == 1


def _find_declared_padding(
    header: Dataset, stored: NDArray[np.integer], slope: float, intercept: float
) -> NDArray[np.bool_]:
    """Finds the padding that the header declares.

    Raises:
        CaseError: if the range of padding contains HU of a body.
    """
    value, limit = (_read_padding(header, word) for word in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if value is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((value, value if limit is None else limit))
    where = (stored >= low) & (stored <= high)
    ends = low * slope + intercept, high * slope + intercept
    if ends[1] < TISSUE[0] or ends[0] > TISSUE[1]:
        return where
    if low < high and ends[0] < TISSUE[1]:
        what = f"PixelPaddingValue to PixelPaddingRangeLimit, {low} to {high}"
        problem = f"{what}, are {ends[0]:g} to {ends[1]:g} HU, values of a body"
        _refuse(header, problem, "write the padding that was used, or none")
    return _keep_border_parts(where)


def _read_padding(header: Dataset, keyword: str) -> int | None:
    """Reads a padding value with the sign of the stored values; many files write US for SS, or SS for US."""
    number = read_integer(header, keyword)
    if number is None:
        return None
    bits = int(require_numbers(header, "BitsAllocated")[0])
    if _is_signed(header) and number >= 1 << (bits - 1):
        return number - (1 << bits)
    return number + (1 << bits) if number < 0 and not _is_signed(header) else number


def _find_undeclared_padding(
    stored: NDArray[np.integer], hu: NDArray[np.floating], declared: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Finds undeclared padding: one value brighter than air at all four corners, connected to the border.

    Air and tissue have noise, so a large constant area that reaches all corners was not scanned.
    """
    corners = [0, 0, -1, -1], [0, -1, 0, -1]
    if declared[corners].any() or len(set(stored[corners].tolist())) > 1 or hu[0, 0] < TISSUE[0]:
        return None
    where = _keep_border_parts(stored == stored[0, 0])
    return where if where.mean() >= MIN_PADDING_SHARE and not where.all() else None


def _keep_border_parts(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keeps the parts of a mask (rows, columns) that reach the border."""
    parts, _ = ndimage.label(where)
    edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, edge[edge > 0])


def count_remarks(remarks: Sequence[tuple[str, ...]]) -> list[str]:
    """Lists each remark once, with the number of its slices."""
    counts = Counter(word for words in remarks for word in words)
    return [f"{word} ({count} of {len(remarks)} slices)" for word, count in counts.items()]


def _refuse(header: Dataset, problem: str, remedy: str) -> NoReturn:
    raise CaseError("dicom", str(getattr(header, "filename", "")), problem, remedy, "bad_value")
