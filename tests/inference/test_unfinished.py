"""Patients without complete results: listing them changes nothing, cleaning removes half-written files."""

from __future__ import annotations

from pathlib import Path

from inference.findings_on_disk import results

from scripts.lidia.atomic import MARK
from scripts.lidia.inference.cohort_dataset import clean_unfinished, list_unfinished

REQUIRED = {"dicom": False, "pages": False}


def test_listing_changes_nothing_and_cleaning_removes_half_written_files(tmp_path: Path) -> None:
    results(tmp_path)
    items = [{"id": "P1", "phases": {}}, {"id": "P2", "phases": {}}]
    half = {name: tmp_path / f"{MARK}7@00000000-{name}.json" for name in ("P1", "P2", "P3")}
    for path in half.values():
        path.write_text("{")
    assert list_unfinished(items, str(tmp_path), **REQUIRED) == items[1:]
    assert all(path.exists() for path in half.values())
    assert clean_unfinished(items, str(tmp_path), **REQUIRED) == items[1:]
    assert {name for name, path in half.items() if path.exists()} == {"P1", "P3"}
    assert clean_unfinished(items, None, **REQUIRED) == items
