"""What is read of a folder of unlabelled CT: NIfTI in any layout, DICOM studies, and what is no CT."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ct_files import LIVER_MM, radius, save, write_ct
from dicom_files import write_series
from prepare.unlabelled_folders import SHAPE, STEP, make_ct, read_errors, run

from scripts.lidia.data.read_background import read_background
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.prepare.unlabelled_scans import describe_nifti


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


def test_a_folder_without_ct(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct/notes.txt").write_text("none")
    with pytest.raises(CaseError) as fault:
        run(tmp_path / "ct", tmp_path / "out")
    assert fault.value.code == "no_case"
