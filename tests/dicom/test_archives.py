"""Studies and series in ZIP or TAR are read like a folder; no extracted file leaves its folder or remains."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from dicom.tagged import ALL, study

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.dicom import archives
from scripts.lidia.dicom.archives import ArchiveError, detect_archive_kind, unpack
from scripts.lidia.inference.inputs import resolve_inputs
from scripts.lidia.prepare.prepare_data import prepare


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not list(folder.iterdir())


def item_of(tmp_path: Path, inputs: Path, **options: Any) -> dict[str, Any]:
    [item] = resolve_inputs(dicom_dir=str(inputs), output_dir=str(tmp_path / "out"), **options)
    return item


def reasons(item: dict[str, Any]) -> dict[str, int]:
    return {entry["reason"]: entry["files"] for entry in item["notes"]["files"]["reasons"]}


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "xztar"])
def test_a_study_in_an_archive(tmp_path: Path, kind: str) -> None:
    archive = shutil.make_archive(str(tmp_path / "study"), kind, study(tmp_path / "plain"))
    item = item_of(tmp_path, Path(archive))
    assert set(item["phases"]) == set(ALL) and reasons(item) == {"unpacked": 1}
    assert item["notes"]["files"]["total"] == 97
    assert len(item["source"]) == 24 and all(Path(path).is_file() for path in item["source"])


def test_one_series_of_a_study_in_an_archive(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    (tmp_path / "art").mkdir()
    for path in folder.glob("1.2.3.3_*"):
        path.rename(tmp_path / "art" / path.name)
    shutil.make_archive(str(folder / "arterial"), "zip", tmp_path / "art")
    item = item_of(tmp_path, folder)
    assert set(item["phases"]) == set(ALL) and reasons(item) == {"unpacked": 1}
    assert "arterial.zip/1.2.3.3_004.dcm" in (tmp_path / "out/phases/P1/files.csv").read_text()
    item = item_of(tmp_path, folder, deidentify=True)
    assert item["source"] and not list((tmp_path / "out/phases" / item["id"]).glob("dicom"))


def test_a_deidentified_packed_study_has_no_source(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "study"), "zip", study(tmp_path / "plain"))
    item = item_of(tmp_path, Path(archive), deidentify=True)
    assert item["source"] == [] and any("no SEG" in warning for warning in item["notes"]["warnings"])


def test_a_list_of_packed_studies(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.make_archive(str(tmp_path / "in/study"), "zip", study(tmp_path / "plain"))
    entries = prepare(source="dicom", input_dir=tmp_path / "in", dataset_dir=tmp_path / "out")
    [item] = read_sections(entries)["test"]
    assert set(item["phases"]) == set(ALL) and all(Path(path).is_file() for path in item["source"])


def test_members_that_lead_elsewhere_stay_packed_and_are_counted(tmp_path: Path) -> None:
    folder = study(tmp_path / "plain")
    archive_file = Path(shutil.make_archive(str(tmp_path / "study"), "zip", folder))
    with zipfile.ZipFile(archive_file, "a") as archive:
        for name in ("../out.dcm", "/absolute.dcm", "a/../../up.dcm", "C:\\windows.dcm"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    item = item_of(tmp_path, archive_file)
    assert reasons(item) == {"unpacked": 1, "packed": 5}
    assert any("outside the archive" in warning for warning in item["notes"]["warnings"])
    assert not list(tmp_path.glob("*.dcm"))
    archive_file = tmp_path / "links.tar"
    with tarfile.open(archive_file, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"m{kind!r}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("../up.dcm")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    files, refused = unpack(archive_file, tmp_path / "u")
    assert files == [] and len(refused) == 5


def encrypted(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"secret")
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)


def cut(path: Path, folder: Path) -> None:
    archive = Path(shutil.make_archive(str(path.with_suffix("")), "zip", folder))
    archive.write_bytes(archive.read_bytes()[:-4000])


def seven(path: Path, _: Path) -> None:
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))


@pytest.mark.parametrize(("write", "message"), [(encrypted, "encrypted"), (cut, "damaged"), (seven, "7-Zip")])
def test_an_archive_that_cannot_be_unpacked_is_named(tmp_path: Path, write: Any, message: str) -> None:
    folder = study(tmp_path / "plain")
    write(tmp_path / "study.zip", folder)
    with pytest.raises(CaseError) as caught:
        item_of(tmp_path, tmp_path / "study.zip")
    assert message in caught.value.problem and caught.value.file == str(tmp_path / "study.zip")
    shutil.move(tmp_path / "study.zip", folder)
    item = item_of(tmp_path, folder)
    assert reasons(item) == {"packed": 1}
    assert any(message in warning and "study.zip" in warning for warning in item["notes"]["warnings"])


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    assert (tmp_path / "bomb.zip").stat().st_size < 100_000
    with pytest.raises(ArchiveError, match="GiB"):
        unpack(tmp_path / "bomb.zip", tmp_path / "u", room=1_000_000)
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(9):
            archive.writestr(str(number), b"x")
    with pytest.raises(ArchiveError, match="more than 3 files"):
        unpack(tmp_path / "many.zip", tmp_path / "v")


def test_an_archive_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    shutil.make_archive(str(tmp_path / "outer/inner"), "zip", study(tmp_path / "plain"))
    item = item_of(tmp_path, Path(shutil.make_archive(str(tmp_path / "study"), "tar", tmp_path / "outer")))
    assert set(item["phases"]) == set(ALL) and reasons(item) == {"unpacked": 2}


def test_documents_are_no_archives(tmp_path: Path) -> None:
    for name in ("letter.docx", "t.nii.gz", "plain.txt"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a", b"b")
    assert detect_archive_kind(tmp_path / "letter.docx") == detect_archive_kind(tmp_path / "t.nii.gz") == ""
    assert detect_archive_kind(tmp_path / "plain.txt") == "ZIP"


def test_an_archive_named_for_a_phase_is_refused_with_a_remedy(tmp_path: Path) -> None:
    from scripts.lidia.data.load_phases import LoadPhases

    archive = shutil.make_archive(str(tmp_path / "series"), "zip", study(tmp_path / "plain"))
    with pytest.raises(CaseError) as caught:
        LoadPhases("native")({"id": "P1", "phases": {"venous": archive}})
    assert "--dicom_dir" in caught.value.remedy and caught.value.file == archive
