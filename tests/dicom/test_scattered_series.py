"""Slices that each have their own SeriesInstanceUID form one series, or one error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom.tagged import CLOCK, add, body, chosen, numbers
from pydicom import Dataset
from pydicom.uid import generate_uid

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_series
from scripts.lidia.inference.inputs import resolve_inputs


def scattered(slice_: Dataset, _: int) -> None:
    slice_.SeriesInstanceUID = generate_uid()


def scattered_in_space(slice_: Dataset, n: int) -> None:
    slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = generate_uid(), generate_uid()
    slice_.SeriesNumber = n


@pytest.mark.parametrize("change", [scattered, scattered_in_space], ids=lambda change: change.__name__)
def test_one_scan(tmp_path: Path, change: Any) -> None:
    add(tmp_path / "in", 4, "ven", change)
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    assert item["notes"]["files"]["used"] == 24 and set(item["phases"]) == {"venous"}
    assert any("24 series" in warning for warning in item["notes"]["warnings"])
    voxels, _, remarks = read_series(tmp_path / "in")
    np.testing.assert_array_equal(voxels, body())
    assert [remark.code for remark in remarks] == ["scattered"]


def test_two_phases(tmp_path: Path) -> None:
    for number, text in ((3, "art"), (4, "ven")):
        add(tmp_path / "words", number, text, scattered)
        add(tmp_path / "times", number, "liver", scattered, AcquisitionTime=CLOCK[text])
    assert numbers(chosen(tmp_path / "words")) == {"arterial": "3", "venous": "4"}
    choice = chosen(tmp_path / "times")
    assert sorted(row["slices"] for row in choice.rows) == [24, 24] and len(choice.phases) == 2


def test_missing_slices_are_reported_once(tmp_path: Path) -> None:
    add(tmp_path / "in", 4, "ven", lambda s, n: scattered(s, n) or n != 9)
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    assert caught.value.code == "no_series" and caught.value.file == str(tmp_path / "in")
    assert caught.value.problem.count("-17.5 to -7.5 mm") == 1 and len(caught.value.problem) < 300
    with pytest.raises(CaseError) as caught:
        read_series(tmp_path / "in")
    assert caught.value.code == "gap" and caught.value.file == str(tmp_path / "in")


def test_single_slices_of_bolus_tracking_are_one_row(tmp_path: Path) -> None:
    add(tmp_path / "in", 4, "ven")
    for number in range(20, 50):
        add(tmp_path / "in", number, "Monitoring", scattered, slices=[5], AcquisitionTime=f"0959{number}")
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    assert len(item["notes"]["series"]) == 2 and item["notes"]["files"]["left_out"] == 30
    assert len(json.dumps(item["notes"]["series"])) < 1500
