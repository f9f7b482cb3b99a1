"""From nnU-Net's raw folder to a datalist: names and values of others, folders at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ct_files import write_ct, write_label
from prepare.raw_folders import fault_of, voxels

from scripts.lidia.data.annotation import read_annotation
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.datalist.write_datalist import write_datalist
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.vocabulary import IGNORED


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
    (item,) = load_datalist(tmp_path / "o", "training")
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
    options = {"source": "nnunet", "input_dir": small, "dataset_dir": tmp_path / "o"}
    fault = fault_of(**options)
    assert fault.code == "unknown_class" and "'tumour'" in fault.problem and "--class_map" in fault.remedy
    assert fault.file == str(small / "dataset.json")
    change(small / "dataset.json", channel_names={"0": "CT", "1": "CT"})
    reference = {"class_map": {"tumour": "cyst"}}
    fault = fault_of(**{**options, "dataset_dir": tmp_path / "p"}, **reference)
    assert fault.code == "unknown_phase" and "'CT'" in fault.problem and "--phase_map" in fault.remedy
    channels = {"phase_map": {"0": "nc", "1": "delayed"}}
    prepare(**{**options, "dataset_dir": tmp_path / "q"}, **reference, **channels)
    assert list(load_datalist(tmp_path / "q", "training")[0]["phases"]) == ["nc", "delayed"]
    same = {"phase_map": {"CT": "nc"}}
    assert fault_of(**{**options, "dataset_dir": tmp_path / "r"}, **reference, **same).code == "unknown_phase"


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


def test_cases_that_the_json_lists_itself(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key `dataset`: paths are relative to the folder, or begin with a variable."""
    (small / "imagesTr").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("CT_OF_OTHERS", str(tmp_path / "elsewhere"))
    images = ["../elsewhere/A_1_0000.nii.gz", "$CT_OF_OTHERS/A_1_0001.nii.gz"]
    options = {"source": "nnunet", "input_dir": small, "class_map": {"tumour": "cyst"}}
    assert fault_of(**options, dataset_dir=tmp_path / "n").code == "no_case"
    change(small / "dataset.json", dataset={"case 9": {"images": images, "label": "labelsTr/A_1.nii.gz"}})
    prepare(**options, dataset_dir=tmp_path / "o")
    (item,) = load_datalist(tmp_path / "o", "training")
    assert item["id"] == "case 9"
    assert Path(item["phases"]["venous"]).samefile(tmp_path / "elsewhere/A_1_0000.nii.gz")
    assert Path(item["phases"]["arterial"]).samefile(tmp_path / "elsewhere/A_1_0001.nii.gz")
    change(small / "dataset.json", dataset={"case 9": {"images": images[:1], "label": "labelsTr/A_1.nii.gz"}})
    fault = fault_of(**options, dataset_dir=tmp_path / "p")
    assert (fault.case, fault.code) == ("case 9", "bad_datalist")
    change(small / "dataset.json", dataset=["A_1"])
    assert fault_of(**options, dataset_dir=tmp_path / "q").code == "bad_datalist"


def test_unannotated_classes_are_ignored_and_written_back(small: Path, tmp_path: Path) -> None:
    label = nib.load(small / "labelsTr/A_1.nii.gz")
    values = np.asarray(label.dataobj).copy()
    values[0:4] = 4
    nib.save(nib.Nifti1Image(values, label.affine), small / "labelsTr/A_1.nii.gz")
    change(small / "dataset.json", labels={"background": 0, "HCC": 1, "Liver": 2, "tumour": 3, "ignore": 4})
    options = {"source": "nnunet", "input_dir": small, "class_map": {"tumour": "cyst"}}
    prepare(**options, dataset_dir=tmp_path / "o")
    (item,) = load_datalist(tmp_path / "o", "training")
    assert (voxels(item["label"])[0:4] == item["ignore"]).all()
    liver = (values == 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(liver, label.affine), tmp_path / "liver.nii.gz")
    drawing = read_annotation({**item, "liver": str(tmp_path / "liver.nii.gz")}, 25.0)
    classes = drawing.classes.numpy()[0]
    assert (classes[0:4] == IGNORED).all() and (classes[4:] != IGNORED).all()
    entries = {"training": [{**item, "liver": str(tmp_path / "liver.nii.gz")}]}
    (tmp_path / "back").mkdir()
    write_datalist(tmp_path / "back/dataset.json", entries)
    prepare(source="to_nnunet", input_dir=tmp_path / "back", dataset_dir=tmp_path / "Dataset008_Back")
    about = json.loads((tmp_path / "Dataset008_Back/dataset.json").read_text())
    assert about["labels"]["ignore"] == max(about["labels"].values()) == 10
    assert (voxels(tmp_path / "Dataset008_Back/labelsTr/A_1.nii.gz")[0:4] == 10).all()


def test_a_byte_order_mark_is_no_fault(small: Path, tmp_path: Path) -> None:
    text = (small / "dataset.json").read_text()
    options = {"source": "nnunet", "input_dir": small, "class_map": {"tumour": "cyst"}}
    (small / "dataset.json").write_text(text, encoding="utf-16")
    assert "UTF-16" in fault_of(**options, dataset_dir=tmp_path / "n").problem
    (small / "dataset.json").write_text(text, encoding="utf-8-sig")
    prepare(**options, dataset_dir=tmp_path / "o")
