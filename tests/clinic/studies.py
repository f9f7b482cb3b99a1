"""Phantom patients as DICOM studies: one series a phase, with times and words as a scanner writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dicom_files import write_series

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
    said = {
        "PatientID": "ID 17/4", "PatientName": "Doe^Jane", "StudyDate": "20240506",
        "AcquisitionDate": "20240506", "AcquisitionTime": CLOCK[phase],
        "SeriesDescription": "", "SeriesNumber": NUMBER[phase], "ProtocolName": "Liver",
    }  # fmt: skip
    uid = series or f"1.2.3.{NUMBER[phase]}"
    voxels = np.ascontiguousarray(hu[:: signs[0], :: signs[1]])
    return write_series(folder, voxels, turned, series=uid, change=change, **{**said, **tags})


def write_study(folder: Path, case: Case, words: Mapping[str, str], **tags: Any) -> Path:
    """Writes the phases that `words` has descriptions for, all into one folder."""
    for phase, description in words.items():
        write_phase(folder, case, phase, SeriesDescription=description, **tags)
    return folder
