"""Liver masks for unlabelled CT: what is read, what is kept, what is refused, and what a second run does."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ct_files import LIVER_MM, radius, save, write_ct
from dicom_files import write_series

from scripts.lidia.components import find_bounding_box
from scripts.lidia.data.read_background import read_background
from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.inference.liver_segmenter import SegmentedLiver
from scripts.lidia.prepare import liver_masks
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.prepare.unlabelled_scans import describe_nifti

SHAPE, STEP = (48, 48, 40), (3.5, 3.5, 4.0)
GATE = MaskGate(volume_ml=(300.0, 4000.0), right_left_mm=(80.0, 300.0))
CONFIG = str(Path(__file__).parents[2] / "lidia_bundle/configs/inference.json")


class ThresholdSegmenter:
    """Takes for liver what is brighter than 20 HU; the second pass misses the left half of dark livers."""

    calls: list[str] = []
    stop_at = ""
    level = 20.0

    def __call__(self, case: str, phase: str, path: Path) -> SegmentedLiver:
        if case == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append(case)
        hu, affine, _ = read_phase(path, case)
        mask = hu > self.level
        mirrored = mask.copy()
        if mask.any() and np.median(hu[mask]) < 65:
            mirrored[: mask.shape[0] // 2] = False
        upright = np.diag([*np.linalg.norm(affine[:3, :3], axis=0), 1.0])
        return SegmentedLiver(mask, affine, hu, upright, mask, mask, mirrored, (), ("a warning",))


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the scans that were segmented, by a threshold in place of the network."""
    monkeypatch.setattr(ThresholdSegmenter, "calls", [])
    monkeypatch.setattr(liver_masks, "build_segmenter", lambda *_, **__: ThresholdSegmenter())
    return ThresholdSegmenter.calls


def make_ct(path: Path, liver_hu: float, seed: int = 0) -> Path:
    return Path(write_ct(path, SHAPE, STEP, liver_hu=liver_hu, seed=seed)[0])


def run(read: Path, write: Path, **options: Any) -> Path:
    options = {"inference_config": CONFIG, "mask_gate": GATE, **options}
    return prepare(source="unlabelled", input_dir=read, dataset_dir=write, **options)


def read_errors(folder: Path) -> dict[str, dict[str, str]]:
    return {entry["case"]: entry for entry in json.loads((folder / "errors.json").read_text())}


def test_files_and_folders_of_patients(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    make_ct(read / "P1/arterial.nii.gz", 70, 1)
    make_ct(read / "P1/portal_venous.nii.gz", 110, 2)
    make_ct(read / "P2_delayed.nii", 90, 3)
    path = run(read, write)
    items = {item["id"]: item for item in read_sections(path)["training"]}
    assert {case: (item["patient"], [*item["phases"]]) for case, item in items.items()} == {
        "P1_arterial": ("P1", ["arterial"]),
        "P1_portal_venous": ("P1", ["venous"]),
        "P2_delayed": ("P2", ["delayed"]),
    }
    assert json.loads(path.read_text())["weights_sha256"]
    for item in items.values():
        background = read_background(item["id"], item["phases"], item["liver"])
        liver_ml = background.liver.sum() * np.prod(background.spacing) / 1000
        assert liver_ml == pytest.approx(4 / 3 * np.pi * (LIVER_MM / 10) ** 3, rel=0.02)
    assert read_errors(write) == {}
    page = (write / "masks.html").read_text()
    assert page.count('<path d="M') == 4 * len(items) == page.count("data:image/jpeg;base64,")
    assert all(case in page for case in items) and "http" not in page.replace("http-equiv", "")
    rows = (write / "masks.csv").read_text().splitlines()
    assert len(rows) == 1 + len(items) and rows[0].startswith("id,patient,phase,accepted,volume_ml")


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


def test_files_that_are_not_ct_are_named(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    good = make_ct(read / "P1/venous.nii.gz", 100, 1)
    shutil.copy(good, read / "P1/venous_phase.nii.gz")
    cut = read / "P2/venous.nii.gz"
    cut.parent.mkdir()
    cut.write_bytes(good.read_bytes()[:4000])
    affine = nib.load(good).affine
    save(read / "P1/liver_venous.nii.gz", (radius(affine, SHAPE) < LIVER_MM).astype(np.uint8), affine)
    save(read / "P3/mr.nii.gz", np.random.default_rng(0).uniform(0, 900, SHAPE).astype(np.float32), affine)
    save(read / "P1/scout.nii.gz", np.full((48, 48, 1), 40, np.int16), affine)
    (read / "notes.txt").write_text("none")
    (read / "P4.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(CaseError) as fault:
        run(read, write)
    assert "P2_venous" in fault.value.problem and "P3_mr" in fault.value.problem
    items = read_sections(write / "dataset.json")["training"]
    assert len(items) == 1 and items[0]["patient"] == "P1"
    entries = json.loads((write / "errors.json").read_text())
    assert {(Path(entry["file"]).name, entry["code"], entry["severity"]) for entry in entries} == {
        ("venous.nii.gz", "truncated", "error"),
        ("mr.nii.gz", "not_hu", "error"),
        ("venous_phase.nii.gz", "duplicate", "warning"),
        ("liver_venous.nii.gz", "mask", "warning"),
        ("scout.nii.gz", "too_flat", "warning"),
        ("notes.txt", "not_dicom", "warning"),
        ("P4.nrrd", "volume", "warning"),
    }
    with (write / "files.csv").open(newline="") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    assert sorted(statuses) == ["left out"] * 7 + ["used"]
    path = run(read, write, refuse=["P2_venous", "P3_mr"])
    assert len(read_sections(path)["training"]) == 1, "who refuses the faulty files has no error"


def test_a_dicom_archive(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "archive", tmp_path / "out"
    for number, (words, level) in enumerate((("arterial", 70.0), ("portal venous", 110.0)), 1):
        ct, affine = write_ct(tmp_path / "ct.nii.gz", SHAPE, STEP, (-1, -1, 1), liver_hu=level, seed=number)
        voxels = np.asarray(nib.load(ct).dataobj)
        tags = {"PatientID": "P7", "SeriesDescription": words, "SeriesNumber": number}
        tags |= {"AcquisitionTime": f"1010{number}0", "StudyDate": "20200101"}
        write_series(read / f"{number}", voxels, affine, series=f"1.2.{number}", **tags)
    path = run(read, write)
    items = {item["id"]: item for item in read_sections(path)["training"]}
    assert {case: [*item["phases"]] for case, item in items.items()} == {
        "P7_arterial": ["arterial"],
        "P7_venous": ["venous"],
    }
    assert {item["patient"] for item in items.values()} == {"P7"}
    for item in items.values():
        read_background(item["id"], item["phases"], item["liver"])
    run(read, write)
    assert len(segmented) == 2, "phases are written again, masks are not made again"


def test_the_phase_of_a_file_without_a_name(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    make_ct(read / "0001.nii.gz", 100, 1)
    (item,) = read_sections(run(read, write))["training"]
    record = json.loads((write / "masks/0001.json").read_text())
    assert record["phase_from"] == "image" and [*item["phases"]] == [record["phase"]]
    assert any("phase" in message for message in record["warnings"]), "a ball has no organs"
    path = run(read, tmp_path / "named", phase_map={"arterial": "0*.nii.gz"})
    assert [*read_sections(path)["training"][0]["phases"]] == ["arterial"]
    for phase_map in ({"arterial": "*.nrrd"}, {"late": "*"}):
        with pytest.raises(CaseError) as fault:
            run(read, tmp_path / "-".join(phase_map), phase_map=phase_map)
        assert fault.value.code in ("bad_phase_map", "unknown_phase")


def test_ids_and_patients_of_paths() -> None:
    def describe(name: str) -> tuple[str, str, str | None]:
        scan = describe_nifti(Path("/ct") / name, name)
        return scan.id, scan.patient, scan.phase

    assert describe("P1/portal venous.nii") == ("P1_portal venous", "P1", "venous")
    assert describe("venous/P1.nii.gz") == ("venous_P1", "P1", "venous")
    assert describe("P1-late-arterial.nii.gz") == ("P1-late-arterial", "P1", "arterial")
    assert describe("site/P1/2.nii.gz") == ("site_P1_2", "site_P1_2", None)
    assert describe("dataset.nii.gz")[0] == "scan_dataset"
    assert describe('a:b/c"?.nii.gz')[0] == "a_b_c__"
    long_ids = {describe(f"{'x' * 150}/{'y' * 150}{end}.nii.gz")[0] for end in "ab"}
    assert len(long_ids) == 2 and max(map(len, long_ids)) < 100


def test_two_paths_with_one_id_are_numbered(tmp_path: Path, segmented: list[str]) -> None:
    read, write = tmp_path / "ct", tmp_path / "out"
    make_ct(read / "a/b_venous.nii.gz", 100, 1)
    make_ct(read / "a_b/venous.nii.gz", 100, 2)
    items = read_sections(run(read, write))["training"]
    assert sorted(item["id"] for item in items) == ["a_b_venous", "a_b_venous_2"]


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


def test_a_folder_without_ct(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct/notes.txt").write_text("none")
    with pytest.raises(CaseError) as fault:
        run(tmp_path / "ct", tmp_path / "out")
    assert fault.value.code == "no_case"


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
