from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ct_files import radius, save, write_ct
from monai.bundle import run
from test_configs import reason

from scripts.lidia.data.read_background import read_background
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.prepare.write_implants import write_implants


def test_axes_are_turned_and_turned_back(files: dict[str, str], anatomy: Anatomy) -> None:
    stored = nib.load(files["venous"])
    source = anatomy.source
    assert np.array_equal(source.as_stored(source.phases["venous"]), np.asarray(stored.dataobj, np.float32))
    assert np.array_equal(source.phases["venous"], np.asarray(stored.dataobj)[::-1, ::-1])
    np.testing.assert_allclose(source.spacing, stored.header.get_zooms(), rtol=1e-5)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1)])
def test_any_orientation_comes_back(tmp_path: Path, flips: tuple[int, int, int]) -> None:
    path, affine = write_ct(tmp_path / "ct.nii.gz", flips=flips)
    mask = save(tmp_path / "m.nii.gz", (radius(affine, (40, 40, 30)) < 45).astype(np.uint8), affine)
    background = read_background("P1", {"nc": path}, mask)
    complete = np.asarray(nib.load(path).dataobj, np.float32)
    assert np.array_equal(background.as_stored(background.phases["nc"]), complete)
    assert background.reference == "nc"


def fault(code: str, path: str, mask: str) -> None:
    with pytest.raises(CaseError) as caught:
        read_background("P1", {"venous": path}, mask)
    error = caught.value
    assert (error.code, error.case) == (code, "P1") and error.file and error.remedy


def test_bad_masks_are_one_clear_error(tmp_path: Path) -> None:
    path, affine = write_ct(tmp_path / "ct.nii.gz")
    shape = (40, 40, 30)
    far = radius(affine, shape)

    def mask(name: str, where: np.ndarray, place: np.ndarray = affine) -> str:
        return save(tmp_path / name, where.astype(np.uint8), place)

    fault("missing", path, str(tmp_path / "none.nii.gz"))
    fault("empty_liver", path, mask("empty.nii.gz", far < 0))
    fault("small_liver", path, mask("small.nii.gz", far < 25))

    fault("no_liver", path, mask("fat.nii.gz", (far > 52) & (far < 58)))
    shifted = affine.copy()
    shifted[0, 3] += 7
    fault("other_grid", path, mask("moved.nii.gz", far < 45, shifted))
    fault("other_grid", path, mask("cut.nii.gz", (far < 45)[:, :, :-2]))


def test_numbers_that_are_no_hu_are_refused(tmp_path: Path) -> None:
    path, affine = write_ct(tmp_path / "ct.nii.gz")
    mask = save(tmp_path / "m.nii.gz", (radius(affine, (40, 40, 30)) < 45).astype(np.uint8), affine)
    shifted = np.asarray(nib.load(path).dataobj) + 1024
    fault("not_hu", save(tmp_path / "shifted.nii.gz", shifted.astype(np.int16), affine), mask)


def test_a_background_without_a_mask(tmp_path: Path) -> None:
    with pytest.raises(CaseError) as caught:
        write_implants(dataset_dir=tmp_path, background="ct.nii.gz")
    assert (caught.value.code, caught.value.file) == ("no_liver_mask", "ct.nii.gz")
    entries = tmp_path / "list.json"
    entries.write_text('{"test": [{"id": "P1", "phases": {"venous": "v.nii.gz"}}]}')
    with pytest.raises(CaseError) as caught:
        write_implants(dataset_dir=tmp_path, background=str(entries))
    assert (caught.value.code, caught.value.file) == ("no_liver_mask", str(entries))
    with pytest.raises(CaseError) as caught:
        write_implants(dataset_dir=tmp_path, background=str(entries), background_ids=["P1", "P2"])
    assert (caught.value.code, caught.value.file) == ("unknown_case", str(entries))
    assert "P2" in caught.value.problem
    assert "P1" not in caught.value.problem
    with pytest.raises(ValueError, match="liver"):
        write_implants(dataset_dir=tmp_path, background=str(entries), liver="mask.nii.gz")


@pytest.mark.filterwarnings("ignore:parsing config_file")
@pytest.mark.parametrize(
    "option", [{"small_lesions_prob": 0.3}, {"background_ids": ["P1"]}, {"liver": "mask.nii.gz"}]
)
def test_an_option_of_implants_needs_a_background(tmp_path: Path, bundle: Path, option: dict) -> None:
    with pytest.raises(RuntimeError) as caught:
        run(config_file=str(bundle / "configs/phantom.json"), dataset_dir=str(tmp_path / "data"), **option)
    assert "--background" in str(reason(caught.value))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"cases": 0},
        {"cohort": "lunar"},
        {"section": "exam"},
        {"background_phase": "late"},
        {"breathing": "raw"},
        {"timepoints": 2},
        {"unchanged": True},
        {"background_ids": ["a"]},
        {"grid": (2.0, None)},
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict) -> None:
    word = "spacing" if "grid" in wrong else next(iter(wrong))
    with pytest.raises(ValueError, match=word):
        write_implants(dataset_dir=tmp_path, **({"background": "a.nii.gz", "liver": "b.nii.gz"} | wrong))
