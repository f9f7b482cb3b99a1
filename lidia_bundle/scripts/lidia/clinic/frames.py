"""Enhanced multi-frame CT: one file that holds a whole series, a frame a slice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.clinic.files import read_file
from scripts.lidia.clinic.header_values import read_moment
from scripts.lidia.datalist.errors import CaseError

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
        copies = [(header, ("Rows", "Columns"))]
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


def read_frames(path: Path, *, case: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Reads the voxels of an enhanced file that `check_stack` found to be one regular stack.

    Args:
        path: the file.
        case: id of the case, for messages.

    Returns:
        HU (X, Y, Z), slices from feet to head; the RAS affine (mm).

    Raises:
        CaseError: if the frames are no regular volume or cannot be decoded.
    """
    import highdicom

    try:
        options: dict[str, Any] = {"dtype": np.float32, "apply_modality_transform": True}
        volume = highdicom.Image.from_dataset(read_file(path), copy=False).get_volume(**options, atol=0.1)
    except Exception as error:  # decoders and geometry checks raise many kinds
        problem = f"{type(error).__name__}: {error}"
        remedy = "copy the file again, or export single slices"
        raise CaseError(case, str(path), problem, remedy, "no_volume") from error
    return in_ras(volume)


def in_ras(volume: Any) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A volume of highdicom (slice, row, column, LPS) as HU (X, Y, Z) not below -1024, and its RAS affine."""
    # highdicom stacks slices against their normal; ITK, dcm2niix and thus most files beside it, along it
    volume = volume.flip_spatial(0)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(volume.affine, dtype=float)[:, [2, 1, 0, 3]]
    voxels = np.ascontiguousarray(np.transpose(volume.array, (2, 1, 0)), dtype=np.float32)
    return np.maximum(voxels, -1024.0, out=voxels), affine
