"""`lidia follow` and `lidia prepare` with real arguments: the files that they write are read back."""

from __future__ import annotations

import json
from pathlib import Path

from cli.conftest import Run
from dicom.studies import patient, write_study
from followup.hand_made import write_date


def test_two_dates_are_compared(lidia: Run, tmp_path: Path) -> None:
    for case, radius, date in (("t1", 10, "2025-01-10"), ("t2", 16, "2025-05-10")):
        write_date(tmp_path / "results", case, [((60, 80, 120), radius, "HCC")], date=date)
    process = lidia("follow", tmp_path / "results", "-o", "out", "--register", "false", "--pages=false")
    assert process.returncode == 0, process.stderr[-2000:]
    out = tmp_path / "work/out"
    record = json.loads((out / "P1_followup.json").read_text(encoding="utf-8"))
    assert [lesion["changes"][0]["change"] for lesion in record["lesions"]] == ["grown"]
    assert not (out / "P1_followup.html").exists()
    assert f"Results: {out}" in process.stdout


def test_a_dicom_archive_becomes_a_data_set(lidia: Run, tmp_path: Path) -> None:
    write_study(tmp_path / "archive/one", patient(), {"arterial": "art", "venous": "ven"})
    process = lidia("prepare", tmp_path / "archive", "-o", tmp_path / "data", "--source", "dicom")
    assert process.returncode == 0, process.stderr[-2000:]
    content = json.loads((tmp_path / "data/dataset.json").read_text(encoding="utf-8"))
    (item,) = content["test"]
    assert sorted(item["phases"]) == ["arterial", "venous"]
    assert all((tmp_path / "data" / path).is_file() for path in item["phases"].values())
    assert not any(path.name.startswith(".") for path in (tmp_path / "data").rglob("*"))
