"""Scans of a datalist, the LiTS scan's files, chosen slices, and a whole run on a phantom."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import run
from PIL import Image

from experiments.real_ct.evaluate_scans import evaluate_scans
from experiments.real_ct.scan_pictures import choose_slices
from experiments.real_ct.scans import LITS_ID, convert_lits_scan, list_scans
from scripts.lidia.datalist.case_error import CaseError

CONFIG = Path(__file__).parents[2] / "experiments/configs/real_ct.json"


def write_lits(folder: Path) -> None:
    header = bytes(1024)
    image = np.zeros((128, 128, 128), "<f4")
    label = np.zeros((128, 128, 128), "<i2")
    image[1, 2, 3], label[1, 2, 3] = 77, 2
    (folder / "img_117.mrc").write_bytes(header + image.tobytes())
    (folder / "lab_117.mrc").write_bytes(header + label.tobytes())


def test_lits_scan_lies_as_its_axes_say(tmp_path: Path) -> None:
    write_lits(tmp_path)
    scan = convert_lits_scan(tmp_path, tmp_path)
    image = nib.load(scan.phases["venous"])
    # From right to left, anterior to posterior, inferior to superior
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.get_fdata()[1, 2, 3] == 77 and nib.load(scan.lesions).get_fdata()[1, 2, 3] == 2
    np.testing.assert_allclose(image.header.get_zooms(), 1.4, rtol=1e-6)


def test_a_truncated_lits_file_is_named(tmp_path: Path) -> None:
    write_lits(tmp_path)
    (tmp_path / "lab_117.mrc").write_bytes(bytes(2000))
    with pytest.raises(CaseError) as error:
        convert_lits_scan(tmp_path, tmp_path)
    assert error.value.code == "truncated" and error.value.file.endswith("lab_117.mrc")


def test_an_item_without_liver_mask_is_named(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    content = {"training": [{"id": "a", "phases": {"venous": "a.nii.gz"}}]}
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CaseError) as error:
        list_scans(tmp_path, temporary=tmp_path)
    assert error.value.case == "a" and error.value.code == "no_liver"


def test_slices_go_through_lesions_then_through_the_liver() -> None:
    instances = np.zeros((4, 4, 40), np.uint16)
    tissue = np.zeros((4, 4, 40), bool)
    tissue[:, :, 10:30] = True
    instances[:2, :2, 20] = 1
    instances[0, 0, 18:21] = 1
    instances[0, 3, 25] = 2
    instances[3, 3, 21] = 3  # beside the first
    slices = choose_slices(instances, tissue, count=4, apart=3)
    assert slices == sorted(slices, reverse=True) and len(set(slices)) == 4
    assert {20, 25} < set(slices)
    assert all(abs(a - b) >= 3 for a in slices for b in slices if a != b)
    # Without lesions the 20 slices of the liver are divided in two halves with their middles.
    assert choose_slices(np.zeros_like(instances), tissue, count=2) == [25, 15]


def test_a_volume_with_few_slices() -> None:
    empty = np.zeros((4, 4, 3), np.uint16)
    assert choose_slices(empty, np.zeros((4, 4, 3), bool)) == [2, 1, 0]


@pytest.fixture(scope="module")
def folder(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantoms in the place of CT, with their true livers as masks."""
    folder = tmp_path_factory.mktemp("scans")
    listed = json.loads((cohort / "dataset.json").read_text(encoding="utf-8"))
    items = []
    for item in listed["training"][:2]:
        label = nib.load(cohort / item["label"])
        mask = nib.Nifti1Image((np.asarray(label.dataobj) > 0).astype(np.uint8), label.affine)
        nib.save(mask, folder / f"{item['id']}_liver.nii.gz")
        phases = {"venous": str(cohort / item["phases"]["venous"])}
        items.append({"id": item["id"], "phases": phases, "liver": f"{item['id']}_liver.nii.gz"})
    (folder / "dataset.json").write_text(json.dumps({"training": items}), encoding="utf-8")
    return folder


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_one_command_measures_and_draws(folder: Path, bundle: Path, tmp_path: Path) -> None:
    first, second = (item["id"] for item in json.loads((folder / "dataset.json").read_text())["training"])
    folds = tmp_path / "folds.json"
    folds.write_text(json.dumps({second: str(bundle / "models/model.pt")}), encoding="utf-8")
    options = {"data_dir": str(folder), "output_dir": str(tmp_path / "out"), "logging_file": False}
    options |= {"scans": f"{first},{second}", "training_scans": first, "fold_weights": str(folds)}
    run(config_file=str(CONFIG), options={"spacing": [4.0, 4.0, 5.0]}, **options)
    content = json.loads((tmp_path / "out/real_ct.json").read_text(encoding="utf-8"))
    records = {record["id"]: record for record in content["scans"]}
    assert list(records) == [first, second] and len(content["weights"]) == 1
    assert records[first]["training"] and not records[second]["training"]
    for name, record in records.items():
        assert record["phases"] == ["venous"] and record["seconds"] > 0 and record["lits"] is None
        # The figures agree with the files: the mask took no part in inference, but judges it.
        liver = np.asarray(nib.load(tmp_path / f"out/results/{name}_liver.nii.gz").dataobj) > 0
        mask = np.asarray(nib.load(folder / f"{name}_liver.nii.gz").dataobj) > 0
        assert record["liver"]["dice"] == pytest.approx(2 * (liver & mask).sum() / (liver.sum() + mask.sum()))
        assert record["lesions"]["count"] == len(record["lesions"]["list"])
        assert record["lesions"]["outlined"] is None
        with Image.open(tmp_path / f"out/pictures/{name}.png") as picture:
            assert picture.width == 1500
    page = (tmp_path / "out/real_ct.md").read_text(encoding="utf-8")
    assert page.index("## Unseen scans") < page.index("## Training scans")


def test_an_unknown_scan_is_named(folder: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(CaseError) as error:
        evaluate_scans(
            data_dir=str(folder),
            weights=str(bundle / "models/model.pt"),
            output_dir=str(tmp_path),
            bundle_root=str(bundle),
            scans=[LITS_ID],
            goals={},
            healthy=[],
            hcc=[],
        )
    assert error.value.case == LITS_ID and error.value.code == "unknown_scan"
