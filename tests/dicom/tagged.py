"""Studies of a ball in air whose tags alone name the phases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ct_files import affine_of, radius
from dicom_files import write_series

from scripts.lidia.dicom.study import find_studies
from scripts.lidia.inference.inputs import require_one_study
from scripts.lidia.phase_id.select_series import SeriesSelection, select_series

SHAPE = (40, 36, 24)
AFFINE = affine_of((3.0, 3.0, 5.0), SHAPE, (-1, -1, 1))
CLOCK = {"nativ": "100000", "art": "100200", "ven": "100235", "late": "100600"}


def body() -> np.ndarray:
    """A ball in air: nothing that the landmark finder could take for a liver, so tags alone decide."""
    far = radius(AFFINE, SHAPE)
    return np.rint(np.where(far < 50, 60.0, -1000.0) + np.random.default_rng(0).normal(0, 5, SHAPE))


def add(folder: Path, number: int, text: str, change: Any = None, voxels: Any = None, **tags: Any) -> Path:
    options: dict[str, Any] = {
        "SeriesDescription": text, "SeriesNumber": number, "PatientID": "P1", "StudyDate": "20240506",
        "AcquisitionDate": "20240506", "AcquisitionTime": CLOCK.get(text.split()[0], "110000"),
    }  # fmt: skip
    image = body() if voxels is None else voxels
    return write_series(folder, image, AFFINE, change=change, series=f"1.2.3.{number}", **{**options, **tags})


def study(folder: Path) -> Path:
    for number, text in enumerate(CLOCK, 2):
        add(folder, number, text)
    return folder


def chosen(folder: Path, **options: Any) -> SeriesSelection:
    return select_series(require_one_study(find_studies(folder), folder, False), case="P1", **options)


def numbers(choice: SeriesSelection) -> dict[str, str]:
    return {phase: series.name for phase, series in choice.phases.items()}


ALL = {"nc": "2", "arterial": "3", "venous": "4", "delayed": "5"}


def why(choice: SeriesSelection, number: str) -> str:
    [row] = [row for row in choice.rows if row["number"] == number]
    assert not row["taken"]
    return row["why"]
