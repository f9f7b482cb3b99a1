"""Readers of public data sets, each on a miniature of its layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ct_files import affine_of, radius, save, write_ct

from scripts.lidia.data import LoadPhases
from scripts.lidia.datalist import CaseError, datalist
from scripts.lidia.prepare import prepare

SHAPE = (32, 32, 32)
SPACING = (4.0, 4.0, 4.0)
PLACE = (12.0, -8.0, 4.0)
"""RAS mm of the lesion."""


def ct(path: Path, shape: Sequence[int] = SHAPE, spacing: Sequence[float] = SPACING) -> None:
    write_ct(path, shape, spacing)


def mask(
    path: Path,
    shape: Sequence[int] = SHAPE,
    spacing: Sequence[float] = SPACING,
    balls: Sequence[tuple[int, Sequence[float], float]] = ((1, PLACE, 12.0),),
) -> None:
    affine = affine_of(spacing, shape)
    values = np.zeros(shape, np.uint8)
    for value, centre, size in balls:
        values[radius(affine, shape, centre) < size] = value
    save(path, values, affine)


def nrrd(path: Path, affine: np.ndarray, values: np.ndarray, *, cut: int | None = None) -> None:
    """Writes an NRRD file by its specification: raw, in the LPS space that 3D Slicer writes."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    vector = ["(" + ",".join(f"{v:.6f}" for v in column) + ")" for column in lps[:3].T]
    header = [
        "NRRD0004",
        "type: uint8",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, values.shape))}",
        f"space directions: {' '.join(vector[:3])}",
        "kinds: domain domain domain",
        "encoding: raw",
        f"space origin: {vector[3]}",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = values.astype(np.uint8).tobytes(order="F")
    path.write_bytes(("\n".join(header) + "\n\n").encode() + voxels[:cut])


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def convert(source: str, folder: Path, out: Path, **options: Any) -> dict[str, dict[str, Any]]:
    prepare(source=source, input_dir=folder, dataset_dir=out, **options)
    return {item["id"]: item for item in datalist(out, "training")}


def fault_of(source: str, folder: Path, out: Path, **options: Any) -> CaseError:
    with pytest.raises(CaseError) as caught:
        prepare(source=source, input_dir=folder, dataset_dir=out, **options)
    return caught.value


def values(path: str) -> set[int]:
    return set(np.unique(np.asarray(nib.load(path).dataobj)).tolist())


def centre(path: str, value: int) -> np.ndarray:
    """Centroid of a value in RAS mm."""
    image = nib.load(path)
    index = np.argwhere(np.asarray(image.dataobj) == value).mean(0)
    return nib.affines.apply_affine(image.affine, index)


def same_grid(one: str, other: str) -> bool:
    first, second = nib.load(one), nib.load(other)
    return first.shape[:3] == second.shape[:3] and np.allclose(first.affine, second.affine)


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
    assert datalist(tmp_path / "out", "validation", file="dataset_fold1.json")


def test_waw_tace(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for phase in (1, 2):
        ct(root / "17" / f"17_{phase}_portal.nii.gz")
    mask(root / "masks_total_segmentator_of_them/17/17_2_liver.nii.gz", balls=[(1, (0, 0, 0), 45.0)])
    (root / "masks_total_segmentator_of_them").rename(root / "total_segmentator_of_them")
    # touching tumours, each in a file of its own: one on the whole grid, one cut to its box
    affine = affine_of(SPACING, SHAPE)
    whole = (radius(affine, SHAPE, PLACE) < 10).astype(np.uint8)
    second = (radius(affine, SHAPE, (-4.0, -8.0, 4.0)) < 9).astype(np.uint8)
    box = affine.copy()
    box[:3, 3] += affine[:3, :3] @ [10, 8, 9]
    folder = root / "tumor_masks_wawtace_v1_08_05_2024/17"
    nrrd(folder / "a.nrrd", affine, whole)
    nrrd(folder / "b.nrrd", box, second[10:22, 8:20, 9:25])
    item = convert("waw_tace", root, tmp_path / "out")["17"]
    assert list(item["phases"]) == ["arterial", "venous"]
    assert values(item["label"]) == {0, 1, 2} and values(item["instances"]) == {0, 1, 2}
    drawn = np.asarray(nib.load(item["instances"]).dataobj)
    assert np.array_equal(drawn == 2, second > 0) and np.array_equal(drawn == 1, (whole > 0) & (second == 0))
    assert LoadPhases("native")(item)["phases_used"] == ["arterial", "venous"]
    nrrd(folder / "b.nrrd", affine, whole, cut=1000)
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
    asked = {
        "phase_map": {"arterial": "img/{id}/{id}_A.nii.gz", "venous": "img/{id}/{id}_V.nii.gz"},
        "masks": {"label": "seg/{id}_*.nii.gz"},
        "class_map": {"1": "liver", "3": "hemangioma"},
    }
    items = convert("folder", root, tmp_path / "out", **asked)
    assert {case: list(item["phases"]) for case, item in items.items()} == {
        "a": ["arterial", "venous"],
        "b_c": ["venous"],
    }
    assert values(items["a"]["label"]) == {0, 1, 5}
    mask(root / "seg/a_y.nii.gz")
    assert fault_of("folder", root, tmp_path / "o2", **asked).code == "duplicate"
    assert fault_of("folder", root, tmp_path / "o3").code == "unknown_phase"
    words = {**asked, "class_map": {"tumour": "HCC"}}
    assert fault_of("folder", root, tmp_path / "o5", **words).code == "unknown_class"
    asked["masks"] = {"label": "seg/none_{id}.nii.gz"}
    assert fault_of("folder", root, tmp_path / "o4", **asked).code == "no_label"


def test_a_lesion_beyond_the_reference_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "in"
    ct(root / "a_V.nii.gz", (32, 32, 20))
    mask(root / "a_label.nii.gz", balls=[(1, (0, 0, 0), 45.0), (2, (0, 0, 44), 8.0)])
    asked = {"phase_map": {"venous": "{id}_V.nii.gz"}, "masks": {"label": "{id}_label.nii.gz"}}
    assert fault_of("folder", root, tmp_path / "out", **asked).code == "label_outside"


def test_where_nothing_is_written(tmp_path: Path) -> None:
    ct(tmp_path / "in/a.nii.gz")
    assert fault_of("waw_tace", tmp_path / "in", tmp_path / "in").code == "same_folder"
    assert fault_of("waw_tace", tmp_path / "in", tmp_path / "in/deeper").code == "same_folder"
    fault = fault_of("lits", tmp_path / "in", tmp_path / "out")
    assert fault.code == "unknown_source" and "waw_tace" in fault.remedy
    assert fault_of("msd", tmp_path / "nowhere", tmp_path / "out").code == "missing"
    for source in ("waw_tace", "trials"):
        assert (
            fault_of(source, tmp_path / "in", tmp_path / source, class_map={"lesion": "cyst"}).code
            == "missing"
        )


def test_a_pattern_without_a_patient(tmp_path: Path) -> None:
    ct(tmp_path / "in/a.nii.gz")
    asked = {"phase_map": {"venous": "*.nii.gz"}, "masks": {"label": "{id}.nii.gz"}}
    assert fault_of("folder", tmp_path / "in", tmp_path / "out", **asked).code == "bad_id"
