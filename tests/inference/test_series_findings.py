"""SEG, SR, RTSTRUCT and PDF of a patient share one reading of the series and one resampling of the masks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from dicom.findings import scan
from inference.findings_on_disk import diagnosis_of, results

from scripts.lidia.inference import series_findings
from scripts.lidia.inference.case_evaluator import SERIES_FINDINGS, CohortEvaluator
from scripts.lidia.inference.dicom_results import WriteDicom
from scripts.lidia.report.patient_pdf_files import WritePdf

KINDS = ("seg", "sr", "rtstruct", "pdf")


def write_all(folder: Path, source: Path, handlers: list[Any]) -> dict[str, Any]:
    """Runs handlers on the made-up patient, whose results have another orientation; returns the output."""
    item = {"id": "P1", "phases": {"venous": str(source)}}
    output = diagnosis_of(results(folder, "RAI"), "P1")
    engine: Any = SimpleNamespace(state=SimpleNamespace(batch=[{"id": "P1", "item": item}], output=[output]))
    for handler in handlers:
        handler(engine)
    return output


@pytest.mark.parametrize("deidentify", [False, True, "uids"])
def test_the_shared_reading_gives_the_files_of_separate_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deidentify: Any
) -> None:
    source, calls = scan(tmp_path / "ct"), []
    for name in ("read_source", "resample_to_stack"):
        original = getattr(series_findings, name)
        monkeypatch.setattr(
            series_findings,
            name,
            lambda *args, original=original, name=name, **kw: calls.append(name) or original(*args, **kw),
        )

    def make_handlers(folder: Path) -> list[Any]:
        return [
            WriteDicom(folder=str(folder), deidentify=deidentify, rtstruct=True),
            WritePdf(folder=str(folder), deidentify=deidentify),
        ]

    together, apart = tmp_path / "together", tmp_path / "apart"
    output = write_all(together, source, make_handlers(together))
    assert sorted(calls) == ["read_source", "resample_to_stack", "resample_to_stack"]
    assert SERIES_FINDINGS in output
    for handler in make_handlers(apart):
        write_all(apart, source, [handler])
    assert calls.count("read_source") == 3
    for kind in KINDS:
        assert (together / f"P1_{kind}.dcm").read_bytes() == (apart / f"P1_{kind}.dcm").read_bytes(), kind


@pytest.mark.parametrize("deidentify", [True, "uids"])
def test_all_objects_of_a_patient_stay_in_one_study(tmp_path: Path, deidentify: Any) -> None:
    folder, source = tmp_path / "out", scan(tmp_path / "ct")
    choices = {"folder": str(folder), "deidentify": deidentify}
    write_all(folder, source, [WriteDicom(**choices, rtstruct=True), WritePdf(**choices)])
    objects = [pydicom.dcmread(folder / f"P1_{kind}.dcm") for kind in KINDS]
    for keyword in ("StudyInstanceUID", "PatientID"):
        assert len({str(dataset[keyword].value) for dataset in objects}) == 1, keyword
    seg, report = objects[:2]
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    assert evidence.StudyInstanceUID == seg.StudyInstanceUID
    assert (seg.StudyInstanceUID == "1.2") == (deidentify is True)


def test_the_evaluator_drops_the_volumes_of_a_patient() -> None:
    item, output = {"id": "P1", "scans": [1]}, {"result": {}, SERIES_FINDINGS: [1]}
    evaluator: Any = SimpleNamespace(items=[item], state=SimpleNamespace(output=[output]))
    CohortEvaluator.drop_volumes(evaluator)
    assert item == {"id": "P1"} and output == {"result": {}}
