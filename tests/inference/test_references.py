"""SEG and SR of a series without identifiers or with placeholders; the page is written in any case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom.findings import RESULT, scan
from dicom.spoiled import spoil, spoil_all
from inference.findings_on_disk import check, results, run, write_dicom

from scripts.lidia.inference.case_evaluator import CohortError
from scripts.lidia.inference.cohort_dataset import CohortDataset
from scripts.lidia.inference.dicom_results import WriteDicom


@pytest.mark.parametrize(
    "keyword", ["FrameOfReferenceUID", "SOPClassUID", "StudyInstanceUID", "SOPInstanceUID"]
)
@pytest.mark.parametrize("raw", [None, b"anonymized"], ids=["missing", "placeholder"])
def test_without_identifiers_there_is_no_seg_and_a_reason(tmp_path: Path, keyword: str, raw: Any) -> None:
    source = scan(tmp_path / "ct")
    spoil(source / "1.2.3_007.dcm", keyword, raw)
    items = [{"id": "P1", "phases": {"venous": str(source)}}]
    folder = results(tmp_path / "out")
    write_dicom(folder, items[0])
    result = json.loads((folder / "P1.json").read_text())
    assert not list(folder.glob("*.dcm")) and keyword in result["no_dicom"]
    assert result["warnings"] == [*RESULT["warnings"], result["no_dicom"]]
    assert len(CohortDataset(items, None, str(folder), dicom=True, pages=False)) == 0, (
        "nothing is left to be done"
    )


def test_two_slices_of_one_instance_uid_are_not_referred_to(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct", SOPInstanceUID="1.2.3.4")
    folder = results(tmp_path / "out")
    write_dicom(folder, {"id": "P1", "phases": {"venous": str(source)}})
    assert "same SOPInstanceUID" in json.loads((folder / "P1.json").read_text())["no_dicom"]


PLACEHOLDERS = {
    "PatientBirthDate": b"1964-05-06", "PatientSex": b"Female", "PatientAge": b"Seventy",
    "StudyDate": b"00000000", "StudyTime": b"10:02:10", "SeriesDate": b"anonymized",
    "AcquisitionTime": b"noon", "PatientWeight": b"61,5", "KVP": b"120,0", "ContentDate": b"anonymized",
    "PatientID": b"x" * 70, "SpecificCharacterSet": b"ISO_IR 999",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Unknown encoding", "ignore:The value length")
def test_placeholders_are_blanked_in_seg_and_sr(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    for keyword, raw in PLACEHOLDERS.items():
        spoil_all(source, keyword, raw)
    folder = results(tmp_path / "out")
    write_dicom(folder, {"id": "P1", "phases": {"venous": str(source)}})
    check(folder, source)
    for kind in ("seg", "sr"):
        dataset = pydicom.dcmread(folder / f"P1_{kind}.dcm")
        assert dataset.PatientID == "x" * 70 and dataset.PatientName == "Secret^Name"
        for keyword in PLACEHOLDERS.keys() - {"PatientID", "SpecificCharacterSet"}:
            assert dataset.get(keyword) in (None, "", "20240506", "20240507"), keyword


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_the_page_is_written_even_without_seg_and_sr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: WriteDicom, data: Any) -> None:
        raise RuntimeError("no SEG today")

    monkeypatch.setattr(WriteDicom, "write", fail)
    source = scan(tmp_path / "ct")
    with pytest.raises(RuntimeError) as caught:
        run(tmp_path / "out", venous=str(source), case_id="P1", pages=True)
    assert isinstance(caught.value.__cause__, CohortError)
    assert (tmp_path / "out/P1.html").is_file() and (tmp_path / "out/P1.json").is_file()
    [fault] = json.loads((tmp_path / "out/errors.json").read_text())
    assert fault["case"] == "P1" and "no SEG today" in fault["problem"]
