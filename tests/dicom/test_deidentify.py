"""De-identified objects have no data of the patient and remain valid."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from dicom.findings import RESULT, SECRETS, make_findings, patient

from scripts.lidia.dicom.deidentify import deidentify
from scripts.lidia.dicom.provenance import make_origin
from scripts.lidia.dicom.write_seg import make_segmentation
from scripts.lidia.dicom.write_sr import make_report

KNOWN_TO_ALL = ("Manufacturer", "ManufacturerModelName")
"""Which model of scanner it was stays: the profile does not count it as identity."""


def pair(folder: Path) -> tuple[Path, Path]:
    """SEG and SR of the made-up patient."""
    liver, instances = make_findings()
    origin = make_origin(patient(), liver, instances, RESULT)
    seg = make_segmentation(liver, instances, RESULT["lesions"], origin)
    report = make_report(RESULT, float(liver.sum()), seg, origin)
    seg.save_as(folder / "seg.dcm")
    report.save_as(folder / "sr.dcm")
    return folder / "seg.dcm", folder / "sr.dcm"


def cleaned(path: Path, uids: str) -> tuple[pydicom.Dataset, bytes]:
    dataset = pydicom.dcmread(path)
    deidentify(dataset, uids=uids)
    dataset.save_as(path)
    return pydicom.dcmread(path), path.read_bytes()


def secrets() -> list[bytes]:
    record = {key: str(value).encode() for key, value in SECRETS.items() if key not in KNOWN_TO_ALL}
    # of one letter and of numbers that any pixel may look like, the attributes themselves are looked at
    return [value for key, value in record.items() if key not in ("PatientSex", "PatientWeight")]


def test_without_deidentification_all_attributes_are_kept(tmp_path: Path) -> None:
    for path in pair(tmp_path):
        dataset = pydicom.dcmread(path)
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDate"):
            assert str(dataset[keyword].value) == SECRETS[keyword]


@pytest.mark.parametrize("uids", ["keep", "replace"])
def test_deidentified_results_have_no_data_of_the_patient(tmp_path: Path, uids: str) -> None:
    for path in pair(tmp_path):
        before = path.read_bytes()
        assert sum(secret in before for secret in secrets()) > 8
        created, after = cleaned(path, uids)
        assert [secret for secret in secrets() if secret in after] == []
        for keyword in ("PatientSex", "PatientWeight", "PatientAge", "InstitutionName", "StationName"):
            assert not any(e.value for e in created.iterall() if e.keyword == keyword), keyword
        assert created.PatientIdentityRemoved == "YES"
        methods = [code.CodeValue for code in created.DeidentificationMethodCodeSequence]
        assert methods[0] == "113100" and ("113110" in methods) == (uids == "keep")
        assert created.SeriesDescription.endswith("(research only)")


def test_findings_are_kept_after_deidentification(tmp_path: Path) -> None:
    seg_path, sr_path = pair(tmp_path)
    frames = pydicom.dcmread(seg_path).pixel_array
    report = str(pydicom.dcmread(sr_path).ContentSequence)
    seg, _ = cleaned(seg_path, "keep")
    assert (seg.pixel_array == frames).all()
    assert str(cleaned(sr_path, "keep")[0].ContentSequence) == report


def test_kept_uids_lead_to_the_series_and_replaced_ones_agree_with_one_another(tmp_path: Path) -> None:
    old = pydicom.dcmread(pair(tmp_path)[0])
    seg, report = (cleaned(path, "keep")[0] for path in pair(tmp_path))
    assert seg.StudyInstanceUID == report.StudyInstanceUID == old.StudyInstanceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3"
    new, record = (cleaned(path, "replace") for path in pair(tmp_path))
    assert new[0].StudyInstanceUID == record[0].StudyInstanceUID != old.StudyInstanceUID
    assert new[0].SOPInstanceUID != seg.SOPInstanceUID
    assert new[0].file_meta.MediaStorageSOPInstanceUID == new[0].SOPInstanceUID
    assert str(new[0].SOPInstanceUID).encode() in record[1]
    for uid in (seg.SOPInstanceUID, seg.SeriesInstanceUID, seg.SegmentSequence[1].TrackingUID):
        assert str(uid).encode() not in new[1] + record[1]
    assert b"1.2.3\0" not in new[1] + record[1]


def test_the_pseudonym_is_the_study_s(tmp_path: Path) -> None:
    first, second = (cleaned(path, "keep")[0] for path in pair(tmp_path))
    assert first.PatientID == second.PatientID and len(first.PatientID) == 16
    assert not first.PatientName
