from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ct_files import affine_of, save, write_ct

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_header

SHAPE = (30, 30, 20)
AFFINE = affine_of((3, 3, 5), SHAPE)


def plain(path: Path, voxels: np.ndarray | None = None, affine: np.ndarray = AFFINE) -> str:
    return save(path, np.zeros(SHAPE, np.int16) if voxels is None else voxels, affine)


def code_of(path: str | Path) -> str:
    with pytest.raises(CaseError) as caught:
        check_header(path, case="P1")
    assert caught.value.case == "P1" and caught.value.file == str(path) and caught.value.remedy
    return caught.value.code


def test_a_good_file_has_no_remarks(tmp_path: Path) -> None:
    assert check_header(write_ct(tmp_path / "v.nii.gz")[0]) == []
    assert check_header(plain(tmp_path / "w.nii", np.zeros((*SHAPE, 1), np.float32))) == []


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    assert code_of(path) == "missing"
    path.write_bytes(b"")
    assert code_of(path) == "empty_file"
    path.write_text("<html>not found</html>")
    assert code_of(path) == "wrong_ending"
    path.write_bytes(gzip.compress(b"<html>not found</html>" * 100))
    assert code_of(path) == "not_nifti"
    good = Path(plain(tmp_path / "good.nii"))
    path.write_bytes(good.read_bytes())
    assert code_of(path) == "wrong_ending"
    short = tmp_path / "short.nii"
    short.write_bytes(good.read_bytes()[:100])
    assert code_of(short) == "not_nifti"


@pytest.mark.parametrize(
    ("voxels", "code"),
    [
        (np.zeros((*SHAPE, 3), np.int16), "not_3d"),
        (np.zeros((*SHAPE, 1, 3), np.int16), "not_3d"),
        (np.zeros((30, 30), np.int16), "too_flat"),
        (np.zeros((30, 30, 7), np.int16), "too_flat"),
        (np.zeros(SHAPE, np.complex64), "bad_dtype"),
        (np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")]), "bad_dtype"),
    ],
)
def test_voxels_that_are_no_volume(tmp_path: Path, voxels: np.ndarray, code: str) -> None:
    assert code_of(plain(tmp_path / "v.nii.gz", voxels)) == code


@pytest.mark.parametrize(
    ("factor", "code"), [(1e-3, "bad_spacing"), (1e3, "bad_spacing"), (0.1, "bad_extent")]
)
def test_units(tmp_path: Path, factor: float, code: str) -> None:
    affine = affine_of((3 * factor, 3 * factor, 5 * factor), SHAPE)
    assert code_of(plain(tmp_path / "v.nii.gz", affine=affine)) == code


def forms(path: Path, q: np.ndarray | None, s: np.ndarray | None) -> Path:
    image = nib.Nifti1Image(np.zeros(SHAPE, np.int16), AFFINE)
    image.set_sform(s if s is not None else AFFINE, 0 if s is None else 1)
    image.set_qform(q if q is not None else AFFINE, 0 if q is None else 1)
    nib.save(image, path)
    return path


def test_orientation_is_never_guessed(tmp_path: Path) -> None:
    path = forms(tmp_path / "none.nii.gz", None, None)
    assert code_of(path) == "no_orientation"
    assert check_header(path, assume_affine=True) == []
    assert check_header(forms(tmp_path / "q.nii.gz", AFFINE, None)) == []
    assert code_of(forms(tmp_path / "zero.nii.gz", None, np.zeros((4, 4)))) == "bad_affine"
    raw = bytearray(forms(tmp_path / "nan.nii", None, AFFINE).read_bytes())
    raw[280:328] = np.full(12, np.nan, np.float32).tobytes()  # srow_x, srow_y, srow_z of NIfTI-1
    (tmp_path / "nan.nii").write_bytes(raw)
    assert code_of(tmp_path / "nan.nii") == "bad_affine"


def test_a_qform_that_is_no_rotation(tmp_path: Path) -> None:
    """Found by spoiling headers at random: a quaternion longer than 1."""
    raw = bytearray(forms(tmp_path / "v.nii", AFFINE, AFFINE).read_bytes())
    raw[256:268] = np.full(3, 2.0, np.float32).tobytes()  # quatern_b, c, d of NIfTI-1
    (tmp_path / "v.nii").write_bytes(raw)
    assert code_of(tmp_path / "v.nii") == "bad_affine"


def test_two_forms(tmp_path: Path) -> None:
    wider = affine_of((3.1, 3, 5), SHAPE)
    assert code_of(forms(tmp_path / "spacing.nii.gz", AFFINE, wider)) == "two_forms"
    far, near = AFFINE.copy(), AFFINE.copy()
    far[0, 3] += 10
    near[0, 3] += 1
    assert code_of(forms(tmp_path / "far.nii.gz", AFFINE, far)) == "two_forms"
    (remark,) = check_header(forms(tmp_path / "near.nii.gz", AFFINE, near))
    assert remark.severity == "warning" and remark.code == "two_forms"


def test_shear_is_a_warning(tmp_path: Path) -> None:
    sheared = AFFINE.copy()
    sheared[0, 2] = 0.5
    (remark,) = check_header(forms(tmp_path / "v.nii.gz", None, sheared))
    assert remark.code == "sheared" and remark.severity == "warning"
