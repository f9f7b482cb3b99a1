"""Phantom patients as DICOM studies: one series per phase, with the times and words of a scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from dicom_files import write_series
from pydicom.uid import UID, EnhancedCTImageStorage, JPEG2000Lossless, JPEGLSLossless, RLELossless

from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.vocabulary import PHASES

CLOCK = {"nc": "101000", "arterial": "101205", "venous": "101240", "delayed": "101540"}
NUMBER = {"nc": 3, "arterial": 5, "venous": 6, "delayed": 8}
SPACING = (3.0, 3.0, 5.0)


def patient(index: int = 4, seed: int = 91, cohort: str = "internal") -> Case:
    """A phantom patient with all four phases, coarse enough for tests."""
    case = sample_case(seed, index, cohort, spacing=SPACING, looks=["HCC_typical"])
    assert set(case.volumes) == set(PHASES)
    return case


def write_phase(
    folder: Path, case: Case, phase: str, *, series: str = "", change: Any = None, **tags: Any
) -> Path:
    """Writes a phase of a patient as a series; `tags` replace what a scanner would say."""
    hu, affine = case.volumes[phase]
    signs = [-1 if affine[0, 0] > 0 else 1, -1 if affine[1, 1] > 0 else 1, 1]
    turned = affine.copy()
    for axis, sign in enumerate(signs[:2]):
        if sign < 0:
            turned[:3, 3] += affine[:3, axis] * (hu.shape[axis] - 1)
            turned[:3, axis] *= -1
    options = {
        "PatientID": "ID 17/4", "PatientName": "Doe^Jane", "StudyDate": "20240506",
        "AcquisitionDate": "20240506", "AcquisitionTime": CLOCK[phase],
        "SeriesDescription": "", "SeriesNumber": NUMBER[phase], "ProtocolName": "Liver",
    }  # fmt: skip
    uid = series or f"1.2.3.{NUMBER[phase]}"
    voxels = np.ascontiguousarray(hu[:: signs[0], :: signs[1]])
    return write_series(folder, voxels, turned, series=uid, change=change, **{**options, **tags})


def write_study(folder: Path, case: Case, text: Mapping[str, str], **tags: Any) -> Path:
    """Writes the phases that `text` has descriptions for, all into one folder."""
    for phase, description in text.items():
        write_phase(folder, case, phase, SeriesDescription=description, **tags)
    return folder


def compress(path: Path, syntax: UID) -> None:
    """Compresses a file's pixels: by pydicom where it can, by GDCM where it cannot."""
    slice_ = pydicom.dcmread(path)
    if syntax in (RLELossless, JPEGLSLossless):
        slice_.compress(syntax, generate_instance_uid=False)
        slice_.save_as(path)
        return
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    kind = gdcm.TransferSyntax.JPEG2000Lossless if syntax == JPEG2000Lossless else None
    change.SetTransferSyntax(gdcm.TransferSyntax(kind or gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def enhanced(paths: Sequence[Path], path: Path) -> Path:
    """Puts the slices of a series into one enhanced multi-frame CT file."""
    slices = [pydicom.dcmread(p) for p in paths]
    path.parent.mkdir(parents=True)
    dataset = pydicom.Dataset({tag: element for tag, element in slices[0].items() if tag != 0x7FE00010})
    dataset.file_meta = slices[0].file_meta
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    dataset.NumberOfFrames = len(slices)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
                    "RescaleSlope", "RescaleIntercept", "AcquisitionTime", "AcquisitionDate"):  # fmt: skip
        delattr(dataset, keyword)
    dataset.AcquisitionDateTime = "20240506100235"
    first = slices[0]
    shared = group("PlaneOrientationSequence", ImageOrientationPatient=first.ImageOrientationPatient)
    shared.update(group(
        "PixelMeasuresSequence", PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness
    ))  # fmt: skip
    shared.update(group(
        "PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU"
    ))  # fmt: skip
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        group("PlanePositionSequence", ImagePositionPatient=s.ImagePositionPatient) for s in slices
    ]
    dataset.PixelData = b"".join(s.PixelData for s in slices)
    dataset.save_as(path, enforce_file_format=True)
    return path


def group(name: str, **tags: Any) -> pydicom.Dataset:
    """A functional group of an enhanced object."""
    inner, outer = pydicom.Dataset(), pydicom.Dataset()
    for keyword, value in tags.items():
        setattr(inner, keyword, value)
    setattr(outer, name, [inner])
    return outer
