"""Checks that a SEG and an SR can refer to a series, and prepares its headers for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.attributes import ATTRIBUTES
from scripts.lidia.dicom.header_values import CT, read_number, read_text, read_words, require_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

NO_REFERENCE = "no_reference"
"""Code of the error that a series cannot be referred to. The results of the patient stay valid."""
TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes that an object must have and that may be empty; some exports omit them."""
_FORMS = ("DA", "TM", "DT", "AS", "CS", "IS", "DS", "UI", "SQ")
"""VRs with a fixed format; values of other VRs are copied unchanged."""
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)
_AGE = re.compile(r"\d{3}[DWMY]", re.ASCII)
_GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_NUMBERS = (0x00200032, 0x00200037, 0x00280030)
"""Tags of `_GEOMETRY`."""
_REMEDY = "send the series without changes of its UIDs, or set `dicom` to False"


def check_references(source: Sequence[Dataset], *, case: str) -> None:
    """Checks that the identifiers of a series are present, valid and unique.

    PS3.3 requires them in C.12.1.1 (SOPClassUID, SOPInstanceUID), C.7.2.1, C.7.3.1 and C.7.4.1 (study, series
    and frame of reference). No UID is invented: a viewer would look for slices that do not exist.

    Args:
        source: headers of the slices or of the one enhanced file.
        case: id of the case, for messages.

    Raises:
        CaseError: if one is missing, is not a UID or belongs to two slices; its code is `NO_REFERENCE`.
    """
    first = source[0]

    def refuse(header: Dataset, problem: str) -> None:
        raise CaseError(case, str(header.filename), f"no SEG and no SR: {problem}", _REMEDY, NO_REFERENCE)

    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        for header in source:
            uid = read_text(header, keyword)
            if not uid:
                refuse(header, f"no {keyword}")
            if len(uid) > 64 or not _UID.fullmatch(uid):
                refuse(header, f"{keyword} is no UID")
            if keyword != "SOPInstanceUID" and uid != read_text(first, keyword):
                refuse(header, f"the slices have more than one {keyword}")
    if len({read_text(header, "SOPInstanceUID") for header in source}) < len(source):
        refuse(first, "several slices have the same SOPInstanceUID")
    for header in source:
        kind = read_text(header, "SOPClassUID")
        if kind not in CT:
            refuse(header, "SOPClassUID is not that of a CT image")


def make_referable(slice_: Dataset) -> Dataset:
    """Copies a header without pixels, in UTF-8, with valid values only.

    A value that does not have the format of its VR is left out; an attribute of Type 2 is empty instead.

    Args:
        slice_: as `pydicom.dcmread` gives it.
    """
    from pydicom import Dataset
    from pydicom.charset import python_encoding

    copy = Dataset({tag: e for tag, e in slice_.items() if tag.group < 0x6000 and not tag.is_private})
    copy.file_meta, copy.filename = slice_.file_meta, getattr(slice_, "filename", "")
    numbers = {keyword: require_numbers(copy, keyword) for keyword in _GEOMETRY if keyword in copy}
    thickness, kind = read_number(copy, "SliceThickness"), read_text(copy, "SOPClassUID")
    sets = read_words(copy, "SpecificCharacterSet")
    if not all(word in python_encoding for word in sets):
        del copy.SpecificCharacterSet  # no text can be decoded with it
    _drop_invalid(copy)
    for row in ATTRIBUTES.values():
        if row.terms and row.keyword in copy and not read_words(copy, row.keyword):
            del copy[row.keyword]
    for keyword in TYPE_2:
        if keyword not in copy:
            setattr(copy, keyword, "")
    # a text of more than 16 characters is an invalid DS with a valid number
    for keyword, values in numbers.items():
        setattr(copy, keyword, [_to_decimal_string(value) for value in values])
    if kind:
        copy.SOPClassUID = kind
    if "PerFrameFunctionalGroupsSequence" not in copy:
        copy.SliceThickness = None if thickness is None else _to_decimal_string(thickness)
    if sets:  # highdicom refuses some character sets that occur in practice
        copy.SpecificCharacterSet = "ISO_IR 192"
    return copy


def _check_age(text: str) -> None:
    """Checks an age.

    Raises:
        ValueError: if it is invalid.
    """
    if not _AGE.fullmatch(text):
        raise ValueError(f"{text} is not an age")


def _to_decimal_string(value: float) -> object:
    from pydicom.valuerep import DSfloat

    return DSfloat(value, auto_format=True)


def _drop_invalid(dataset: Dataset) -> None:
    """Removes values that cannot be parsed or do not have the format of their VR, at all levels."""
    from pydicom import config
    from pydicom.valuerep import DA, DT, TM

    kinds: dict[str, Callable[[str], object]] = {"DA": DA, "DT": DT, "TM": TM, "AS": _check_age}
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.RAISE
    try:
        for tag in list(dataset.keys()):
            if tag in _NUMBERS:
                continue
            element = dataset.get_item(tag)
            formal = element.VR is None or element.VR in _FORMS
            config.settings.reading_validation_mode = config.RAISE if formal else config.IGNORE
            try:
                parsed = dataset[tag]
                if parsed.VR == "PN":
                    _ = str(parsed.value)
                if parsed.VR in kinds and parsed.VM == 1:  # in a query alone a date may be a range
                    _ = kinds[parsed.VR](parsed.value)
            except Exception:  # pydicom raises many kinds
                del dataset[tag]
                continue
            if parsed.VR == "SQ":
                for item in parsed.value:
                    _drop_invalid(item)
    finally:
        config.settings.reading_validation_mode = before
