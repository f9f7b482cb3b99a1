"""A series in several passes is one stack; a region scanned several times gives several scans."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom.tagged import AFFINE, SHAPE, add, body, chosen
from pydicom import Dataset
from pydicom.uid import generate_uid

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_series
from scripts.lidia.dicom.study import Series, find_studies
from scripts.lidia.inference.inputs import resolve_inputs
from scripts.lidia.prepare.readers.dicom_stacks import find_stacks

FULL = SHAPE[2]


def scan(
    folder: Path, number: int, slices: Sequence[int], *, clock: str = "100000", lift: float = 0.0, **tags: Any
) -> Path:
    """Adds a pass to the one series of a folder; `lift` moves it along the body."""

    def change(slice_: Dataset, n: int) -> None:
        slice_.SeriesInstanceUID = tags.get("uid", "1.2.3.4")
        x, y, z = (float(value) for value in slice_.ImagePositionPatient)
        slice_.ImagePositionPatient = [x, y, z + lift]

    voxels = tags.pop("voxels", None)
    tags = {"AcquisitionNumber": number, "AcquisitionTime": clock, **tags}
    remaining = {key: value for key, value in tags.items() if key != "uid"}
    return add(folder / f"pass{number}_{clock}", 4, "ven", change, voxels, slices=slices, **remaining)


def stacks(folder: Path) -> list[Series]:
    [study] = find_studies(folder)
    return [series for series in study.series if not series.refused]


PASSES = {
    "one slice": [range(0, 13), range(12, FULL)],
    "three slices": [range(0, 13), range(10, FULL)],
    "no overlap": [range(0, 12), range(12, FULL)],
    "three passes": [range(0, 9), range(8, 17), range(16, FULL)],
    "a short pass": [range(0, 20), range(18, FULL)],
    "the head first": [range(11, FULL), range(0, 12)],
}


@pytest.mark.parametrize("passes", PASSES.values(), ids=PASSES)
def test_passes_that_overlap_are_one_stack(tmp_path: Path, passes: list[range]) -> None:
    """Both doors, and the readers of archives, find all places, with the voxels of the earlier pass."""
    for number, slices in enumerate(passes, 2):
        scan(tmp_path / "in", number, slices, clock=f"10000{number}", voxels=body() + 7 * number)
    [series] = stacks(tmp_path / "in")
    assert series.slices == FULL and series.extent == (FULL - 1) * 5.0 and series.name == "4"
    shared = sum(map(len, passes)) - FULL
    assert [why for _, why in series.spare] == ["overlap"] * shared
    voxels, affine, remarks = read_series(tmp_path / "in")
    assert voxels.shape == SHAPE and {remark.code for remark in remarks} == ({"overlap"} if shared else set())
    lifts = np.zeros(FULL)
    for number, slices in reversed(list(enumerate(passes, 2))):
        lifts[list(slices)] = 7 * number
    np.testing.assert_allclose(affine, AFFINE, atol=1e-6)
    np.testing.assert_array_equal(voxels, body() + lifts)
    [stack], _ = find_stacks(tmp_path / "in")
    assert len(stack.paths) == FULL
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    assert len(item["source"]) == FULL
    messages = [warning for warning in item["notes"]["warnings"] if "overlap" in warning]
    assert len(messages) == (len(passes) - 1 if shared else 0)


def test_without_numbers_passes_follow_from_the_order_of_slices(tmp_path: Path) -> None:
    first, second = range(0, 13), range(11, FULL)
    for number, slices in enumerate((first, second)):
        start = number * len(first) - slices[0]

        def count(slice_: Dataset, n: int, start: int = start) -> None:
            slice_.InstanceNumber = 1 + start + n
            del slice_.AcquisitionNumber

        add(tmp_path / f"{number}", 4, "ven", count, slices=slices, voxels=body() + number)
    [series] = stacks(tmp_path)
    assert series.slices == FULL and len(series.spare) == 2


@pytest.mark.parametrize("lift", [0.04, 0.3])
def test_a_pass_a_little_beside_the_grid_is_moved_onto_it(tmp_path: Path, lift: float) -> None:
    scan(tmp_path, 2, range(0, 13))
    scan(tmp_path, 3, range(12, FULL), clock="100004", lift=lift)
    [series] = stacks(tmp_path)
    assert series.slices == FULL
    voxels, affine, remarks = read_series(tmp_path)
    assert voxels.shape == SHAPE and abs(affine[2, 2] - 5.0) < 0.02
    assert any(remark.code == "off_grid" for remark in remarks) == (lift > 0.1)


def test_passes_on_two_grids_are_refused(tmp_path: Path) -> None:
    scan(tmp_path, 2, range(0, 13))
    scan(tmp_path, 3, range(12, FULL), clock="100004", lift=1.7)
    assert stacks(tmp_path) == []
    with pytest.raises(CaseError) as caught:
        read_series(tmp_path)
    assert caught.value.code in ("uneven", "gap")


def test_a_gap_between_passes_is_refused(tmp_path: Path) -> None:
    scan(tmp_path, 2, range(0, 11))
    scan(tmp_path, 3, range(13, FULL))
    [study] = find_studies(tmp_path)
    assert "slices are missing" in study.series[0].refused


def test_a_region_scanned_twice_stays_two_scans(tmp_path: Path) -> None:
    scan(tmp_path / "a", 2, range(0, FULL))
    scan(tmp_path / "a", 3, range(0, FULL), clock="100035", voxels=body() + 30)
    assert [series.slices for series in stacks(tmp_path / "a")] == [FULL, FULL]
    scan(tmp_path / "b", 2, range(4, 20))
    scan(tmp_path / "b", 3, range(0, FULL), clock="100035", voxels=body() + 30)
    assert sorted(series.slices for series in stacks(tmp_path / "b")) == [16, FULL]
    with pytest.raises(CaseError) as caught:
        read_series(tmp_path / "b")
    assert caught.value.code == "two_acquisitions" and caught.value.file == str(tmp_path / "b")
    assert "2, 3" in caught.value.problem, "the numbers of both acquisitions"


def test_two_phases_of_two_passes_each(tmp_path: Path) -> None:
    for number, (slices, clock) in enumerate(
        [(range(0, 13), "100000"), (range(12, FULL), "100006"),
         (range(0, 13), "100040"), (range(12, FULL), "100046")], 2
    ):  # fmt: skip
        scan(tmp_path, number, slices, clock=clock, voxels=body() + number)
    result = sorted(stacks(tmp_path), key=lambda series: series.name)
    assert [(series.name, series.slices, len(series.spare)) for series in result] == [
        ("4/1", FULL, 1), ("4/2", FULL, 1),
    ]  # fmt: skip
    assert [series.time.second for series in result if series.time] == [0, 40]


@pytest.mark.parametrize(("pause", "expected"), [(0, [FULL]), (40, [12, 12])])
def test_interleaved_slices(tmp_path: Path, pause: int, expected: list[int]) -> None:
    """Passes of one scan that lie between one another are one stack; two phases that do are two."""
    scan(tmp_path, 2, range(0, FULL, 2))
    scan(tmp_path, 3, range(1, FULL, 2), clock=f"1000{pause:02d}")
    assert [series.slices for series in stacks(tmp_path)] == expected


def test_a_long_pause_between_passes_is_remarked(tmp_path: Path) -> None:
    scan(tmp_path / "in", 2, range(0, 12))
    scan(tmp_path / "in", 3, range(12, FULL), clock="100130")
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    assert any("90 s apart" in warning for warning in item["notes"]["warnings"])


def test_single_slices_at_a_place_do_not_split_a_scan(tmp_path: Path) -> None:
    """Bolus tracking in the series of the scan."""
    scan(tmp_path, 2, range(0, FULL))
    for second in range(5):
        scan(tmp_path, 1, [9], clock=f"09595{second}", voxels=body() + second)
    assert [series.slices for series in stacks(tmp_path)] == [FULL]
    voxels, _, remarks = read_series(tmp_path)
    assert voxels.shape == SHAPE and "5 slices" in remarks[0].problem
    assert chosen(tmp_path).phases["venous"].slices == FULL


@pytest.mark.parametrize("pause", ["100002", "100009"])
def test_passes_that_are_series_of_their_own_are_named(tmp_path: Path, pause: str) -> None:
    scan(tmp_path / "in", 2, range(0, 13))
    scan(tmp_path / "in", 3, range(10, FULL), clock=pause, uid="1.2.3.5", SeriesNumber=5)
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"))
    [entry] = [e for e in item["notes"]["files"]["reasons"] if e["reason"] == "other_pass"]
    assert entry["files"] in (13, 14) and entry["warning"]
    assert any("continues a scan that was read" in warning for warning in item["notes"]["warnings"])


def test_the_real_series_in_two_passes(real_ct: Path, tmp_path: Path) -> None:
    source = real_ct / "crlm_ct_1004/dicom"
    slices = [pydicom.dcmread(path) for path in sorted(source.glob("*.dcm"))]
    slices.sort(key=lambda slice_: float(slice_.ImagePositionPatient[2]))
    for index, slice_ in enumerate(slices):
        for number in (2, 3):
            if index <= 21 if number == 2 else index >= 19:
                slice_.AcquisitionNumber = number
                if number == 3 and index <= 21:
                    slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                slice_.save_as(tmp_path / f"{number}_{index:02d}.dcm")
    [series] = stacks(tmp_path)
    assert series.slices == 41 and len(series.spare) == 3
    shutil.copytree(source, tmp_path / "whole")
    complete = read_series(tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")
    np.testing.assert_array_equal(read_series(tmp_path)[0], complete[0])
