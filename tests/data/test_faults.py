"""Bad voxels that other readers accept silently are reported; for headers see tests/datalist."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ct_files import affine_of, radius, save, write_ct

from scripts.lidia.data.preprocessing import preprocessing
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.datalist.case_error import CaseError

SHAPE = (40, 40, 30)
AFFINE = affine_of((3.5, 3.5, 5.0), SHAPE)


def body() -> np.ndarray:
    far = radius(AFFINE, SHAPE)
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    return (np.where(far < 45, 60.0, np.where(far < 60, -100.0, -1000.0)) + noise).astype(np.float32)


def code_of(path: str | Path, **options: Any) -> str:
    with pytest.raises(CaseError) as caught:
        read_phase(path, "P1", **options)
    assert caught.value.file == str(path) and caught.value.case == "P1" and caught.value.remedy
    return caught.value.code


def changed(path: Path, change: Any) -> str:
    voxels = body()
    return save(path, np.asarray(change(voxels)), AFFINE)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_cut_files(tmp_path: Path, ending: str) -> None:
    path = Path(write_ct(tmp_path / f"v{ending}")[0])
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    assert code_of(path) == "truncated"


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_voxels_that_begin_beyond_all_files(tmp_path: Path, ending: str) -> None:
    """Found by fuzzing: one byte of the header says an offset that no integer holds."""
    content = bytearray(gzip.decompress(Path(write_ct(tmp_path / "v.nii.gz")[0]).read_bytes()))
    content[108:112] = np.float32(6.5e21).tobytes()
    path = tmp_path / f"far{ending}"
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    assert code_of(path) == "damaged"


@pytest.mark.parametrize("bit", range(8))
def test_one_bit_flipped(tmp_path: Path, bit: int) -> None:
    path = Path(write_ct(tmp_path / "v.nii.gz")[0])
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1 << bit
    path.write_bytes(raw)
    assert code_of(path) in ("damaged", "truncated")


def test_whole_voxels_without_checksum_and_joined_gzip_are_taken(tmp_path: Path) -> None:
    path = Path(write_ct(tmp_path / "v.nii.gz")[0])
    plain = read_phase(path, "P1")[0]
    raw = path.read_bytes()
    (tmp_path / "short.nii.gz").write_bytes(raw[:-8])
    assert np.array_equal(read_phase(tmp_path / "short.nii.gz", "P1")[0], plain)
    content = gzip.decompress(raw)
    joined = gzip.compress(content[:5000]) + gzip.compress(content[5000:])
    (tmp_path / "joined.nii.gz").write_bytes(joined)
    assert np.array_equal(read_phase(tmp_path / "joined.nii.gz", "P1")[0], plain)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_few_bad_voxels_are_air_and_leave_no_hole(tmp_path: Path, value: float) -> None:
    def spoil(voxels: np.ndarray) -> np.ndarray:
        voxels[20, 20, 15:18] = value
        return voxels

    path = changed(tmp_path / "v.nii.gz", spoil)
    got = preprocessing()({"phases": {"venous": path}})
    assert torch.isfinite(got["image"][2]).all() and "3 voxels are not finite" in got["warnings"][0]


def test_many_bad_voxels_are_an_error(tmp_path: Path) -> None:
    def slab(voxels: np.ndarray) -> np.ndarray:
        voxels[:, :, 10:15] = np.nan
        return voxels

    assert code_of(changed(tmp_path / "slab.nii.gz", slab)) == "not_finite"
    assert code_of(changed(tmp_path / "all.nii.gz", lambda v: v * np.nan)) == "not_finite"


def test_padding_of_scanners_and_metal_are_clamped(tmp_path: Path) -> None:
    def pad(voxels: np.ndarray) -> np.ndarray:
        voxels[:3], voxels[20, 20, 15] = -3024, 20000
        return voxels

    voxels, _, remarks = read_phase(changed(tmp_path / "v.nii.gz", pad), "P1")
    assert voxels.min() == -1024 and voxels.max() == 3071 and remarks == []


def test_much_metal_has_a_warning(tmp_path: Path) -> None:
    def implant(voxels: np.ndarray) -> np.ndarray:
        voxels[18:24, 18:24, 14:18] = 3060
        return voxels

    (remark,) = read_phase(changed(tmp_path / "v.nii.gz", implant), "P1")[2]
    assert remark.code == "metal" and remark.severity == "warning" and "9 ml" in remark.problem


@pytest.mark.parametrize(
    "change",
    [
        lambda v: np.clip((v + 200) / 600 * 255, 0, 255).astype(np.uint8),
        lambda v: np.clip((v + 200) / 600, 0, 1).astype(np.float32),
        lambda v: np.clip(v + 1024, 0, None).astype(np.uint16),
        lambda v: np.abs(v).astype(np.int16) * 3,
        lambda v: np.zeros(SHAPE, np.int16),
        lambda v: np.full(SHAPE, -1000, np.int16),
    ],
    ids=["eight bits", "normalised", "no intercept", "magnitude", "zero", "air"],
)
def test_numbers_that_are_no_hu(tmp_path: Path, change: Any) -> None:
    path = changed(tmp_path / "v.nii.gz", change)
    assert code_of(path) == "not_hu"
    read_phase(path, "P1", check_hu=False)


def test_a_volume_cut_close_to_the_body_is_only_remarked(tmp_path: Path) -> None:
    path = changed(tmp_path / "v.nii.gz", lambda v: np.maximum(v, -120).astype(np.int16))
    (remark,) = read_phase(path, "P1")[2]
    assert remark.code == "no_air" and remark.severity == "warning"


def test_scale_and_intercept_are_applied(tmp_path: Path) -> None:
    image = nib.Nifti1Image(body().astype(np.int16) + 1024, AFFINE)
    image.header.set_slope_inter(1, -1024)
    image.set_sform(AFFINE, 1)
    nib.save(image, tmp_path / "v.nii.gz")
    voxels, _, _ = read_phase(tmp_path / "v.nii.gz", "P1")
    assert abs(voxels[20, 20, 15] - 60) < 30
    missing = nib.Nifti1Image(np.clip(body() + 1024, 0, None).astype(np.int16), AFFINE)
    missing.header["scl_slope"], missing.header["scl_inter"] = 0, -1024
    nib.save(missing, tmp_path / "w.nii.gz")
    raw_slope = nib.load(tmp_path / "w.nii.gz").dataobj.slope
    assert raw_slope == 1 and code_of(tmp_path / "w.nii.gz") == "not_hu"


def test_a_dicom_folder_without_pydicom_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(CaseError, match="pydicom") as caught:
        read_phase(tmp_path, "P1")
    assert caught.value.code == "no_reader"
