"""Stored values that are not HU are corrected if the header states how; else the series is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct_files import radius
from dicom.spoiled import spoil_all
from dicom.tagged import AFFINE, SHAPE, add, body, chosen, numbers, study
from dicom_files import write_series
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.pixel_values import _decode_pixels
from scripts.lidia.dicom.series import read_series
from scripts.lidia.inference.inputs import resolve_inputs

RING = np.hypot(*np.meshgrid(np.linspace(-1, 1, SHAPE[1]), np.linspace(-1, 1, SHAPE[0]))) > 1
"""(X, Y): outside the reconstruction circle."""


def write(folder: Path, stored: Any, change: Any = None, **tags: Any) -> Path:
    """A series whose stored values are `stored` of the body's HU, (X, Y, slice)."""
    hu = body()

    def rewrite(slice_: Dataset, number: int) -> None:
        values = np.rint(stored(hu[:, :, number], number))
        slice_.PixelData = values.T.astype(np.int64).astype(np.uint16).tobytes()
        if change is not None:
            change(slice_, number)

    return write_series(folder, hu, AFFINE, change=rewrite, **tags)


def expected() -> np.ndarray:
    return np.maximum(body(), -1024)


def ringed(value: int, offset: int = 1024) -> Any:
    return lambda hu, _: np.where(RING, value, hu + offset)


UNSIGNED, SIGNED = {"PixelRepresentation": 0}, {"PixelRepresentation": 1}


@pytest.mark.parametrize(
    ("stored", "tags", "vr", "padding"),
    [
        (ringed(63536), UNSIGNED, "US", (63536, None)),
        (ringed(63536), UNSIGNED, "SS", (-2000, None)),
        (ringed(4095), UNSIGNED, "US", (4095, None)),
        (ringed(-2000, 0), {**SIGNED, "RescaleIntercept": 0}, "US", (63536, None)),
        (ringed(32767), SIGNED, "SS", (32767, None)),
        (ringed(63000), UNSIGNED, "US", (65535, 60000)),
        (ringed(0), UNSIGNED, "US", (0, None)),
        (ringed(0, 0), {**SIGNED, "RescaleIntercept": 0}, "SS", (0, None)),
        (ringed(1084), UNSIGNED, "US", (1084, None)),
    ],
)
def test_declared_padding_is_air(tmp_path: Path, stored: Any, tags: Any, vr: str, padding: Any) -> None:
    folder = write(tmp_path / "s", stored, **tags)
    for keyword, value in zip(("PixelPaddingValue", "PixelPaddingRangeLimit"), padding, strict=True):
        if value is not None:
            raw = int(value).to_bytes(2, "little", signed=value < 0)
            spoil_all(folder, keyword, raw, vr)
    voxels, _, remarks = read_series(folder, case="P1")
    needed = np.where(RING[:, :, None], -1024, expected())
    np.testing.assert_array_equal(voxels, needed)
    [bright] = {float(hu) for hu in np.unique(stored(body()[:, :, 0], 0)[RING])}
    needs_a_word = bright * 1 + tags.get("RescaleIntercept", -1024) > -900
    assert [remark.code for remark in remarks] == ["pixels"] * needs_a_word


@pytest.mark.parametrize("value", [63536, 4095, 32767, 1024, 40000])
def test_one_value_at_all_corners_is_undeclared_padding(tmp_path: Path, value: int) -> None:
    voxels, _, [remark] = read_series(write(tmp_path / "s", ringed(value), **UNSIGNED), case="P1")
    np.testing.assert_array_equal(voxels, np.where(RING[:, :, None], -1024, expected()))
    assert remark.code == "pixels" and "24 of 24 slices" in remark.problem


def test_usual_padding_has_no_remark(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", ringed(-2000, 0), PixelRepresentation=1, RescaleIntercept=0)
    voxels, _, remarks = read_series(folder, case="P1")
    assert remarks == [] and voxels.min() == -1024


def test_tissue_that_has_the_value_of_padding_stays(tmp_path: Path) -> None:
    ball = radius(AFFINE, SHAPE) < 20
    folder = write(tmp_path / "s", lambda hu, n: np.where(RING | ball[:, :, n], 1084, hu + 1024), **UNSIGNED)
    spoil_all(folder, "PixelPaddingValue", (1084).to_bytes(2, "little"), "US")
    voxels = read_series(folder, case="P1")[0]
    assert (voxels[ball] == 60).all() and (voxels[RING] == -1024).all()


def test_bits_above_those_stored_are_masked(tmp_path: Path) -> None:
    overlay = 0xF000 * (np.arange(SHAPE[0]) % 7 == 0)[:, None]
    folder = write(tmp_path / "s", lambda hu, _: (hu.astype(int) + 1024) | overlay,
                   **UNSIGNED, BitsStored=12, HighBit=11)  # fmt: skip
    voxels, _, [remark] = read_series(folder, case="P1")
    np.testing.assert_array_equal(voxels, expected())
    assert "masked" in remark.problem


def test_values_at_the_top_of_their_cell_are_taken_from_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", lambda hu, _: (hu.astype(int) + 1024) << 4,
                   **UNSIGNED, BitsStored=12, HighBit=15)  # fmt: skip
    np.testing.assert_array_equal(read_series(folder, case="P1")[0], expected())


def test_slope_intercept_and_sign_may_differ_from_slice_to_slice(tmp_path: Path) -> None:
    def stored(hu: np.ndarray, number: int) -> np.ndarray:
        return (hu + 1024) * 2 if number % 3 else hu

    def change(slice_: Dataset, number: int) -> None:
        scale = (0.5, -1024, 0) if number % 3 else (1, 0, 1)
        slice_.RescaleSlope, slice_.RescaleIntercept, slice_.PixelRepresentation = scale

    voxels, _, remarks = read_series(write(tmp_path / "s", stored, change), case="P1")
    np.testing.assert_array_equal(voxels, expected())
    assert remarks == []


def test_monochrome1_changes_no_hu(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", lambda hu, _: hu + 1024, PhotometricInterpretation="MONOCHROME1")
    voxels, _, [remark] = read_series(folder, case="P1")
    np.testing.assert_array_equal(voxels, expected())
    assert "MONOCHROME1" in remark.problem


def change_slice(number: int, **tags: Any) -> Any:
    def change(slice_: Dataset, at: int) -> None:
        for keyword, value in tags.items() if at == number else ():
            setattr(slice_, keyword, value)

    return change


def with_offset(hu: np.ndarray, _: int) -> np.ndarray:
    return hu + 1024


REFUSED = {
    "air is 64536": (lambda hu, _: hu, None, {**UNSIGNED, "RescaleIntercept": 0}, "PixelRepresentation 0"),
    "no offset": (with_offset, None, {"RescaleIntercept": 0}, "RescaleIntercept 0"),
    "offset of another scale": (lambda hu, _: hu + 8192, None, {}, "RescaleIntercept -1024"),
    "offset twice": (lambda hu, _: hu, None, {}, "RescaleIntercept -1024"),
    "slope ten": (with_offset, None, {"RescaleSlope": 10}, "RescaleSlope 10"),
    "turned over": (lambda hu, _: 3071 - hu, None, {"PhotometricInterpretation": "MONOCHROME1"}, "HU"),
    "one slice of another offset": (with_offset, change_slice(9, RescaleIntercept=0), {}, "_009.dcm"),
    "the last slice of another offset": (with_offset, change_slice(23, RescaleIntercept=0), {}, "_023.dcm"),
    "one slice of noise": (lambda hu, n: np.where(n == 9, 1024, hu + 1024), None, {}, "_009.dcm"),
    "high bit": (with_offset, None, {**UNSIGNED, "BitsStored": 12, "HighBit": 15}, "HighBit"),
    "sign without bits": (lambda hu, _: (hu.astype(int) + 1500) & 4095, None,
                          {**SIGNED, "BitsStored": 10, "HighBit": 9}, "PixelRepresentation"),
    "padding of tissue": (
        with_offset, None, {**UNSIGNED, "PixelPaddingValue": 900, "PixelPaddingRangeLimit": 1200},
        "PixelPaddingRangeLimit",
    ),
    "eight bits": (with_offset, None, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "Bits"),
    "colour": (with_offset, None, {"SamplesPerPixel": 3}, "SamplesPerPixel"),
    "another unit": (with_offset, None, {"RescaleType": "ED"}, "RescaleType"),
    "a table": (with_offset, change_slice(3, ModalityLUTSequence=[Dataset()]), {}, "ModalityLUTSequence"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_values_that_are_not_hu_are_refused(tmp_path: Path, kind: str) -> None:
    stored, change, tags, visible = REFUSED[kind]
    folder = write(tmp_path / "s", stored, change, **tags)
    with pytest.raises(CaseError) as caught:
        read_series(folder, case="P1")
    fault = caught.value
    assert fault.case == "P1" and fault.code in ("bad_value", "not_hu") and fault.remedy
    assert visible in fault.problem + fault.file and Path(fault.file).suffix == ".dcm"


def test_the_other_series_are_read_and_the_refused_one_is_named(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    for path in folder.glob("1.2.3.3_*"):
        path.unlink()
    add(folder, 3, "art", RescaleIntercept=0)
    [item] = resolve_inputs(dicom_dir=str(folder), output_dir=str(tmp_path / "out"))
    assert set(item["phases"]) == {"nc", "venous", "delayed"}
    assert {p.name for p in (tmp_path / "out/phases/P1").glob("*.nii.gz")} == {
        "nc.nii.gz", "venous.nii.gz", "delayed.nii.gz"
    }  # fmt: skip
    [warning] = [text for text in item["notes"]["warnings"] if "arterial" in text]
    assert "RescaleIntercept 0" in warning and "1.2.3.3_" in warning


def test_another_reconstruction_replaces_one_without_hu(tmp_path: Path) -> None:
    folder = study(tmp_path)
    add(folder, 9, "ven", RescaleIntercept=0, AcquisitionTime="100235")
    assert numbers(chosen(folder)) is not None
    [item] = resolve_inputs(dicom_dir=str(folder), output_dir=str(tmp_path / "out"))
    assert set(item["phases"]) == {"nc", "arterial", "venous", "delayed"}


def test_pydicom_2_masks_unused_bits_as_pydicom_3_does(monkeypatch: pytest.MonkeyPatch) -> None:
    class Header(Dataset):
        pixel_array = np.array([[0xF001, 0x0FFF], [0x1800, 0x0123]], np.uint16).view(np.int16)

    header = Header()
    header.BitsStored, header.file_meta = 12, Dataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    monkeypatch.setitem(sys.modules, "pydicom.pixels", None)
    assert _decode_pixels(header).tolist() == [[1, -1], [-2048, 0x123]]
    assert np.array_equal(_decode_pixels(header, correct_unused_bits=False), header.pixel_array)
