"""Enhanced multi-frame CT: one file that holds a whole series, a frame a slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.header_values import read_moment

if TYPE_CHECKING:
    from pydicom import Dataset

GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "CTReconstructionSequence": ("ConvolutionKernel",),
}
"""Where an enhanced object keeps what a single slice says of itself; of each frame or shared by all."""


def is_multiframe(header: Dataset) -> bool:
    """Whether a file holds many slices."""
    return "PerFrameFunctionalGroupsSequence" in header


def single_frames(header: Dataset) -> list[Dataset]:
    """Headers of the frames as if each were a file of its own; an empty list where they are no CT slices.

    Args:
        header: of an enhanced object; pixels are not needed.

    Raises:
        CaseError: if its functional groups cannot be parsed.
    """
    from pydicom import Dataset

    shared = _first(header, "SharedFunctionalGroupsSequence")
    made = []
    for number, groups in enumerate(_items(header, "PerFrameFunctionalGroupsSequence")):
        frame = Dataset()
        frame.filename, frame.SOPInstanceUID = header.filename, f"2.25.{number + 1}"
        copies: list[tuple[Dataset, tuple[str, ...]]] = [(header, ("Rows", "Columns"))]
        for name, keywords in GROUPS.items():
            copies.append((_first(groups if name in groups else shared, name), keywords))
        for source, keywords in copies:
            for keyword in keywords:
                element = source.get_item(keyword)
                if element is not None:
                    frame[element.tag] = element  # not parsed yet
        if "ImagePositionPatient" not in frame or "ImageOrientationPatient" not in frame:
            return []
        moment = read_moment(_first(groups, "FrameContentSequence"), "FrameAcquisitionDateTime")
        frame.AcquisitionDateTime = moment or read_moment(header, "AcquisitionDateTime")
        made.append(frame)
    return made


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; none where it is missing, empty or something else.

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


def _first(dataset: Dataset, keyword: str) -> Dataset:
    from pydicom import Dataset

    return next(iter(_items(dataset, keyword)), Dataset())
