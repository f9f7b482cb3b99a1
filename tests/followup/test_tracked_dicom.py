"""SEG and SR of two dates carry the same tracking identifiers for the same lesion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom.findings import RESULT, scan
from followup.hand_made import settings
from inference.findings_on_disk import results
from pydicom.uid import generate_uid
from report.pdf_reading import read_pages

from scripts.lidia.dicom.source_series import read_source
from scripts.lidia.followup.write_followup import write_followup
from scripts.lidia.inference import series_findings


def write_dates(folder: Path) -> list[str]:
    """Writes two dates of one patient with DICOM images; returns the result files."""
    paths = []
    for year in ("2024", "2025"):
        source = scan(folder / year / "ct", series=generate_uid(entropy_srcs=[year]))
        inputs = {"venous": {"path": "ct", "sha256": ""}}
        assert source.is_dir()
        result = {**RESULT, "patient": "P", "date": f"{year}-05-06", "inputs": inputs}
        results(folder / year, result=result)
        paths.append(str(folder / year / "P1.json"))
    return paths


def find_tracking(folder: Path, case: str) -> tuple[dict[str, str], set[str]]:
    """Tracking UID of each lesion by its identifier in the SEG, and all tracking UIDs of the SR."""
    segments = pydicom.dcmread(folder / f"{case}_seg.dcm").SegmentSequence
    tracked = {s.TrackingID: str(s.TrackingUID) for s in segments if "TrackingUID" in s}
    report = pydicom.dcmread(folder / f"{case}_sr.dcm")
    texts = [str(element.value) for element in report.iterall() if element.keyword == "UID"]
    return tracked, set(texts)


@pytest.mark.parametrize("deidentify", [False, True, "uids"])
def test_the_same_lesion_has_the_same_identifiers_at_all_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deidentify: Any
) -> None:
    cases_read: list[str] = []

    def read_once(paths: Any, *, case: str) -> Any:
        cases_read.append(case)
        return read_source(paths, case=case)

    monkeypatch.setattr(series_findings, "read_source", read_once)
    (path,) = write_followup(
        output_dir=tmp_path / "out",
        settings=settings(),
        results=write_dates(tmp_path),
        pages=False,
        pdf=True,
        deidentify=deidentify,
    )
    record = json.loads(path.read_text(encoding="utf-8"))
    cases = ["P1_2024-05-06", "P1_2025-05-06"]
    assert cases_read == cases, "the PDF needs no second reading"
    assert record["dicom"] == dict.fromkeys(cases, "written")
    (first, in_first), (second, in_second) = (find_tracking(tmp_path / "out", case) for case in cases)
    assert first == second and len(set(first.values())) == 2
    assert set(first.values()) <= in_first & in_second
    document = pydicom.dcmread(tmp_path / "out/P_followup_pdf.dcm")
    assert document.EncapsulatedDocument.startswith((tmp_path / "out/P_followup.pdf").read_bytes())
    latest = pydicom.dcmread(tmp_path / f"out/{cases[1]}_seg.dcm")
    assert document.StudyInstanceUID == latest.StudyInstanceUID and document.PatientID == latest.PatientID
    text = "".join(read_pages(document.EncapsulatedDocument))
    assert "2024-05-06, venous" in text and "Response" in text
    if deidentify != "uids":
        assert first == {lesion["tracking_id"]: lesion["tracking_uid"] for lesion in record["lesions"]}
    codes = [
        item.ConceptNameCodeSequence[0].CodeMeaning.lower()
        for item in walk(pydicom.dcmread(tmp_path / f"out/{cases[0]}_sr.dcm"))
        if "ConceptNameCodeSequence" in item
    ]
    assert codes.count("short axis") == codes.count("long axis") == 2


def walk(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    """All content items of a report."""
    items = list(dataset.get("ContentSequence", ()))
    return items + [below for item in items for below in walk(item)]
