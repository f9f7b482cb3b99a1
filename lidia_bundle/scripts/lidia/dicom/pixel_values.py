"""Stored values of CT as HU: bits, sign, padding and rescale, each as the header says it, or refused.

PS3.5, 8.1.1 has which bits count, PS3.3 has padding (C.7.5.1.1.2) and rescale (C.11.1). A mend is exact or
there is none: what may be one thing or another refuses the series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_text, read_whole, require_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

AIR = -1024.0
"""HU of what was not scanned."""
TISSUE = (-900.0, 3071.0)
"""HU between which a value can be that of a body: padding in there is told from it by where it lies."""
LEAST_SHARE = 0.02
"""Share of a slice from which on one value at all of its corners is padding that nobody declared."""


class Pixels(NamedTuple):
    """One slice.

    Attributes:
        hu: (rows, columns) float32, padding at -1024.
        remarks: what was mended, in words; the same words for the same mend.
    """

    hu: NDArray[np.float32]
    remarks: tuple[str, ...]


def read_pixels(header: Dataset, stored: NDArray[np.integer], frame: Dataset | None = None) -> Pixels:
    """Gives the HU of one slice.

    Args:
        header: of the file; see `check_pixels`.
        stored: (rows, columns) as `stored_values` gives it.
        frame: header of the frame of an enhanced object, which has its rescale; None is `header`.

    Raises:
        CaseError: if padding is declared in a way that has no one meaning.
    """
    own = header if frame is None else frame
    [slope], [intercept] = (require_numbers(own, keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))
    remarks = []
    padding = _declared(header, stored, slope, intercept)
    if padding.any() and float((slope * stored + intercept)[padding].max()) > TISSUE[0]:
        remarks.append("padding that the header declares was taken for air")
    undeclared = _undeclared(stored, slope * stored + intercept, padding)
    if undeclared is not None:
        padding |= undeclared
        remarks.append("one value outside the reconstruction circle, not declared, was taken for air")
    hu = np.asarray(stored, np.float32) * np.float32(slope) + np.float32(intercept)
    hu[padding] = AIR
    if read_text(header, "PhotometricInterpretation") == "MONOCHROME1":
        remarks.append("PhotometricInterpretation MONOCHROME1 changes how it is shown, not its HU")
    return Pixels(hu, tuple(remarks))


def stored_values(header: Dataset) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """Decodes a file and leaves the bits that BitsStored and HighBit name, with their sign.

    Args:
        header: with pixels.

    Returns:
        ([frames,] rows, columns) whole numbers; remarks.

    Raises:
        CaseError: if HighBit contradicts the bits that are used.
    """
    from pydicom.pixels import pixel_array

    stored: NDArray[np.integer] = pixel_array(header)
    bits, signed = int(require_numbers(header, "BitsStored")[0]), _is_signed(header)
    high = read_whole(header, "HighBit")
    if high is not None and high + 1 != bits:
        return _shifted(header, bits, high), ("HighBit is not BitsStored - 1: the bits below it were taken",)
    [allocated] = require_numbers(header, "BitsAllocated")
    if bits == allocated or header.file_meta.TransferSyntaxUID.is_compressed:
        return stored, ()
    raw = pixel_array(header, correct_unused_bits=False)
    masked = not np.array_equal(raw, stored)
    if masked and signed and int(raw.min()) >= 0 and int(stored.min()) < 0 and not _has_overlay(header):
        problem = f"PixelRepresentation is 1, BitsStored {bits}, and negative values have no sign above"
        _refuse(header, f"{problem}: they may be unsigned", "write BitsStored and PixelRepresentation right")
    return stored, ("bits above BitsStored, such as an old overlay, were masked",) * masked


def _shifted(header: Dataset, bits: int, high: int) -> NDArray[np.integer]:
    """The bits from HighBit down, where nothing lies below them.

    Raises:
        CaseError: if something does.
    """
    from pydicom.pixels import pixel_array

    low = high + 1 - bits
    raw = pixel_array(header, correct_unused_bits=False)
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


def _declared(
    header: Dataset, stored: NDArray[np.integer], slope: float, intercept: float
) -> NDArray[np.bool_]:
    """Where the padding lies that the header declares.

    Raises:
        CaseError: if a range of padding holds HU of a body.
    """
    value, limit = (_as_stored(header, word) for word in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
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
    return _from_border(where)


def _as_stored(header: Dataset, keyword: str) -> int | None:
    """A value of padding with the sign that stored values have: many write US where SS is due, and back."""
    number = read_whole(header, keyword)
    if number is None:
        return None
    bits = int(require_numbers(header, "BitsAllocated")[0])
    if _is_signed(header) and number >= 1 << (bits - 1):
        return number - (1 << bits)
    return number + (1 << bits) if number < 0 and not _is_signed(header) else number


def _undeclared(
    stored: NDArray[np.integer], hu: NDArray[np.floating], known: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Where one value brighter than air stands at all four corners, as outside a reconstruction circle.

    Air has noise, a body has more: a wide even area from corner to corner was not scanned.
    """
    corners = stored[[0, 0, -1, -1], [0, -1, 0, -1]]
    if known[[0, 0, -1, -1], [0, -1, 0, -1]].any() or len(set(corners.tolist())) > 1 or hu[0, 0] < TISSUE[0]:
        return None
    where = _from_border(stored == corners[0])
    return where if where.mean() >= LEAST_SHARE and not where.all() else None


def _from_border(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of a mask (rows, columns) that reach the border."""
    parts, _ = ndimage.label(where)
    edge = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    return np.isin(parts, edge[edge > 0])


def summed_up(remarks: Sequence[tuple[str, ...]]) -> list[str]:
    """Says each remark once, with the number of slices."""
    counts = Counter(word for words in remarks for word in words)
    return [f"{word} ({count} of {len(remarks)} slices)" for word, count in counts.items()]


def _refuse(header: Dataset, problem: str, remedy: str) -> NoReturn:
    raise CaseError("dicom", str(getattr(header, "filename", "")), problem, remedy, "bad_value")
