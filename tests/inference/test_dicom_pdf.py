"""The PDF of a patient and the DICOM object around it, read back by pypdf and pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom.findings import RESULT, SECRETS, SHAPE, scan
from inference.findings_on_disk import diagnosis_of, results
from pydicom.uid import EncapsulatedPDFStorage
from report.pdf_reading import count_images, read_pages

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.result_files import is_finished
from scripts.lidia.report import patient_pdf_files
from scripts.lidia.report.patient_pdf_files import WritePdf


def write(folder: Path, item: dict[str, Any], **options: Any) -> None:
    data = {"item": item, **diagnosis_of(folder, "P1")}
    WritePdf(folder=str(folder), **options).write(data)


def test_a_patient_with_dicom_input_gets_both_files(tmp_path: Path) -> None:
    item = {"id": "P1", "phases": {"venous": str(scan(tmp_path / "ct"))}}
    folder = results(tmp_path / "out", result={**RESULT, "warnings": ["a warning"]})
    write(folder, item)
    content = (folder / "P1.pdf").read_bytes()
    text = "\n".join(read_pages(content))
    assert "Lesion 1: HCC" in text and "Lesion 2: cyst" in text and "a warning" in text
    assert count_images(content) == 2, "one phase, two lesions"
    dataset = pydicom.dcmread(folder / "P1_pdf.dcm")
    source = pydicom.dcmread(next(iter((tmp_path / "ct").iterdir())))
    assert dataset.SOPClassUID == EncapsulatedPDFStorage and dataset.Modality == "DOC"
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf" and dataset.BurnedInAnnotation == "YES"
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == content
    assert len(dataset.EncapsulatedDocument) % 2 == 0
    assert dataset.StudyInstanceUID == source.StudyInstanceUID and dataset.PatientID == SECRETS["PatientID"]
    assert len(dataset.SourceInstanceSequence) == SHAPE[2]
    first = (folder / "P1_pdf.dcm").read_bytes()
    write(folder, item)
    assert (folder / "P1_pdf.dcm").read_bytes() == first, "the same results give the same object"


@pytest.mark.parametrize("deidentify", [True, "uids"])
def test_identifiers_are_removed_and_the_document_stays(tmp_path: Path, deidentify: Any) -> None:
    item = {"id": "P1", "phases": {"venous": str(scan(tmp_path / "ct"))}}
    folder = results(tmp_path / "out", result={**RESULT, "warnings": ["file of Secret"]})
    write(folder, item, deidentify=deidentify)
    dataset = pydicom.dcmread(folder / "P1_pdf.dcm")
    pages = read_pages(dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength])
    assert "Lesion 1" in "".join(pages) and "Secret" not in "".join(pages)
    raw = (folder / "P1_pdf.dcm").read_bytes()
    assert not [value for value in SECRETS.values() if len(str(value)) > 6 and str(value).encode() in raw]
    assert dataset.BurnedInAnnotation == "NO" and dataset.PatientIdentityRemoved == "YES"
    source = pydicom.dcmread(next(iter((tmp_path / "ct").iterdir())))
    assert (dataset.StudyInstanceUID == source.StudyInstanceUID) == (deidentify is True)


def test_nifti_input_gets_the_pdf_alone_and_finished_results_need_it(tmp_path: Path) -> None:
    folder = results(tmp_path / "out")
    assert is_finished(folder, "P1") and not is_finished(folder, "P1", pdf=True)
    write(folder, {"id": "P1", "synthetic": True})
    assert "phantoms" in read_pages((folder / "P1.pdf").read_bytes())[0]
    assert not (folder / "P1_pdf.dcm").exists() and is_finished(folder, "P1", pdf=True)


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_pdf_files, "find_spec", lambda name: None)
    with pytest.raises(CaseError, match="reportlab"):
        WritePdf(folder=str(tmp_path))
