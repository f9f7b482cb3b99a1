"""Lists the DICOM attributes that are read, and what happens if one is missing or invalid.

VR and VM are those of PS3.6, Table 6-1; the Type is that of the module (PS3.3) of a CT image.
`header_values` checks every value against this table; docs/dicom.md has the same table.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from scripts.lidia.datalist.header_checks import SPACING_MM

Outcome = Literal["refuse", "blank", "left out"]
"""refuse: the series is refused; the error names file, attribute and value.
blank: the value is treated as unknown.
left out: the file is not a slice of a CT volume."""


class Attribute(NamedTuple):
    """One attribute of the table."""

    keyword: str
    vr: str
    vm: str
    type: str
    """1, 1C, 2, 2C or 3 (PS3.3)."""
    absent: Outcome
    """Outcome if it is missing or empty."""
    bad: Outcome
    """Outcome if it cannot be parsed, has the wrong number of values or lies outside `bounds`."""
    bounds: tuple[float, float] | None = None
    """Smallest and largest accepted number, both included."""
    terms: tuple[str, ...] = ()
    """The accepted words; empty if any word is accepted."""
    early: bool = True
    """Whether it is read in the first pass, before the kind of the file is known."""


_FAR_MM, _IS = 1e5, (-(2.0**31), 2.0**31 - 1)
_ROWS = (
    # identity of the file
    Attribute("SOPClassUID", "UI", "1", "1", "blank", "blank"),
    Attribute("SOPInstanceUID", "UI", "1", "1", "blank", "blank"),
    Attribute("StudyInstanceUID", "UI", "1", "1", "blank", "blank"),
    Attribute("SeriesInstanceUID", "UI", "1", "1", "blank", "blank"),
    Attribute("FrameOfReferenceUID", "UI", "1", "1", "blank", "blank"),
    Attribute("Modality", "CS", "1", "1", "left out", "left out"),
    Attribute("ImageType", "CS", "2-n", "1", "blank", "blank"),
    Attribute("SpecificCharacterSet", "CS", "1-n", "1C", "blank", "blank"),
    # identity of the patient
    Attribute("PatientID", "LO", "1", "2", "blank", "blank"),
    Attribute("PatientName", "PN", "1", "2", "blank", "blank"),
    Attribute("PatientBirthDate", "DA", "1", "2", "blank", "blank"),
    Attribute("PatientSex", "CS", "1", "2", "blank", "blank", terms=("M", "F", "O")),
    Attribute("StudyID", "SH", "1", "2", "blank", "blank", early=False),
    Attribute("AccessionNumber", "SH", "1", "2", "blank", "blank", early=False),
    Attribute("ReferringPhysicianName", "PN", "1", "2", "blank", "blank", early=False),
    # content and time of the scan
    Attribute("SeriesDescription", "LO", "1", "3", "blank", "blank"),
    Attribute("ProtocolName", "LO", "1", "3", "blank", "blank"),
    Attribute("SeriesNumber", "IS", "1", "2", "blank", "blank", _IS),
    Attribute("AcquisitionNumber", "IS", "1", "2", "blank", "blank", _IS),
    Attribute("InstanceNumber", "IS", "1", "2", "blank", "blank", _IS),
    Attribute("TemporalPositionIdentifier", "IS", "1", "3", "blank", "blank", _IS),
    Attribute("ConvolutionKernel", "SH", "1-n", "3", "blank", "blank"),
    Attribute("ContrastBolusAgent", "LO", "1", "2", "blank", "blank"),
    Attribute("ContrastBolusStartTime", "TM", "1", "3", "blank", "blank"),
    Attribute("StudyDate", "DA", "1", "2", "blank", "blank"),
    Attribute("StudyTime", "TM", "1", "2", "blank", "blank", early=False),
    Attribute("SeriesDate", "DA", "1", "3", "blank", "blank", early=False),
    Attribute("SeriesTime", "TM", "1", "3", "blank", "blank", early=False),
    Attribute("AcquisitionDate", "DA", "1", "3", "blank", "blank"),
    Attribute("AcquisitionTime", "TM", "1", "3", "blank", "blank"),
    Attribute("AcquisitionDateTime", "DT", "1", "3", "blank", "blank"),
    Attribute("FrameAcquisitionDateTime", "DT", "1", "1C", "blank", "blank", early=False),
    Attribute("ContentDate", "DA", "1", "2C", "blank", "blank"),
    Attribute("ContentTime", "TM", "1", "2C", "blank", "blank", early=False),
    # geometry
    Attribute("Rows", "US", "1", "1", "refuse", "refuse", (1, 65535)),
    Attribute("Columns", "US", "1", "1", "refuse", "refuse", (1, 65535)),
    Attribute("ImagePositionPatient", "DS", "3", "1", "refuse", "refuse", (-_FAR_MM, _FAR_MM)),
    Attribute("ImageOrientationPatient", "DS", "6", "1", "refuse", "refuse", (-1.01, 1.01)),
    Attribute("PixelSpacing", "DS", "2", "1", "refuse", "refuse", SPACING_MM),
    Attribute("SliceThickness", "DS", "1", "2", "blank", "blank", (1e-3, 100.0)),
    # meaning of the stored values
    Attribute("SamplesPerPixel", "US", "1", "1", "refuse", "refuse", (1, 1)),
    Attribute("PhotometricInterpretation", "CS", "1", "1", "refuse", "refuse",
              terms=("MONOCHROME1", "MONOCHROME2")),
    Attribute("BitsAllocated", "US", "1", "1", "refuse", "refuse", (16, 32)),
    Attribute("BitsStored", "US", "1", "1", "refuse", "refuse", (10, 32)),
    Attribute("HighBit", "US", "1", "1", "blank", "refuse", (9, 31)),
    Attribute("PixelRepresentation", "US", "1", "1", "refuse", "refuse", (0, 1)),
    Attribute("RescaleSlope", "DS", "1", "1", "refuse", "refuse", (1e-4, 1e3)),
    Attribute("RescaleIntercept", "DS", "1", "1", "refuse", "refuse", (-65536, 65536)),
    Attribute("RescaleType", "LO", "1", "1C", "blank", "blank"),
    Attribute("PixelPaddingValue", "US or SS", "1", "1C", "blank", "refuse", (-32768, 65535)),
    Attribute("PixelPaddingRangeLimit", "US or SS", "1", "1C", "blank", "refuse", (-32768, 65535)),
    # multi-frame
    Attribute("NumberOfFrames", "IS", "1", "1", "blank", "refuse", (1, 65535)),
    # segmentations of other software
    Attribute("SegmentNumber", "US", "1", "1", "refuse", "refuse", (1, 65535), early=False),
    Attribute("SegmentLabel", "LO", "1", "1", "blank", "blank", early=False),
    Attribute("ReferencedSOPInstanceUID", "UI", "1", "1", "blank", "blank", early=False),
)  # fmt: skip
ATTRIBUTES = {row.keyword: row for row in _ROWS}
SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence")
"""Also read in the first pass. A file whose sequence cannot be parsed is damaged."""
TAGS = (*(row.keyword for row in _ROWS if row.early), *SEQUENCES)
"""Everything that is read in the first pass."""
PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
VALUES = ("RescaleSlope", "RescaleIntercept")
"""Rescale attributes that each frame of an enhanced object has; the others stand once in the file."""
PIXELS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
)
