"""From nnU-Net's raw folder to a datalist: names and values of others, folders at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ct_files import write_ct, write_label
from prepare.raw_folders import fault_of, voxels

from scripts.lidia.datalist import datalist
from scripts.lidia.prepare import prepare


def change(path: Path, **values: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | values))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A raw folder as others write it: two channels, names and values of their own."""
    folder = tmp_path / "Dataset007_Other"
    for channel in (0, 1):
        _, affine = write_ct(folder / f"imagesTr/A_1_000{channel}.nii.gz", seed=channel)
    lesions = [(1, (10, 10, 0), 12.0), (3, (-15, 0, 0), 9.0)]
    write_label(folder / "labelsTr/A_1.nii.gz", affine, (40, 40, 30), lesions, liver=False)
    about = {
        "channel_names": {"0": "Portal-Venous", "1": "late arterial"},
        "labels": {"background": 0, "HCC": 1, "Liver": 2, "tumour": 3},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(about))
    return folder


def test_names_and_values_of_others(small: Path, tmp_path: Path) -> None:
    prepare(source="nnunet", input_dir=small, dataset_dir=tmp_path / "o", class_map={"tumour": "metastases"})
    (item,) = datalist(tmp_path / "o", "training")
    assert item["id"] == "A_1" and list(item["phases"]) == ["arterial", "venous"]
    assert item["phases"]["venous"] == str(small / "imagesTr/A_1_0000.nii.gz")
    before, after = voxels(small / "labelsTr/A_1.nii.gz"), voxels(item["label"])
    assert {(int(a), int(b)) for a, b in zip(before.flat, after.flat, strict=True)} == {
        *[(0, 0), (1, 2), (3, 4)],
    }
    again = fault_of(
        source="nnunet", input_dir=small, dataset_dir=tmp_path / "o", class_map={"tumour": "ICC"}
    )
    assert again.code == "other_settings"


def test_unknown_names_are_one_clear_error(small: Path, tmp_path: Path) -> None:
    asked = {"source": "nnunet", "input_dir": small, "dataset_dir": tmp_path / "o"}
    fault = fault_of(**asked)
    assert fault.code == "unknown_class" and "'tumour'" in fault.problem and "--class_map" in fault.remedy
    assert fault.file == str(small / "dataset.json")
    change(small / "dataset.json", channel_names={"0": "CT", "1": "CT"})
    known = {"class_map": {"tumour": "cyst"}}
    fault = fault_of(**{**asked, "dataset_dir": tmp_path / "p"}, **known)
    assert fault.code == "unknown_phase" and "'CT'" in fault.problem and "--phase_map" in fault.remedy
    channels = {"phase_map": {"0": "nc", "1": "delayed"}}
    prepare(**{**asked, "dataset_dir": tmp_path / "q"}, **known, **channels)
    assert list(datalist(tmp_path / "q", "training")[0]["phases"]) == ["nc", "delayed"]
    same = {"phase_map": {"CT": "nc"}}
    assert fault_of(**{**asked, "dataset_dir": tmp_path / "r"}, **known, **same).code == "unknown_phase"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda f: (f / "dataset.json").unlink(), "missing"),
        (lambda f: (f / "dataset.json").write_text("{"), "bad_json"),
        (lambda f: (f / "dataset.json").write_text("[]"), "bad_datalist"),
        (lambda f: change(f / "dataset.json", file_ending=".png"), "not_nifti"),
        (lambda f: change(f / "dataset.json", labels={"background": 0, "HCC": [1, 2]}), "bad_label"),
        (lambda f: change(f / "dataset.json", labels={"background": 0, "HCC": 1}), "bad_label"),
        (lambda f: (f / "labelsTr/A_1.nii.gz").unlink(), "missing"),
        (lambda f: (f / "imagesTr/A_1_0001.nii.gz").rename(f / "imagesTr/A_1.nii.gz"), "bad_id"),
        (lambda f: (f / "splits_final.json").write_text('[{"train": ["B"], "val": []}]'), "bad_datalist"),
    ],
)
def test_raw_folders_at_fault(small: Path, tmp_path: Path, spoil: Any, code: str) -> None:
    spoil(small)
    options = {"class_map": {"tumour": "cyst"}, "dataset_dir": tmp_path / "o"}
    fault = fault_of(source="nnunet", input_dir=small, **options)
    assert fault.code == code
    assert not (tmp_path / "o/dataset.json").exists()
