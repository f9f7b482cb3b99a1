"""The headers of all DICOM files below a folder, and which files are damaged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lidia.clinic.files import read_file
from scripts.lidia.clinic.series import dicom_paths
from scripts.lidia.datalist.errors import CaseError

if TYPE_CHECKING:
    from pydicom import Dataset

TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *(
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "StudyDescription",
        "StudyDate",
        "SpecificCharacterSet",
    ),
    *("Modality", "ImageType", "SeriesDescription", "SeriesNumber", "ProtocolName", "AcquisitionNumber"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "TemporalPositionIdentifier"),
    *("ContrastBolusAgent", "ContrastBolusStartTime", "ContrastBolusVolume", "ConvolutionKernel"),
    *("SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
    *(
        "BitsAllocated",
        "RescaleSlope",
        "RescaleIntercept",
        "NumberOfFrames",
        "SharedFunctionalGroupsSequence",
    ),
    *("PerFrameFunctionalGroupsSequence", "InstanceNumber", "DerivationDescription", "ContentDate"),
)
"""All that is read of a file before it is known what it is good for."""


def read_headers(folder: str | Path, unreadable: list[CaseError] | None) -> Iterable[Dataset]:
    """Headers of all DICOM files below a folder, without pixels.

    Args:
        folder: searched with its sub-folders.
        unreadable: takes the faults of files that should be DICOM and are empty or damaged.

    Raises:
        CaseError: if there is no such folder; without `unreadable`, if a file is empty or damaged.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        remedy = "install pydicom and highdicom"
        raise CaseError(
            "dicom", str(folder), f"DICOM cannot be read: {error}", remedy, "no_reader"
        ) from error
    if not Path(folder).is_dir():
        remedy = "check --dicom_dir"
        raise CaseError("dicom", str(folder), "there is no such folder", remedy, "missing")
    for path in dicom_paths(folder):
        try:
            header = _header(path)
        except CaseError as fault:
            if unreadable is None:
                raise
            unreadable.append(fault)
        else:
            if header is not None:
                yield header


def _header(path: Path) -> Dataset | None:
    """The header of a file; None if it is no DICOM and does not claim to be.

    Raises:
        CaseError: if it should be DICOM and is empty or damaged.
    """
    from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, MediaStorageDirectoryStorage

    named, remedy = path.suffix.lower() in (".dcm", ".ima"), "copy the study again"
    if path.stat().st_size == 0 and (named or not path.suffix):
        raise CaseError("dicom", str(path), "the file is empty (0 bytes)", remedy, "empty_file")
    try:
        header = read_file(path, stop_before_pixels=True, specific_tags=list(TAGS))
    except Exception as error:  # a broken file can break its reader anywhere
        problem = f"the file cannot be read ({error})"
        raise CaseError("dicom", str(path), problem, remedy, "damaged") from error
    if header is None and named:
        raise CaseError("dicom", str(path), "the file is no DICOM", remedy, "damaged")
    if header is None:
        return None
    kind = header.file_meta.get("MediaStorageSOPClassUID", header.get("SOPClassUID"))
    images = (CTImageStorage, EnhancedCTImageStorage)
    # pydicom takes a file that ends between two elements for whole; bits come after all that tells its place
    cut = "SOPClassUID" not in header or (kind in images and "BitsAllocated" not in header)
    if cut and kind != MediaStorageDirectoryStorage:
        raise CaseError("dicom", str(path), "the file ends within its header", remedy, "truncated")
    return header
