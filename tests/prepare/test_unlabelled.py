"""Liver masks for unlabelled CT: what is kept, what is refused, what a second run does, the page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ct_files import radius, save
from prepare.unlabelled_folders import CONFIG, SHAPE, ThresholdSegmenter, make_ct, read_errors, run

from scripts.lidia.components import find_bounding_box
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.prepare.mask_gate import MaskGate


def test_a_second_run_makes_nothing_again(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    for number in (1, 2):
        make_ct(read / f"P{number}_venous.nii.gz", 100, number)
    run(read, write)
    assert segmented == ["P1_venous", "P2_venous"]
    before = {path: path.stat().st_mtime_ns for path in (write / "masks").iterdir()}
    run(read, write)
    assert segmented == ["P1_venous", "P2_venous"]
    assert before == {path: path.stat().st_mtime_ns for path in (write / "masks").iterdir()}
    make_ct(read / "P2_venous.nii.gz", 105, 7)
    (write / "masks/P1_venous.json").unlink()
    run(read, write)
    assert segmented[2:] == ["P1_venous", "P2_venous"], "a lost record and a changed CT"
    weights = tmp_path / "model.pt"
    shutil.copy(Path(CONFIG).parents[1] / "models/model.pt", weights)
    run(read, write, model_file=str(weights))
    weights.write_bytes(b"other")
    with pytest.raises(CaseError) as fault:
        run(read, write, model_file=str(weights))
    assert fault.value.code == "other_settings"


def test_an_interrupted_run_goes_on(
    tmp_path: Path, segmented: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    for number in (1, 2, 3):
        make_ct(read / f"P{number}_venous.nii.gz", 100, number)
    monkeypatch.setattr(ThresholdSegmenter, "stop_at", "P2_venous")
    with pytest.raises(KeyboardInterrupt):
        run(read, write)
    assert sorted(path.name for path in (write / "masks").iterdir()) == ["P1_venous.json", "P1_venous.nii.gz"]
    assert not (write / "dataset.json").exists()
    monkeypatch.setattr(ThresholdSegmenter, "stop_at", "")
    assert len(read_sections(run(read, write))["training"]) == 3
    assert segmented == ["P1_venous", "P2_venous", "P3_venous"]


def test_an_empty_mask_cannot_be_accepted(
    tmp_path: Path, segmented: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    make_ct(read / "P1_venous.nii.gz", 100, 1)
    monkeypatch.setattr(ThresholdSegmenter, "level", 4000.0)
    with pytest.raises(CaseError, match="no liver mask was accepted"):
        run(read, write, accept=["P1_venous"])
    assert "no liver was found" in read_errors(write)["P1_venous"]["problem"]
    assert (write / "masks.html").read_text().count("data:image/jpeg;base64,") == 4


def test_refused_masks_are_named_and_can_be_overruled(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    make_ct(read / "good_venous.nii.gz", 100, 1)
    make_ct(read / "dark_venous.nii.gz", 60, 2)  # the two passes disagree
    path = run(read, write)
    assert [item["id"] for item in read_sections(path)["training"]] == ["good_venous"]
    entry = read_errors(write)["dark_venous"]
    assert entry["code"] == "refused_mask" and entry["severity"] == "warning"
    assert "agreement" in entry["problem"] and "--accept dark_venous" in entry["remedy"]
    run(read, write, accept=["dark_venous"], refuse=["good_venous"])
    assert [item["id"] for item in read_sections(path)["training"]] == ["dark_venous"]
    assert "--refuse" in read_errors(write)["good_venous"]["problem"]
    assert len(segmented) == 2
    for options in ({"accept": ["other"]}, {"accept": ["good_venous"], "refuse": ["good_venous"]}):
        with pytest.raises(CaseError, match="other|good_venous"):
            run(read, write, **options)
    with pytest.raises(CaseError, match="no liver mask was accepted"):
        run(read, write, refuse=["good_venous"])
    assert not path.exists(), "no list of an earlier run stays"


def test_folds_keep_the_scans_of_a_patient_together(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    for number in range(3):
        for phase in ("arterial", "venous"):
            make_ct(read / f"P{number}/{phase}.nii.gz", 80, number if phase == "venous" else number + 10)
    run(read, write, folds=3)
    for number in range(3):
        sections = read_sections(write / f"dataset_fold{number}.json")
        patients = {name: {item["patient"] for item in items} for name, items in sections.items()}
        assert len(sections["validation"]) == 2 and not patients["training"] & patients["validation"]


def test_the_pictures_show_the_mask_where_it_lies(tmp_path: Path, segmented: list[str]) -> None:
    """The outline of a mask on the patient's right is in the left half of each picture."""
    read, write = tmp_path / "ct", tmp_path / "out"
    affine = nib.load(make_ct(tmp_path / "whole.nii.gz", 100)).affine
    voxels = np.asarray(nib.load(tmp_path / "whole.nii.gz").dataobj).copy()
    right = radius(affine, SHAPE, (20.0, 0.0, 0.0)) < 25  # RAS: x grows towards the patient's right
    voxels[(voxels > 20) & ~right] = -100
    save(read / "P1_venous.nii.gz", voxels, affine)
    small = dict.fromkeys(("volume_ml", "right_left_mm", "front_back_mm", "height_mm"), (1.0, 4000.0))
    run(read, write, mask_gate=MaskGate(**small))
    mask = np.asarray(nib.load(write / "masks/P1_venous.nii.gz").dataobj) > 0
    box = find_bounding_box(mask)
    assert box is not None and box[0].start > SHAPE[0] // 2 - 2
    for picture in json.loads((write / "pictures/P1_venous.json").read_text()):
        start, _, steps = picture["outline"].removeprefix("M").removesuffix("z").partition("l")
        columns = np.cumsum([int(start.split()[0]), *map(int, steps.split()[::2])])
        width = int(picture["box"].split()[2])
        assert columns.max() == width - 2 * box[0].start
        assert columns.min() == width - 2 * mask.any(axis=(1, 2)).nonzero()[0].max() - 2 or columns.min() > 0
        assert columns.max() < width / 2 + 6, "the patient's right is on the left of a picture"
