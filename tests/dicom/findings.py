"""A synthetic patient for SEG and SR: a series on disk, a liver ball with two lesions, and the `ID.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ct_files import affine_of, radius
from dicom_files import Change, write_series
from pydicom import Dataset

from scripts.lidia.dicom.source_series import read_source
from scripts.lidia.vocabulary import LESION_TYPES

SHAPE = (40, 36, 30)
AFFINE = affine_of((3.0, 3.0, 5.0), SHAPE, (-1, -1, 1))
SECRETS = {
    "PatientName": "Secret^Name",
    "PatientID": "secret id",
    "PatientBirthDate": "19510203",
    "PatientSex": "F",
    "AccessionNumber": "secret accession",
    "StudyID": "secret study",
    "StudyDate": "20240506",
    "StudyTime": "101112",
    "SeriesDate": "20240507",
    "SeriesTime": "101112",
    "AcquisitionDate": "20240506",
    "AcquisitionTime": "101213",
    "ReferringPhysicianName": "Secret^Doctor",
    "InstitutionName": "Secret Hospital",
    "Manufacturer": "Secret Scanners",
    "ManufacturerModelName": "secret model",
    "DeviceSerialNumber": "secret serial",
    "StationName": "secret station",
    "StudyDescription": "secret words",
    "PatientComments": "secret comment",
    "PatientAddress": "secret street",
    "AdditionalPatientHistory": "secret history",
    "PatientAge": "073Y",
    "PatientWeight": 61.5,
}
"""What a hospital's series tells of a patient and that nobody else may read."""


def scan(folder: Path, change: Change | None = None, **tags: Any) -> Path:
    """Writes the series of the patient."""
    far = radius(AFFINE, SHAPE)
    voxels = np.where(far < 40, 110.0, np.where(far < 50, -100.0, -1000.0))
    return write_series(folder, voxels, AFFINE, change=change, **{**SECRETS, **tags})


def make_findings() -> tuple[np.ndarray, np.ndarray]:
    """Liver mask with its lesions, and lesion numbers; no two places look alike."""
    liver = radius(AFFINE, SHAPE, (5, -3, 8)) < 38
    instances = np.zeros(SHAPE, np.uint16)
    instances[radius(AFFINE, SHAPE, (20, -8, 25)) < 12] = 1
    instances[radius(AFFINE, SHAPE, (-12, 9, -4)) < 8] = 2
    return liver | (instances > 0), instances


def record(instance: int, kind: str, volume: float, diameter: float) -> dict[str, Any]:
    """A lesion of `ID.json`."""
    odds = {name: 0.7 if name == kind else 0.02 for name in LESION_TYPES}
    return {
        "instance": instance,
        "type": kind,
        "probabilities": odds,
        "volume_mm3": volume,
        "diameter_mm": diameter,
        "centroid_ras_mm": [1.0, 2.0, 3.0],
    }


RECORDS = [record(1, "HCC", 7245.0, 24.186773), record(2, "cyst", 2160.123456789, 16.155)]
RESULT: dict[str, Any] = {
    "id": "P1",
    "grid_phase": "venous",
    "phases_used": ["nc", "venous"],
    "probabilities": {name: 0.1 * number + 1 / 3 for number, name in enumerate(LESION_TYPES, -3)},
    "malignant": 0.875,
    "benign": 0.5,
    "calibrated": True,
    "lesions": RECORDS,
    "warnings": ["the arterial phase was left out"],
    "versions": {"bundle": "0.2.0", "weights_sha256": "0123456789abcdef" * 4},
}


def patient(tags: dict[str, Any] | None = None) -> list[Dataset]:
    """Headers of the series, without the way over files."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return read_source(sorted(scan(Path(folder) / "ct", **(tags or {})).iterdir()), case="P1")
