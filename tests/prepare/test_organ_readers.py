"""Readers of organ data sets and of masks per slice, each on a miniature of its layout."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from ct_files import LIVER_MM, affine_of, radius
from dicom_files import write_series
from matplotlib.image import imsave
from prepare.miniatures import PLACE, convert, ct, fault_of, mask, values
from pydicom import dcmread

from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.prepare.prepare_data import prepare

SHAPE, SPACING = (40, 36, 20), (3.5, 3.5, 6.0)
AFFINE = affine_of(SPACING, SHAPE, (-1, -1, 1))
FAR = radius(AFFINE, SHAPE)
LIVER = FAR < LIVER_MM
TUMOUR, CYST = radius(AFFINE, SHAPE, PLACE) < 11, radius(AFFINE, SHAPE, (-14, 6, -12)) < 9


def series(folder: Path) -> Path:
    voxels = np.where(LIVER, 60.0, np.where(FAR < 60, -100.0, -1000.0))
    return write_series(folder, voxels + np.random.default_rng(0).normal(0, 5, SHAPE), AFFINE)


def read_mask(item: dict[str, str], key: str = "label") -> np.ndarray:
    return np.asarray(nib.load(item[key]).dataobj)


def test_chaos(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for number in (1, 2):
        folder = series(root / f"Train_Sets/CT/{number}/DICOM_anon")
        # names count from the head, as InstanceNumber does; places count from the feet
        for path in sorted(folder.glob("*.dcm")):
            slice_ = int(path.stem.split("_")[1])
            path.rename(folder / f"i{SHAPE[2] - 1 - slice_:04d},0000b.dcm")
        ground = root / f"Train_Sets/CT/{number}/Ground"
        ground.mkdir()
        for slice_ in range(SHAPE[2]):
            name = f"liver_GT_{SHAPE[2] - 1 - slice_:03d}.png"
            imsave(ground / name, LIVER[:, :, slice_].T.astype(np.uint8) * 255, cmap="gray")
    series(root / "Test_Sets/CT/3/DICOM_anon")
    series(root / "Train_Sets/MR/1/T1DUAL/DICOM_anon/InPhase")
    items = convert("chaos", root, tmp_path / "out", folds=2)
    assert list(items) == ["CT_1", "CT_2"]
    np.testing.assert_array_equal(read_mask(items["CT_1"]), LIVER)
    assert LoadPhases("native")(items["CT_1"])["phases_used"] == ["venous"]
    assert [item["id"] for item in load_datalist(tmp_path / "out", "test")] == ["CT_3"]
    (root / "Train_Sets/CT/2/Ground/liver_GT_004.png").unlink()
    fault = fault_of("chaos", root, tmp_path / "more")
    assert (fault.case, fault.code) == ("CT_2", "missing") and "19 images for 20 slices" in fault.problem


def test_ircadb(tmp_path: Path) -> None:
    root = tmp_path / "in"
    folder = series(root / "3Dircadb1.1/PATIENT_DICOM")
    places = {}
    for path in sorted(folder.glob("*.dcm")):
        slice_ = int(path.stem.split("_")[1])
        places[f"image_{SHAPE[2] - 1 - slice_}"] = slice_
        path.rename(folder / f"image_{SHAPE[2] - 1 - slice_}")
    touching = radius(AFFINE, SHAPE, (PLACE[0] - 14, PLACE[1], PLACE[2])) < 7
    masks = {
        "liver": LIVER,
        "livertumor01": TUMOUR,
        "livertumor02": touching,
        "livercyst": CYST,
        "bone": FAR > 60,
    }
    for name, visible in masks.items():
        (root / "3Dircadb1.1/MASKS_DICOM" / name).mkdir(parents=True)
        for image, slice_ in places.items():
            entry = dcmread(folder / image)
            del entry.ImagePositionPatient  # a mask's place is its image's
            entry.PixelData = (visible[:, :, slice_].T.astype(np.int16) * 255).tobytes()
            entry.save_as(root / "3Dircadb1.1/MASKS_DICOM" / name / image)
    assert fault_of("ircadb", root, tmp_path / "out").code == "unknown_class"
    item = convert("ircadb", root, tmp_path / "told", class_map={"liver tumor": "others"})["3Dircadb1.1"]
    expected = np.where(touching | TUMOUR, 9, np.where(CYST, 7, LIVER))
    np.testing.assert_array_equal(read_mask(item), expected)
    assert sorted(lesion["type"] for lesion in item["lesions"]) == ["cyst", "others", "others"]
    assert len(set(read_mask(item, "instances")[touching | TUMOUR].tolist())) == 2, (
        "touching lesions stay apart"
    )
    for path in (root / "3Dircadb1.1/MASKS_DICOM").rglob("image_3"):
        path.rename(path.with_name("image_99"))
    assert fault_of("ircadb", root, tmp_path / "more", class_map={"liver tumor": "others"}).code == "missing"


def test_amos(tmp_path: Path) -> None:
    root = tmp_path / "in/amos22"
    for name in ("imagesTr/amos_0004", "imagesVa/amos_0008", "imagesTr/amos_0540", "imagesTs/amos_0009"):
        ct(root / f"{name}.nii.gz")
    for name in ("labelsTr/amos_0004", "labelsVa/amos_0008"):
        mask(root / f"{name}.nii.gz", balls=[(6, (0, 0, 0), 45.0), (1, (40, 0, 0), 10.0), (15, PLACE, 9.0)])
    prepare(source="amos", input_dir=tmp_path / "in", dataset_dir=tmp_path / "out")
    assert not json.loads((tmp_path / "out/dataset.json").read_text()).get("training")
    items = {item["id"]: item for item in load_datalist(tmp_path / "out", "test")}
    assert list(items) == ["amos_0004", "amos_0008", "amos_0009"]
    assert values(items["amos_0004"]["label"]) == {0, 1} and "label" not in items["amos_0009"]
    record = json.loads((tmp_path / "out/summary.json").read_text())
    assert [entry["case"] for entry in record["left_out"]] == ["amos_0540"]
    assert record["words"]["drawn"] == "the liver alone" and record["without_lesion"] == 2


def test_flare(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for number in (1, 2):
        ct(root / f"images/FLARE22_Tr_000{number}_0000.nii.gz")
    mask(root / "labels/FLARE22_Tr_0001.nii.gz", balls=[(1, (0, 0, 0), 45.0), (14, PLACE, 9.0)])
    prepare(source="flare", input_dir=root, dataset_dir=tmp_path / "out", phase_map={"CT": "arterial"})
    first, second = load_datalist(tmp_path / "out", "test")
    assert first["id"] == "FLARE22_Tr_0001" and list(first["phases"]) == ["arterial"]
    assert values(first["label"]) == {0, 1} and "label" not in second
    fault = fault_of("flare", root, tmp_path / "more", folds=2)
    assert fault.code == "bad_folds", "nothing of it is for training"


def test_abdomenatlas(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for number in (1, 2):
        ct(root / f"image_only/BDMAP_0000000{number}/ct.nii.gz")
        place = root / f"mask_only/BDMAP_0000000{number}/segmentations"
        mask(place / "liver.nii.gz", balls=[(1, (0, 0, 0), 45.0)])
        mask(place / "liver_segment_1.nii.gz", balls=[(1, (0, 0, 0), 5.0)])
    mask(root / "mask_only/BDMAP_00000001/segmentations/liver_lesion.nii.gz")
    assert fault_of("abdomenatlas", root, tmp_path / "out").code == "unknown_class"
    items = convert("abdomenatlas", root, tmp_path / "told", class_map={"lesion": "others"})
    assert list(items) == ["BDMAP_00000001"] and values(items["BDMAP_00000001"]["label"]) == {0, 1, 9}
    (other,) = load_datalist(tmp_path / "told", "test")
    assert other["id"] == "BDMAP_00000002" and values(other["label"]) == {0, 1}


def test_limt(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for number in (1, 2):
        ct(root / f"images/{number}.nii.gz")
        mask(root / f"labels/{number}.nii.gz", balls=[(1, (0, 0, 0), 45.0), (3, PLACE, 10.0)])
    assert fault_of("limt", root, tmp_path / "out").code == "unknown_class"
    items = convert("limt", root, tmp_path / "told", class_map={"1": "liver", "3": "hemangioma"}, folds=2)
    assert list(items["1"]["phases"]) == ["arterial"] and values(items["2"]["label"]) == {0, 1, 5}


def test_totalsegmentator_liver_lesions(tmp_path: Path) -> None:
    root = tmp_path / "Dataset591_liver_lesions"
    for number in (1, 2, 3):
        ct(root / f"imagesTr/s000{number}_0000.nii.gz")
        mask(root / f"labelsTr/s000{number}.nii.gz")
    labels = {"background": 0, "liver_lesion": 1}
    content = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (root / "dataset.json").write_text(json.dumps(content))
    source = "totalsegmentator_liver_lesions"
    assert fault_of(source, root, tmp_path / "out").code == "unknown_class"
    items = convert(source, root, tmp_path / "told", class_map={"liver_lesion": "others"}, folds=3)
    assert list(items["s0001"]["phases"]) == ["venous"] and values(items["s0001"]["label"]) == {0, 9}
    record = json.loads((tmp_path / "told/summary.json").read_text())
    assert record["types"]["others"]["cases"] == 3 and record["types"]["others"]["lesions"] is None


def test_entries_that_are_not_read_have_a_reason(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    fault = fault_of("lld_mmri", tmp_path / "in", tmp_path / "out")
    assert fault.code == "refused_source" and "MR" in fault.problem and "HU" in fault.problem
    fault = fault_of("ratic", tmp_path / "in", tmp_path / "out")
    assert "--source folder" in fault.remedy
