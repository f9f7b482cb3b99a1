"""DICOM series on disk for tests, as a scanner writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

Change = Callable[[Dataset, int], Any]


def write_series(
    folder: Path,
    voxels: np.ndarray,
    affine: np.ndarray,
    *,
    change: Change | None = None,
    series: str = "1.2.3",
    study: str = "1.2",
    slices: Sequence[int] | None = None,
    **tags: Any,
) -> Path:
    """Writes one CT series: rows and columns in LPS, 16 bits with an intercept.

    Args:
        folder: made if need be.
        voxels: HU `(X, Y, Z)`.
        affine: `(4, 4)` to RAS mm; X must run to the patient's left, Y to the back, Z to the head.
        change: called with every slice and its number before it is written; False leaves the slice out.
        series: SeriesInstanceUID.
        study: StudyInstanceUID.
        slices: the slices to write; None is all.
        **tags: DICOM keywords and values of all slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assert (np.diag(affine)[:3] * (-1, -1, 1) > 0).all(), "axes must run to left, back and head"
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    stored = np.rint(voxels) + 1024
    for number in range(voxels.shape[2]) if slices is None else slices:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        slice_ = Dataset()
        slice_.file_meta = meta
        slice_.SOPClassUID, slice_.SOPInstanceUID = CTImageStorage, generate_uid()
        meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, "1.9"
        slice_.Modality, slice_.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        slice_.SeriesDescription, slice_.SeriesNumber, slice_.AcquisitionNumber = "portal", 4, 1
        slice_.InstanceNumber = voxels.shape[2] - number
        place = affine @ (0, 0, number, 1)
        slice_.ImagePositionPatient = [-float(place[0]), -float(place[1]), float(place[2])]
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.PixelSpacing, slice_.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        slice_.Rows, slice_.Columns, slice_.SamplesPerPixel = voxels.shape[1], voxels.shape[0], 1
        slice_.PhotometricInterpretation = "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 1
        slice_.RescaleSlope, slice_.RescaleIntercept = 1, -1024
        slice_.PixelData = stored[:, :, number].T.astype(np.int16).tobytes()
        for keyword, value in tags.items():
            setattr(slice_, keyword, value)
        if change is None or change(slice_, number) is not False:
            slice_.save_as(folder / f"{series}_{number:03d}.dcm", enforce_file_format=True)
    return folder
