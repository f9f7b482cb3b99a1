"""Each file of a study's folder is used or named, and the counts add up."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from dicom.tagged import CLOCK, add, body, study
from pydicom import Dataset

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import REASONS
from scripts.lidia.dicom.series import read_series
from scripts.lidia.dicom.study import find_studies
from scripts.lidia.inference.inputs import resolve_inputs
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.report.certainty import render_certainty

SLICES = 24


def item_of(tmp_path: Path, **options: Any) -> dict[str, Any]:
    [item] = resolve_inputs(dicom_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"), **options)
    return item


def reasons(item: dict[str, Any]) -> dict[str, int]:
    return {entry["reason"]: entry["files"] for entry in item["notes"]["files"]["reasons"]}


def warned(item: dict[str, Any], word: str) -> list[str]:
    return [warning for warning in item["notes"]["warnings"] if word in warning]


def test_a_plain_study(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study(tmp_path / "in")
    with caplog.at_level("INFO", logger="lidia.dicom"):
        item = item_of(tmp_path)
    files = item["notes"]["files"]
    assert (files["total"], files["used"], files["left_out"], files["reasons"]) == (96, 96, 0, [])
    assert {(use["use"], use["series"], use["files"]) for use in files["uses"]} == {
        ("nc", "2", 24), ("arterial", "3", 24), ("venous", "4", 24), ("delayed", "5", 24)
    }  # fmt: skip
    assert "96 files, 96 used" in caplog.text
    with (tmp_path / "out/phases/P1/files.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 96 and {row["status"] for row in rows} == {"used"}
    assert {row["file"] for row in rows if row["use"] == "venous"} == {
        f"1.2.3.4_{number:03d}.dcm" for number in range(SLICES)
    }


def test_other_files_of_the_folder_are_counted(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    for name in ("notes.txt", "DICOM/report.pdf", "a.json", "Thumbs.db", "preview.jpg", "sub/VIEWER.EXE"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"no DICOM here")
    for name in (".DS_Store", "._1.2.3.4_003.dcm", ".git/config", "sub/.hidden/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x00\x05\x16\x07" + bytes(200))
    (folder / "DICOMDIR").write_bytes(b"x")
    (folder / "sub/gone").symlink_to(folder / "nothing")
    (folder / "sub/art.nii.gz").write_bytes(b"\x1f\x8b" + bytes(50))
    shutil.copy(folder / "1.2.3.4_003.dcm", folder / ".lost.dcm")
    item = item_of(tmp_path)
    assert reasons(item) == {
        "not_dicom": 6, "hidden": 4, "index": 1, "link": 1, "volume": 1, "hidden_dicom": 1
    }  # fmt: skip
    assert item["notes"]["files"]["total"] == 96 + 14
    assert warned(item, "sub/gone") and warned(item, "sub/art.nii.gz") and warned(item, ".lost.dcm")
    assert "--venous" in warned(item, "art.nii.gz")[0]
    assert not warned(item, "notes.txt") and not warned(item, "DICOMDIR")


def test_series_and_slices_that_are_left_out(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    add(folder, 1, "Topogram", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    add(folder, 20, "ven lung", ConvolutionKernel="B70f")
    add(folder, 21, "art", AcquisitionTime="100215")
    add(folder, 22, "VNC")
    add(folder, 23, "abdomen", change=lambda _, n: n != 9, AcquisitionTime="100900")
    add(folder, 24, "MR", Modality="MR")
    add(folder / "again", 4, "ven", change=lambda _, n: n < 3)

    def turned(slice_: Dataset, _: int) -> None:
        slice_.SeriesInstanceUID, slice_.ImageOrientationPatient = "1.2.3.5", [1, 0, 0, 0, 0, -1]

    add(folder, 25, "late", change=turned, slices=[0, 1], SeriesNumber=5)
    item = item_of(tmp_path)
    assert reasons(item) == {
        "localizer": 24, "reconstruction": 24, "same_phase": 24, "computed_map": 24, "geometry": 23,
        "other_kind": 24, "copy": 3, "single_slices": 2,
    }  # fmt: skip
    assert warned(item, "series 23") and "missing" in warned(item, "series 23")[0]
    assert warned(item, "another scan of a phase")
    assert not warned(item, "series 20") and not warned(item, "series 22")


def test_phases_that_are_not_wanted(tmp_path: Path) -> None:
    study(tmp_path / "in")
    item = item_of(tmp_path, only=["venous", "nc"], phase_map={"nc": None})
    assert set(item["phases"]) == {"venous"} and reasons(item) == {"not_wanted": 72}
    assert not warned(item, "not wanted")


def test_links_are_counted_once(tmp_path: Path) -> None:
    """As DataLad lays them: links into a hidden store; and a phase that is a link to a folder elsewhere."""
    plain = study(tmp_path / "plain")
    folder = tmp_path / "in"
    (folder / ".git/annex").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for number, path in enumerate(sorted(plain.iterdir())):
        if path.name.startswith("1.2.3.3"):
            path.rename(tmp_path / "elsewhere" / path.name)
        else:
            path.rename(folder / f".git/annex/{number}")
            (folder / path.name).symlink_to(folder / f".git/annex/{number}")
    (folder / "arterial").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "arterial again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "up").symlink_to(folder, target_is_directory=True)
    item = item_of(tmp_path)
    assert set(item["phases"]) == {"nc", "arterial", "venous", "delayed"}
    assert item["notes"]["files"]["used"] == 96 and reasons(item) == {"hidden": 72}


def test_one_series_in_two_folders_and_twice_the_same_files(tmp_path: Path) -> None:
    add(tmp_path / "in/a", 4, "ven", slices=range(0, 12))
    add(tmp_path / "in/b", 4, "ven", slices=range(12, SLICES))
    shutil.copytree(tmp_path / "in/a", tmp_path / "in/c")
    item = item_of(tmp_path)
    assert item["notes"]["files"]["used"] == SLICES and reasons(item) == {"copy": 12}
    assert any("12 copies" in warning for warning in item["notes"]["warnings"])


def test_a_deidentified_account_has_no_names_of_files(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    (folder / "Secret_Jane.nii").write_bytes(bytes(400))
    item = item_of(tmp_path, deidentify=True)
    assert reasons(item) == {"volume": 1} and "Secret" not in json.dumps(item["notes"])
    assert not list((tmp_path / "out").rglob("files.csv"))


def test_an_archive_of_studies(tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    study(root / "one")
    add(root / "two", 5, "ven", PatientID="P2", study="1.7")
    add(root / "two", 6, "MR", PatientID="P2", study="1.7", Modality="MR")
    add(root / "three", 7, "MR", PatientID="P3", study="1.8", Modality="MR")
    add(root / "four", 8, "ven", PatientID="P4", study="1.9", change=lambda _, n: n != 9)
    (root / "list.csv").write_text("a,b")
    with pytest.raises(CaseError) as caught:
        prepare(source="dicom", input_dir=root, dataset_dir=out)
    assert "no_series" in {caught.value.code, *(fault.code for fault in caught.value.members)}
    files = json.loads((out / "files.json").read_text())
    assert (files["total"], files["used"]) == (96 + 24 * 3 + 23 + 1, 96 + 24)
    assert {entry["reason"]: entry["files"] for entry in files["reasons"]} == {
        "not_dicom": 1, "other_kind": 48, "geometry": 23
    }  # fmt: skip
    with (out / "files.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == files["total"]
    assert {row["case"] for row in rows if row["status"] == "used"} == {"P1", "P2"}
    shutil.rmtree(root / "four")
    entries = prepare(source="dicom", input_dir=root, dataset_dir=out)
    items = {item["id"]: item for item in json.loads(entries.read_text())["test"]}
    assert items["P2"]["notes"]["files"]["total"] == 48 and reasons(items["P2"]) == {"other_kind": 24}


def test_a_file_an_empty_folder_and_one_without_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study(tmp_path / "in")
    alone = folder / "1.2.3.4_003.dcm"
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(alone), output_dir=str(tmp_path / "out"))
    assert caught.value.code == "no_series" and "series 4 (ven)" in caught.value.problem
    (tmp_path / "empty").mkdir()
    for place, code in ((tmp_path / "empty", "no_dicom"), (tmp_path / "nowhere", "missing")):
        with pytest.raises(CaseError) as caught:
            resolve_inputs(dicom_dir=str(place), output_dir=str(tmp_path / "out"))
        assert caught.value.code == code and caught.value.file == str(place)
    (folder / "DICOMDIR").write_bytes(b"x")
    [item] = resolve_inputs(dicom_dir=str(folder / "DICOMDIR"), output_dir=str(tmp_path / "out"))
    assert set(item["phases"]) == {"nc", "arterial", "venous", "delayed"}
    (folder / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("scripts.lidia.input_folders.os.scandir", refuse)
    with pytest.raises(CaseError) as caught:
        find_studies(folder)
    assert caught.value.code == "closed" and caught.value.file == str(folder / "closed")


def test_very_many_series(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    for number in range(100, 300):
        add(folder, number, "Monitoring", slices=[5], voxels=body(), AcquisitionTime="100100")
    item = item_of(tmp_path)
    assert reasons(item) == {"single_slices": 200} and len(item["notes"]["warnings"]) == 1
    assert set(CLOCK) and item["notes"]["files"]["total"] == 296


def test_a_folder_named_for_a_phase_lists_its_other_files(tmp_path: Path) -> None:
    add(tmp_path, 4, "ven")
    assert read_series(tmp_path)[2] == []
    (tmp_path / "notes.txt").write_text("no warning")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "art.nii").write_bytes(bytes(400))
    messages = [remark.problem for remark in read_series(tmp_path)[2]]
    assert (
        len(messages) == 2
        and any("art.nii" in entry for entry in messages)
        and any("gone" in entry for entry in messages)
    )


def test_the_page_has_the_account(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    (folder / "art.nii").write_bytes(bytes(400))
    files = item_of(tmp_path)["notes"]["files"]
    page = render_certainty({"phases_used": ["venous"], "files": files, "probabilities": {}})
    assert "97 files were given: 96 were used, 1 left out" in page and REASONS["volume"].words in page
    for broken in ({"files": 3}, {"files": {"uses": 3, "reasons": [4]}}, {"files": []}):
        render_certainty({"phases_used": ["venous"], "probabilities": {}, **broken})
