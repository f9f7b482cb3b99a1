"""Readers of public data sets, each on a miniature of its layout."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ct_files import affine_of, radius, save
from prepare.miniatures import (
    PLACE,
    SHAPE,
    SPACING,
    centre,
    convert,
    ct,
    fault_of,
    mask,
    nrrd,
    same_grid,
    table,
    values,
)

from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.datalist.read_datalist import load_datalist


@pytest.fixture
def plc(tmp_path: Path) -> Path:
    """An HCC drawn in all phases, an ICC in the arterial one alone, a combined tumour, a healthy liver."""
    root = tmp_path / "plc"
    rows = []
    for number, kind in enumerate(("HCC", "ICC", "CHCC", "CN")):
        case = f"P{number:04d}"
        for phase in ("P", "C1", "C2", "C3"):
            if (number, phase) == (0, "C3"):
                continue
            slices = 30 if phase == "C1" else 32
            shape, spacing = (32, 32, slices), (4.0, 4.0, 128 / slices)
            row = {"patient_id": case, "age": 60, "gender": "F", "phase": phase, "cancer_type": kind}
            row |= {"ct_path": f"ct_files/{case}_ct_{phase}.nii.gz", "mask_path": "", "liver_mask_path": ""}
            ct(root / row["ct_path"], shape, spacing)
            if kind != "CN" and (number != 1 or phase == "C1"):
                row["mask_path"] = f"/home/they/mask_files/{case}_mask_{phase}.nii.gz"
                mask(root / row["mask_path"].removeprefix("/home/they/"), shape, spacing)
            row["liver_mask_path"] = f"liver_mask_files/{case}-livermask_{phase}.nii.gz"
            mask(root / row["liver_mask_path"], shape, spacing, [(1, (0, 0, 0), 45.0)])
            rows.append(row)
    volume = nib.load(root / "ct_files/P0002_ct_P.nii.gz")
    both = np.stack([np.asarray(volume.dataobj), np.zeros(SHAPE, np.int16)], axis=-1)
    save(root / "ct_files/P0002_ct_P.nii.gz", both, volume.affine)
    table(root / "patient_data.csv", rows)
    return root


def test_plc_cect(plc: Path, tmp_path: Path) -> None:
    items = convert("plc_cect", plc, tmp_path / "out")
    assert list(items) == ["P0000", "P0001", "P0002", "P0003"]
    assert list(items["P0000"]["phases"]) == ["nc", "arterial", "venous"], "an absent phase is not listed"
    kinds = {case: values(item["label"]) for case, item in items.items()}
    assert kinds == {"P0000": {0, 1, 2}, "P0001": {0, 1, 3}, "P0002": {0, 1, 9}, "P0003": {0, 1}}
    for item in items.values():
        assert same_grid(item["label"], item["phases"]["venous"])
        LoadPhases("native")(item)
    # drawn in the arterial phase of other slices alone, carried over by its place in space
    np.testing.assert_allclose(centre(items["P0001"]["label"], 3), PLACE, atol=1.0)
    assert items["P0002"]["malignant"] == {"1": True} and "malignant" not in items["P0000"]
    assert items["P0003"]["lesions"] == []
    first = items["P0002"]["phases"]["nc"]
    assert nib.load(first).shape == SHAPE and Path(first).is_relative_to(tmp_path / "out")
    assert np.asarray(nib.load(first).dataobj).max() > 50


def test_a_changed_table_changes_the_labels(plc: Path, tmp_path: Path) -> None:
    convert("plc_cect", plc, tmp_path / "out")
    file = plc / "patient_data.csv"
    file.write_text(file.read_text().replace(",HCC,", ",ICC,"))
    assert values(convert("plc_cect", plc, tmp_path / "out")["P0000"]["label"]) == {0, 1, 3}


def test_plc_cect_at_fault(plc: Path, tmp_path: Path) -> None:
    (plc / "mask_files/P0000_mask_C2.nii.gz").unlink()
    (plc / "ct_files/P0001_ct_P.nii.gz").write_bytes(b"")
    fault = fault_of("plc_cect", plc, tmp_path / "out")
    assert [(f.case, f.code) for f in fault.members] == [("P0000", "missing"), ("P0001", "empty_file")]
    assert (tmp_path / "out/labels/P0003.nii.gz").is_file(), "the good patients are done"
    assert not (tmp_path / "out/dataset.json").exists()
    file = plc / "patient_data.csv"
    file.write_text(file.read_text().replace(",CN,", ",Cystadenoma,"))
    fault = fault_of("plc_cect", plc, tmp_path / "other")
    assert fault.code == "unknown_class" and "Cystadenoma" in fault.problem
    assert fault_of("plc_cect", tmp_path / "other", tmp_path / "more").code == "missing"


def test_amplifai(tmp_path: Path) -> None:
    root = tmp_path / "in"
    labels = {"c1": "LR-5", "c2": "LR-M", "c3": "LR-TIV", "c4": "2", "c5": "LR-3"}
    for case in labels:
        for end in ("ART", "VEN") if case != "c2" else ("ART", "DEL"):
            ct(root / case / "ct" / f"{case}_{end}.nii.gz", (32, 32, 32 if end == "ART" else 30))
        mask(root / case / "annotations/lesion.nii.gz")
    table(root / "labels.csv", [{"case_id": case, "label": label} for case, label in labels.items()])
    items = convert("amplifai", root, tmp_path / "out", class_map={"LR-TIV": "HCC"}, folds=2)
    assert [values(item["label"]) - {0} for item in items.values()] == [{2}, {9}, {2}, {9}, {9}]
    sides = [item.get("malignant") for item in items.values()]
    assert sides == [None, {"1": True}, None, {"1": False}, None]
    assert list(items["c2"]["phases"]) == ["arterial", "delayed"]
    # no venous phase: the grid is that of the phase that was drawn on
    assert same_grid(items["c2"]["label"], items["c2"]["phases"]["arterial"])
    assert not same_grid(items["c2"]["label"], items["c2"]["phases"]["delayed"])
    assert load_datalist(tmp_path / "out", "validation", file="dataset_fold1.json")


def test_waw_tace(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for phase in (1, 2):
        ct(root / "17" / f"17_{phase}_portal.nii.gz")
    mask(root / "masks_total_segmentator_of_them/17/17_2_liver.nii.gz", balls=[(1, (0, 0, 0), 45.0)])
    (root / "masks_total_segmentator_of_them").rename(root / "total_segmentator_of_them")
    # touching tumours, each in a file of its own: one on the whole grid, one cut to its box
    affine = affine_of(SPACING, SHAPE)
    complete = (radius(affine, SHAPE, PLACE) < 10).astype(np.uint8)
    second = (radius(affine, SHAPE, (-4.0, -8.0, 4.0)) < 9).astype(np.uint8)
    box = affine.copy()
    box[:3, 3] += affine[:3, :3] @ [10, 8, 9]
    folder = root / "tumor_masks_wawtace_v1_08_05_2024/17"
    nrrd(folder / "a.nrrd", affine, complete)
    nrrd(folder / "b.nrrd", box, second[10:22, 8:20, 9:25])
    item = convert("waw_tace", root, tmp_path / "out")["17"]
    assert list(item["phases"]) == ["arterial", "venous"]
    assert values(item["label"]) == {0, 1, 2} and values(item["instances"]) == {0, 1, 2}
    annotation = np.asarray(nib.load(item["instances"]).dataobj)
    assert np.array_equal(annotation == 2, second > 0) and np.array_equal(
        annotation == 1, (complete > 0) & (second == 0)
    )
    assert LoadPhases("native")(item)["phases_used"] == ["arterial", "venous"]
    nrrd(folder / "b.nrrd", affine, complete, cut=1000)
    assert fault_of("waw_tace", root, tmp_path / "out").code == "damaged"
    for path in folder.iterdir():
        path.unlink()
    assert fault_of("waw_tace", root, tmp_path / "out").code == "no_label"


def test_trials(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("nocontrast", "arterial", "venous", "delayed"):
        ct(root / f"imagesTr/TriALS_1/TriALS_1_{name}.nii.gz")
    balls = [(1, (0, 0, 0), 45.0), (2, PLACE, 10.0), (2, (-20, 0, 0), 8.0)]
    mask(root / "labelsTr (Task 2)/TriALS_1/TriALS_1_venous.nii.gz", balls=balls)
    mask(root / "labelsTr (Task 2)/TriALS_1/TriALS_1_combined.nii.gz", balls=balls[:1])
    fault = fault_of("trials", root, tmp_path / "out")
    assert fault.code == "unknown_class" and "{'lesion': 'HCC'}" in fault.remedy
    item = convert("trials", root, tmp_path / "typed", class_map={"lesion": "others"})["TriALS_1"]
    assert len(item["phases"]) == 4 and values(item["label"]) == {0, 1, 9}
    assert [lesion["type"] for lesion in item["lesions"]] == ["others", "others"]
    assert "malignant" not in item


def test_msd(tmp_path: Path) -> None:
    root = tmp_path / "in"
    ct(root / "imagesTr/liver_12.nii.gz")
    mask(root / "labelsTr/liver_12.nii.gz", balls=[(1, (0, 0, 0), 45.0), (2, PLACE, 10.0)])
    content = {
        "labels": {"0": "background", "1": "liver", "2": "cancer"},
        "training": [{"image": "./imagesTr/liver_12.nii.gz", "label": "./labelsTr/liver_12.nii.gz"}],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    item = convert("msd", root, tmp_path / "out", class_map={"cancer": "metastasis"})["liver_12"]
    assert list(item["phases"]) == ["venous"] and values(item["label"]) == {0, 1, 4}
    (root / "dataset.json").write_text("{}")
    assert fault_of("msd", root, tmp_path / "more").code == "bad_datalist"


def test_any_folder_by_patterns(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for case in ("a", "b_c"):
        for phase in ("A", "V"):
            if (case, phase) != ("b_c", "A"):
                ct(root / f"img/{case}/{case}_{phase}.nii.gz")
        mask(root / f"seg/{case}_x.nii.gz", balls=[(1, (0, 0, 0), 45.0), (3, PLACE, 10.0)])
    options = {
        "phase_map": {"arterial": "img/{id}/{id}_A.nii.gz", "venous": "img/{id}/{id}_V.nii.gz"},
        "masks": {"label": "seg/{id}_*.nii.gz"},
        "class_map": {"1": "liver", "3": "hemangioma"},
    }
    items = convert("folder", root, tmp_path / "out", **options)
    assert {case: list(item["phases"]) for case, item in items.items()} == {
        "a": ["arterial", "venous"],
        "b_c": ["venous"],
    }
    assert values(items["a"]["label"]) == {0, 1, 5}
    mask(root / "seg/a_y.nii.gz")
    assert fault_of("folder", root, tmp_path / "o2", **options).code == "duplicate"
    assert fault_of("folder", root, tmp_path / "o3").code == "unknown_phase"
    text = {**options, "class_map": {"tumour": "HCC"}}
    assert fault_of("folder", root, tmp_path / "o5", **text).code == "unknown_class"
    options["masks"] = {"label": "seg/none_{id}.nii.gz"}
    assert fault_of("folder", root, tmp_path / "o4", **options).code == "no_label"


def test_a_lesion_beyond_the_reference_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "in"
    ct(root / "a_V.nii.gz", (32, 32, 20))
    mask(root / "a_label.nii.gz", balls=[(1, (0, 0, 0), 45.0), (2, (0, 0, 44), 8.0)])
    options = {"phase_map": {"venous": "{id}_V.nii.gz"}, "masks": {"label": "{id}_label.nii.gz"}}
    assert fault_of("folder", root, tmp_path / "out", **options).code == "label_outside"


def test_where_nothing_is_written(tmp_path: Path) -> None:
    ct(tmp_path / "in/a.nii.gz")
    assert fault_of("waw_tace", tmp_path / "in", tmp_path / "in").code == "same_folder"
    assert fault_of("waw_tace", tmp_path / "in", tmp_path / "in/deeper").code == "same_folder"
    fault = fault_of("lots", tmp_path / "in", tmp_path / "out")
    assert fault.code == "unknown_source" and "waw_tace" in fault.remedy
    assert fault_of("msd", tmp_path / "nowhere", tmp_path / "out").code == "missing"
    for source in ("waw_tace", "trials"):
        assert (
            fault_of(source, tmp_path / "in", tmp_path / source, class_map={"lesion": "cyst"}).code
            == "missing"
        )


def test_a_pattern_without_a_patient(tmp_path: Path) -> None:
    ct(tmp_path / "in/a.nii.gz")
    options = {"phase_map": {"venous": "*.nii.gz"}, "masks": {"label": "{id}.nii.gz"}}
    assert fault_of("folder", tmp_path / "in", tmp_path / "out", **options).code == "bad_id"


def test_lits(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("Training Batch 1/volume-0", "Training Batch 2/volume-30", "test-volume-3"):
        ct(root / f"{name}.nii")
    for number in (0, 30):
        place = root / "segmentations" / f"segmentation-{number}.nii"
        mask(place, balls=[(1, (0, 0, 0), 45.0), (2, PLACE, 10.0)])
    assert fault_of("lits", root, tmp_path / "out").code == "unknown_class"
    items = convert("lits", root, tmp_path / "out2", class_map={"tumour": "metastasis"}, folds=2)
    assert list(items) == ["volume-0", "volume-30"] and values(items["volume-0"]["label"]) == {0, 1, 4}
    (only,) = load_datalist(tmp_path / "out2", "test")
    assert only["id"] == "test-volume-3" and "label" not in only
    assert len(load_datalist(tmp_path / "out2", "validation", file="dataset_fold1.json")) == 1
    record = json.loads((tmp_path / "out2/summary.json").read_text())
    assert record["types"]["metastasis"] == {
        "cases": 2,
        "lesions": 2,
        "phases": {"nc": 0, "arterial": 0, "venous": 2, "delayed": 0},
        "all_phases": 0,
    }
    assert record["without_label"] == 1 and record["sections"] == {"training": 2, "validation": 0, "test": 1}
