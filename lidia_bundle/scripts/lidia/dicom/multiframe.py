"""Splits enhanced multi-frame CT, one file with a frame for each slice, into headers of single slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_datetime

if TYPE_CHECKING:
    from pydicom import Dataset

GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTReconstructionSequence": ("ConvolutionKernel",),
}
"""Functional groups, of a frame or shared, that hold the attributes of a single slice."""


def is_multiframe(header: Dataset) -> bool:
    """Returns whether a file is an enhanced multi-frame object."""
    return "PerFrameFunctionalGroupsSequence" in header


def split_frames(header: Dataset) -> list[Dataset]:
    """Makes a header for each frame, as if it were a file; an empty list if the frames have no position.

    Args:
        header: of an enhanced object; pixels are not needed.

    Raises:
        CaseError: if its functional groups cannot be parsed.
    """
    from pydicom import Dataset

    shared = _read_first_item(header, "SharedFunctionalGroupsSequence")
    frames = []
    for number, groups in enumerate(_read_items(header, "PerFrameFunctionalGroupsSequence")):
        frame = Dataset()
        frame.filename, frame.SOPInstanceUID = header.filename, f"2.25.{number + 1}"
        copies: list[tuple[Dataset, tuple[str, ...]]] = [(header, ("Rows", "Columns"))]
        for name, keywords in GROUPS.items():
            copies.append((_read_first_item(groups if name in groups else shared, name), keywords))
        for source, keywords in copies:
            for keyword in keywords:
                element = source.get_item(keyword)
                if element is not None:
                    frame[element.tag] = element  # not parsed yet
        if "ImagePositionPatient" not in frame or "ImageOrientationPatient" not in frame:
            return []
        moment = read_datetime(_read_first_item(groups, "FrameContentSequence"), "FrameAcquisitionDateTime")
        frame.AcquisitionDateTime = moment or read_datetime(header, "AcquisitionDateTime")
        frames.append(frame)
    return frames


def _read_items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """Returns the items of a sequence; an empty list if it is missing, empty or not a sequence.

    Raises:
        CaseError: if it cannot be parsed.
    """
    try:
        items = dataset.get(keyword)
    except Exception as error:  # a broken sequence can break its reader anywhere
        problem = f"{keyword} cannot be parsed ({type(error).__name__}: {error})"
        file = str(getattr(dataset, "filename", ""))
        raise CaseError("dicom", file, problem, "copy the file again", "bad_value") from error
    return [item for item in items or () if hasattr(item, "get_item")]


def _read_first_item(dataset: Dataset, keyword: str) -> Dataset:
    from pydicom import Dataset

    return next(iter(_read_items(dataset, keyword)), Dataset())
