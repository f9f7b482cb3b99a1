from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct_files import affine_of, radius
from dicom_files import Change, write_series
from pydicom import Dataset

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_series

SHAPE = (40, 36, 30)
SPACING = (3.0, 3.0, 5.0)
AFFINE = affine_of(SPACING, SHAPE, (-1, -1, 1))


def body() -> np.ndarray:
    far = radius(AFFINE, SHAPE, (12, 0, 20))
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    return np.rint(np.where(far < 30, 110.0, np.where(far < 50, -100.0, -1000.0)) + noise)


def write(folder: Path, change: Change | None = None, **choices: Any) -> Path:
    return write_series(folder, body(), AFFINE, change=change, **choices)


def fault_of(folder: Path) -> CaseError:
    with pytest.raises(CaseError) as caught:
        read_series(folder, case="P1")
    assert caught.value.case == "P1" and str(folder) in caught.value.file and caught.value.remedy
    return caught.value


def test_voxels_and_place(tmp_path: Path) -> None:
    voxels, affine, remarks = read_series(write(tmp_path / "s"))
    assert voxels.shape == SHAPE and voxels.dtype == np.float32 and remarks == []
    np.testing.assert_allclose(affine, AFFINE, atol=1e-6)  # slices from feet to head, as ITK stacks them
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij")).reshape(3, -1)
    place = affine[:3, :3] @ index + affine[:3, 3:]
    at = np.rint(np.linalg.solve(AFFINE[:3, :3], place - AFFINE[:3, 3:])).astype(int)
    assert np.array_equal(voxels.reshape(-1), body()[tuple(at)])
    bright = place[:, voxels.reshape(-1) > 60].mean(1)
    np.testing.assert_allclose(bright, (12, 0, 20), atol=1.0)


def test_a_folder_is_a_phase(tmp_path: Path) -> None:
    got = preprocessing()({"id": "P1", "phases": {"venous": str(write(tmp_path / "s"))}})
    assert got["warnings"] == [] and abs(float(got["image"][2].max()) - (130 - 100) / 300) < 0.1


def test_padding_is_air(tmp_path: Path) -> None:
    def pad(slice_: Dataset, _: int) -> None:
        pixels = np.frombuffer(slice_.PixelData, np.int16).copy()
        pixels[:20] = -2000
        slice_.PixelData = pixels.tobytes()

    assert read_series(write(tmp_path / "s", pad))[0].min() == -1024


def test_names_order_and_other_files_do_not_matter(tmp_path: Path) -> None:
    plain = read_series(write(tmp_path / "s"))
    folder = tmp_path / "t" / "deep"
    write(folder)
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        path.rename(folder / f"IM{number}")
    (tmp_path / "t" / "DICOMDIR").write_bytes(b"x")
    (tmp_path / "t" / "readme.txt").write_text("hello")
    voxels, affine, remarks = read_series(tmp_path / "t")
    assert np.array_equal(voxels, plain[0]) and np.array_equal(affine, plain[1]) and remarks == []


def test_intercepts_of_single_slices_are_applied(tmp_path: Path) -> None:
    def lift(slice_: Dataset, number: int) -> None:
        pixels = np.frombuffer(slice_.PixelData, np.int16) + number
        slice_.PixelData, slice_.RescaleIntercept = pixels.astype(np.int16).tobytes(), -1024 - number

    assert np.array_equal(read_series(write(tmp_path / "s"))[0], read_series(write(tmp_path / "t", lift))[0])


def test_two_series_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "s")
    write(tmp_path / "s", lambda s, _: setattr(s, "SeriesDescription", "arterial"), series="1.2.4")
    fault = fault_of(tmp_path / "s")
    assert fault.code == "two_series" and "'portal'" in fault.problem and "'arterial'" in fault.problem


def test_two_acquisitions_in_one_series(tmp_path: Path) -> None:
    def second(slice_: Dataset, _: int) -> None:
        slice_.SeriesInstanceUID, slice_.AcquisitionNumber = "1.2.3", 2
        slice_.PixelData = (np.frombuffer(slice_.PixelData, np.int16) + 40).astype(np.int16).tobytes()

    write(tmp_path / "s")
    write(tmp_path / "s", second, series="1.2.7")
    fault = fault_of(tmp_path / "s")
    assert fault.code == "two_acquisitions" and "1, 2" in fault.problem


def test_copies_of_slices_are_left_out(tmp_path: Path) -> None:
    plain = read_series(write(tmp_path / "s"))[0]
    first = tmp_path / "s" / "1.2.3_000.dcm"
    shutil.copy(first, tmp_path / "s" / "again.dcm")
    write(tmp_path / "s", lambda s, n: setattr(s, "SeriesInstanceUID", "1.2.3"), series="1.2.9", slices=[3])
    voxels, _, remarks = read_series(tmp_path / "s")
    assert (
        np.array_equal(voxels, plain)
        and [r.code for r in remarks] == ["copies"]
        and "2" in remarks[0].problem
    )


def test_localizers_and_reports_are_left_out(tmp_path: Path) -> None:
    plain = read_series(write(tmp_path / "s"))[0]

    def scout(slice_: Dataset, _: int) -> None:
        slice_.ImageType, slice_.ImageOrientationPatient = (
            ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            [1, 0, 0, 0, 0, -1],
        )

    def report(slice_: Dataset, _: int) -> None:
        slice_.Modality = "SR"
        for tag in ("Rows", "Columns", "PixelData", "ImagePositionPatient"):
            delattr(slice_, tag)

    write(tmp_path / "s", scout, series="1.2.5", slices=[0])
    write(tmp_path / "s", report, series="1.2.6", slices=[0])
    write(
        tmp_path / "s",
        lambda s, _: setattr(s, "SeriesInstanceUID", "1.2.3") or scout(s, 0),
        series="1.2.10",
        slices=[1],
    )
    voxels, _, remarks = read_series(tmp_path / "s")
    assert np.array_equal(voxels, plain) and "3 files" in remarks[0].problem


def test_one_slice_of_another_orientation_is_left_out_and_many_are_an_error(tmp_path: Path) -> None:
    def turned(slice_: Dataset, _: int) -> None:
        slice_.SeriesInstanceUID, slice_.ImageOrientationPatient = "1.2.3", [1, 0, 0, 0, 0, -1]

    plain = read_series(write(tmp_path / "s"))[0]
    write(tmp_path / "s", turned, series="1.2.7", slices=[0])
    voxels, _, remarks = read_series(tmp_path / "s")
    assert np.array_equal(voxels, plain) and "another shape" in remarks[0].problem
    write(tmp_path / "s", turned, series="1.2.8", slices=range(15))
    assert fault_of(tmp_path / "s").code == "mixed_slices"


def shifted(change: Callable[[float], float]) -> Change:
    def move(slice_: Dataset, number: int) -> None:
        x, y, z = slice_.ImagePositionPatient
        slice_.ImagePositionPatient = [x, y, change(float(z)) if number else z]

    return move


def tilted(slice_: Dataset, _: int) -> None:
    x, y, z = (float(v) for v in slice_.ImagePositionPatient)
    slice_.ImagePositionPatient = [x, y + 0.36 * z, z]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s, n: n not in (12, 13), "gap"),
        (shifted(lambda z: z + 0.05 * z * (z > 0)), "uneven"),
        (tilted, "tilt"),
        (lambda s, n: n < 5, "too_flat"),
        (lambda s, n: setattr(s, "Modality", "MR"), "not_ct"),
        (lambda s, n: setattr(s, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "not_ct"),
        (lambda s, n: n != 4 or delattr(s, "RescaleIntercept"), "no_tags"),
        (lambda s, n: n != 4 or delattr(s, "ImageOrientationPatient"), "no_tags"),
        (lambda s, n: n != 4 or setattr(s, "PixelData", s.PixelData[:100]), "truncated"),
        (lambda s, n: n != 4 or delattr(s, "PixelData"), "truncated"),
    ],
    ids=[
        "gap",
        "uneven",
        "tilt",
        "few",
        "MR",
        "localizers",
        "no rescale",
        "no turn",
        "cut pixels",
        "no pixels",
    ],
)
def test_series_that_are_no_volume(tmp_path: Path, change: Change, code: str) -> None:
    assert fault_of(write(tmp_path / "s", change)).code == code


def test_a_gap_is_placed(tmp_path: Path) -> None:
    fault = fault_of(write(tmp_path / "s", lambda s, n: n not in (12, 13)))
    assert f"{AFFINE[2, 3] + 11 * 5:.1f} to {AFFINE[2, 3] + 14 * 5:.1f}" in fault.problem


def test_rounded_positions_are_no_gap(tmp_path: Path) -> None:
    def rounded(slice_: Dataset, _: int) -> None:
        slice_.ImagePositionPatient = [round(float(v) + 0.04, 1) for v in slice_.ImagePositionPatient]

    assert read_series(write(tmp_path / "s", rounded))[0].shape == SHAPE


def test_damaged_files(tmp_path: Path) -> None:
    write(tmp_path / "s")
    path = tmp_path / "s" / "1.2.3_007.dcm"
    raw = path.read_bytes()
    for content, codes in (
        (b"", {"empty_file"}),
        (raw[:300], {"damaged", "truncated", "no_tags", "gap"}),
        (raw[:-500], {"truncated", "damaged"}),
        (b"no dicom" * 40, {"damaged"}),
    ):
        path.write_bytes(content)
        fault = fault_of(tmp_path / "s")
        assert fault.code in codes
        if fault.code != "gap":
            assert fault.file == str(path)


def test_folders_without_dicom(tmp_path: Path) -> None:
    assert fault_of(tmp_path).code == "no_dicom"
    (tmp_path / "a.txt").write_text("x")
    assert fault_of(tmp_path).code == "no_dicom"


@pytest.mark.real
def test_three_slices_are_no_volume(real_ct: Path) -> None:
    assert fault_of(real_ct / "dcmqi_ct3slice").code == "too_flat"
