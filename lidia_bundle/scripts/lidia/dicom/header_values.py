"""Reads and checks values of a DICOM header by the table in `attributes`."""

from __future__ import annotations

import re
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.attributes import ATTRIBUTES, PIXELS, PLACE, VALUES, Attribute

if TYPE_CHECKING:
    from pydicom import Dataset

REMEDY = "export the series again with all its tags"
CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""SOPClassUID of CT, Enhanced CT and Legacy Converted Enhanced CT."""
OTHER_UNITS = ("OD", "MGML", "Z_EFF", "ED", "EDW", "PCT", "MRAD", "IOD")
"""Values of RescaleType (PS3.3, C.11.1.1.2) that are not HU. US means "unspecified" and is read as HU."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2})(:?)(\d{2})\2(\d{2})(\.\d{1,6})?", re.ASCII)
_DATETIME = re.compile(r"(\d{14})(\.\d{1,6})?([+-]\d{4})?", re.ASCII)
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_INTEGER = ("US", "US or SS", "IS")
_FILL = " \0\t\r\n"
_MAX_SHOWN = 60
"""Characters of an invalid value that an error shows."""


def read_numbers(header: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Reads the numbers of an attribute; None where the table blanks it.

    Args:
        header: of a file or frame; errors name its `filename`.
        keyword: an attribute of the table.

    Raises:
        CaseError: if the table refuses the series; code `no_tags` if it is missing, else `bad_value`.
    """
    row, values = ATTRIBUTES[keyword], _read_raw_values(header, keyword)
    if not values:
        _check_absent(header, row)
        return None
    numbers = [_parse_number(value) for value in values]
    expected = int(row.vm)
    low, high = row.bounds or (-np.inf, np.inf)
    valid = [n for n in numbers if n is not None and low <= n <= high]
    whole = row.vr not in _INTEGER or all(number == int(number) for number in valid)
    if len(valid) == len(numbers) == expected and whole:
        return tuple(valid)
    if row.bad == "refuse":
        kind = "whole number" if row.vr in _INTEGER else "decimal number"
        limits = f" from {low:g} to {high:g}" if row.bounds else ""
        _refuse_value(header, row, values, f"{expected} {kind}{'s' * (expected > 1)}{limits}")
    return None


def require_numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """Reads the numbers of an attribute that must be present.

    Raises:
        CaseError: see `read_numbers`; also where the table would blank it.
    """
    numbers = read_numbers(header, keyword)
    if numbers is None:
        _refuse(header, f"{keyword} is missing", "no_tags")
    return numbers


def read_number(header: Dataset, keyword: str) -> float | None:
    """Reads the first number of an attribute; see `read_numbers`."""
    numbers = read_numbers(header, keyword)
    return None if numbers is None else numbers[0]


def read_integer(header: Dataset, keyword: str) -> int | None:
    """Reads the first number of an attribute as an integer; see `read_numbers`."""
    numbers = read_numbers(header, keyword)
    return None if numbers is None else int(numbers[0])


def read_words(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Reads the texts of an attribute without padding; an empty tuple where the table blanks it.

    Raises:
        CaseError: if the table refuses the series for it.
    """
    row = ATTRIBUTES[keyword]
    words = tuple(str(value).strip(_FILL) for value in _read_raw_values(header, keyword))
    if not any(words):
        _check_absent(header, row)
        return ()
    if row.terms and (len(words) != 1 or words[0] not in row.terms):
        if row.bad == "refuse":
            _refuse_value(header, row, words, " or ".join(row.terms))
        return ()
    return words


def read_text(header: Dataset, keyword: str) -> str:
    """Reads the texts of an attribute, joined by spaces; empty where the table blanks it."""
    return " ".join(word for word in read_words(header, keyword) if word)


def read_date(header: Dataset, keyword: str) -> str:
    """Reads a date as YYYYMMDD (PS3.5, 6.2: DA; 1964.05.06 is its older form); empty if it is invalid."""
    match = _DATE.fullmatch(read_text(header, keyword))
    return _check_date("".join(match.group(1, 3, 4)), "%Y%m%d") if match else ""


def read_time(header: Dataset, keyword: str) -> str:
    """Reads a time of day as HHMMSS (PS3.5, 6.2: TM; 10:02:10 is its older form).

    Returns an empty text if it is invalid or has no seconds, which are needed to distinguish scans.
    """
    match = _TIME.fullmatch(read_text(header, keyword))
    return _check_date("".join(match.group(1, 3, 4)), "%H%M%S") if match else ""


def read_datetime(header: Dataset, keyword: str) -> str:
    """Reads date and time as YYYYMMDDHHMMSS (PS3.5, 6.2: DT); empty if it is invalid or shorter."""
    match = _DATETIME.fullmatch(read_text(header, keyword))
    return _check_date(match[1], "%Y%m%d%H%M%S") if match else ""


def is_ct(header: Dataset) -> bool:
    """Returns whether a file holds CT, by Modality, or by SOPClassUID where Modality is blank."""
    return (read_text(header, "Modality") or "CT" * (read_text(header, "SOPClassUID") in CT)) == "CT"


def is_slice(header: Dataset) -> bool:
    """Returns whether a file is a CT slice: no localizer, report, or screen shot without a position."""
    kinds = read_words(header, "ImageType")
    placed = "ImagePositionPatient" in header or ("Rows" in header and "SECONDARY" not in kinds)
    return placed and is_ct(header) and "LOCALIZER" not in kinds


def read_shape(header: Dataset) -> tuple[tuple[float, ...], ...]:
    """Reads what all slices of one stack share: rows, columns, pixel spacing (mm) and orientation.

    Raises:
        CaseError: see `require_numbers`.
    """
    size = [require_numbers(header, keyword) for keyword in ("Rows", "Columns", "PixelSpacing")]
    orientation = np.round(require_numbers(header, "ImageOrientationPatient"), 3)
    return (*size, tuple(orientation.tolist()))


def check_geometry(header: Dataset) -> None:
    """Checks the position, orientation and size of a slice or frame.

    Raises:
        CaseError: if an attribute is missing (code `no_tags`) or invalid (code `bad_value`).
    """
    for keyword in PLACE:
        read_numbers(header, keyword)
    orientation = np.reshape(require_numbers(header, "ImageOrientationPatient"), (2, 3))
    if np.abs(orientation @ orientation.T - np.eye(2)).max() > 0.02:
        row = ATTRIBUTES["ImageOrientationPatient"]
        _refuse_value(header, row, orientation.ravel().tolist(), "two unit vectors at right angles")


def check_slice(header: Dataset) -> None:
    """Checks the geometry and the rescale attributes of a slice or frame.

    Raises:
        CaseError: see `check_geometry`.
    """
    check_geometry(header)
    for keyword in VALUES:
        read_numbers(header, keyword)
    unit = read_text(header, "RescaleType").upper()
    if unit in OTHER_UNITS:
        _refuse_value(header, ATTRIBUTES["RescaleType"], [unit], "HU")


def check_pixels(header: Dataset) -> None:
    """Checks the attributes that describe the stored values of a file.

    Raises:
        CaseError: see `check_geometry`.
    """
    for keyword in PIXELS:
        (read_words if ATTRIBUTES[keyword].terms else read_numbers)(header, keyword)
    if "ModalityLUTSequence" in header:
        problem = "it has a ModalityLUTSequence: a CT image has RescaleSlope and RescaleIntercept instead"
        _refuse(header, problem, "bad_value")
    stored = require_numbers(header, "BitsStored")[0]
    if stored > require_numbers(header, "BitsAllocated")[0]:
        _refuse_value(header, ATTRIBUTES["BitsStored"], [int(stored)], "at most BitsAllocated")


def _read_raw_values(header: Dataset, keyword: str) -> list[Any]:
    """Returns the values of an attribute as stored: texts, numbers or others; an empty list if it is empty.

    It reads the raw bytes, since pydicom's parsing on access raises many kinds of errors and warnings.
    """
    element = header.get_item(keyword)
    if element is None or element.value is None:
        return []
    value, vr = element.value, element.VR
    if isinstance(value, bytes):
        if vr in (None, "UN"):
            vr = ATTRIBUTES[keyword].vr.split(" ")[0]
        if vr in _BINARY:
            return _unpack_binary(value, vr, getattr(element, "is_little_endian", True))
        if vr in ("LO", "SH", "PN", "LT", "ST", "UT", "UC"):
            value = _decode_text(header, keyword, value)
        else:
            value = value.decode("latin-1")
    if isinstance(value, str):
        value = value.strip(_FILL)
        return value.split("\\") if value else []
    if isinstance(value, (int, float)):
        return [value]
    values = list(value) if hasattr(value, "__iter__") and vr not in ("PN", "SQ") else [value]
    return [] if not any(str(item).strip(_FILL) for item in values) else values


def _decode_text(header: Dataset, keyword: str, raw: bytes) -> str:
    """Decodes a text in the file's character set, or in Latin-1 where that fails, so that no byte is lost."""
    from pydicom.config import disable_value_validation

    try:
        with disable_value_validation():
            value = header[keyword].value
    except Exception:  # unknown character sets and broken escape sequences raise many kinds of errors
        return raw.decode("latin-1")
    is_sequence = isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue"
    return "\\".join(map(str, value)) if is_sequence else str(value or "")


def _unpack_binary(raw: bytes, vr: str, little: bool) -> list[Any]:
    code = _BINARY[vr]
    if len(raw) % struct.calcsize(code):
        return [repr(raw[:_MAX_SHOWN])]
    return list(struct.unpack(f"{'<' if little else '>'}{len(raw) // struct.calcsize(code)}{code}", raw))


def _parse_number(value: Any) -> float | None:
    """Parses a finite number; None otherwise, also for decimal commas and digits of other scripts."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip(_FILL)):
        return None
    try:
        number = float(value.strip(_FILL) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _check_date(digits: str, form: str) -> str:
    try:
        datetime.strptime(digits, form)
    except ValueError:
        return ""
    return digits


def _check_absent(header: Dataset, row: Attribute) -> None:
    if row.absent == "refuse":
        what = "is empty" if row.keyword in header else "is missing"
        _refuse(header, f"{row.keyword} {what}: HU or positions are unknown", "no_tags")


def _refuse_value(header: Dataset, row: Attribute, values: Any, expected: str) -> NoReturn:
    text = "\\".join(map(str, values))
    text = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} (cut)"
    _refuse(header, f"{row.keyword} is {text!r}, not {expected}", "bad_value")


def _refuse(header: Dataset, problem: str, code: str) -> NoReturn:
    raise CaseError("dicom", str(getattr(header, "filename", "")), problem, REMEDY, code)
