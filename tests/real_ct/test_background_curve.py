"""The curve over the number of studies, from records with round numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.real_ct.background_curve import Point, count_false_lesions, write_curve
from scripts.lidia.datalist.case_error import CaseError


def make_record(
    name: str, dice: float, *, reported: int = 0, outlined: int | None = None, lits: Any = None
) -> dict:
    lesions = {"count": reported, "outlined": outlined}
    return {"id": name, "liver": {"dice": dice}, "lesions": lesions, "lits": lits}


def write_training(folder: Path, studies: list[str], records: list[dict]) -> str:
    path = folder / f"{len(studies)}.json"
    path.write_text(json.dumps({"training_scans": studies, "scans": records}), encoding="utf-8")
    return str(path)


def test_false_lesions_lie_outside_outlines_or_labels() -> None:
    lits = {"reported": 7, "reported_real": 5}
    assert count_false_lesions(make_record("a", 0.9, reported=3, outlined=1)) == 2
    assert count_false_lesions(make_record("a", 0.9, reported=3)) == 3
    assert count_false_lesions(make_record("a", 0.9, reported=7, lits=lits)) == 2


def test_trainings_are_compared_on_the_scans_that_none_saw(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lits = {"dice": 0.5, "found_any": 10, "reported": 4, "reported_real": 3}
    few = [make_record("x", 0.8, reported=3), make_record("y", 0.1), make_record("lits", 0.7, lits=lits)]
    many = [
        make_record("x", 0.9),
        make_record("z", 0.2),
        make_record("lits", 0.75, lits={**lits, "dice": 0.6}),
    ]
    files = [write_training(tmp_path, ["y", "z"], many), write_training(tmp_path, ["z"], few)]
    points = write_curve(results=files, output_dir=tmp_path)
    # (3 + 1) / 2 and (0 + 1) / 2 false lesions a scan
    assert points == [Point(1, 0.8, 0.7, 0.5, 10, 2.0), Point(2, 0.9, 0.75, 0.6, 10, 0.5)]
    content = json.loads((tmp_path / "curve.json").read_text(encoding="utf-8"))
    assert content["scans"] == ["x", "lits"]
    assert caplog.messages[-1].endswith(": y, z"), "scans that are not compared are named"
    assert [Point(**{key: entry[key] for key in Point._fields}) for entry in content["trainings"]] == points
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert "| 2 | 0.900 | 0.750 | 0.600 | 10 | 0.5 |" in (tmp_path / "curve.md").read_text(encoding="utf-8")


def test_trainings_without_a_common_unseen_scan_are_an_error(tmp_path: Path) -> None:
    file = write_training(tmp_path, ["x"], [make_record("x", 0.8)])
    with pytest.raises(CaseError, match="share no unseen scan"):
        write_curve(results=file, output_dir=tmp_path)
    lits = {"dice": 0.5, "found_any": 10, "reported": 4, "reported_real": 3}
    only_lits = write_training(tmp_path, ["x", "y"], [make_record("lits", 0.7, lits=lits)])
    with pytest.raises(CaseError, match="share no unseen scan"):
        write_curve(results=only_lits, output_dir=tmp_path)
    (tmp_path / "old.json").write_text('{"scans": []}', encoding="utf-8")
    with pytest.raises(CaseError, match="training_scans is missing"):
        write_curve(results=str(tmp_path / "old.json"), output_dir=tmp_path)
    with pytest.raises(CaseError, match="no file is given"):
        write_curve(results=None, output_dir=tmp_path)
