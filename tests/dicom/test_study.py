"""Other series of a scanner's folder and faulty phases are recognised and named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from dicom.tagged import ALL, CLOCK, add, body, chosen, numbers, study, why
from pydicom import Dataset

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.dicom.study import find_studies
from scripts.lidia.inference.inputs import resolve_inputs
from scripts.lidia.phase_id.select_series import NO_LIVER_WARNING, format_table
from scripts.lidia.prepare.prepare_data import prepare


def test_phases_follow_from_words_and_times_alone(tmp_path: Path) -> None:
    choice = chosen(study(tmp_path))
    assert numbers(choice) == ALL and choice.warnings == [NO_LIVER_WARNING]
    first = format_table(choice.rows).splitlines()[1]
    assert first.split()[:3] == ["nc", "2", "nativ"] and "description says 'nativ'" in first


def test_times_alone_are_not_enough_to_be_sure(tmp_path: Path) -> None:
    for number, (text, clock) in enumerate(CLOCK.items(), 2):
        add(tmp_path, number, f"series {number}", AcquisitionTime=clock)
        assert text
    choice = chosen(tmp_path)
    assert list(numbers(choice).values()) == ["2", "3", "4", "5"]


def test_series_without_words_and_times_have_a_warning(tmp_path: Path) -> None:
    add(tmp_path, 7, "abdomen")
    choice = chosen(tmp_path)
    assert len(choice.phases) == 1 and "confidence of 0.25" in choice.warnings[0]


def test_seconds_after_the_injection(tmp_path: Path) -> None:
    for number, clock in ((2, "100030"), (3, "100110")):
        add(tmp_path, number, "abdomen", AcquisitionTime=clock, ContrastBolusStartTime="100000")
    assert numbers(chosen(tmp_path)) == {"arterial": "2", "venous": "3"}


def test_several_reconstructions_of_one_scan(tmp_path: Path) -> None:
    study(tmp_path)
    add(tmp_path, 20, "ven lung", ConvolutionKernel="B70f")
    add(tmp_path, 21, "ven bone", ConvolutionKernel="BONE")
    choice = chosen(tmp_path)
    assert numbers(choice) == ALL
    assert "another reconstruction is better" in why(choice, "20") + why(choice, "21")


def test_thin_soft_slices_are_preferred_to_thick_ones(tmp_path: Path) -> None:
    add(tmp_path, 2, "ven thick", change=lambda _, n: n % 2 == 0)
    add(tmp_path, 3, "ven thin")
    assert numbers(chosen(tmp_path)) == {"venous": "3"}


def test_reformats(tmp_path: Path) -> None:
    study(tmp_path)
    for number, turn in ((30, [1, 0, 0, 0, 0, -1]), (31, [0, 1, 0, 0, 0, -1])):

        def turned(slice_: Dataset, n: int, turn: list[int] = turn) -> None:
            slice_.ImageOrientationPatient = turn
            slice_.ImagePositionPatient = [0.0, n * 5.0, 0.0] if turn[0] else [n * 5.0, 0.0, 0.0]

        add(tmp_path, number, "ven", change=turned)
    choice = chosen(tmp_path)
    assert numbers(choice) == ALL
    assert "coronal" in why(choice, "30") and "sagittal" in why(choice, "31")


def test_localizer_mip_maps_report_and_bolus_tracking(tmp_path: Path) -> None:
    study(tmp_path)
    add(tmp_path, 1, "Topogram", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    add(tmp_path, 40, "ven", ImageType=["DERIVED", "SECONDARY", "MIP"])
    add(tmp_path, 41, "art MIP")
    add(tmp_path, 42, "VNC", AcquisitionTime="100235")

    def still(slice_: Dataset, n: int) -> None:
        slice_.ImagePositionPatient, slice_.AcquisitionTime = [0.0, 0.0, 0.0], f"1001{n:02d}"

    add(tmp_path, 43, "PreMonitoring", change=still)

    def report(slice_: Dataset, _: int) -> None:
        slice_.Modality = "SR"
        del slice_.ImagePositionPatient, slice_.PixelData

    add(tmp_path, 44, "Dose Report", change=lambda s, n: n == 0 and report(s, n))
    choice = chosen(tmp_path)
    assert numbers(choice) == ALL and choice.warnings == [NO_LIVER_WARNING]
    for number, reason in {
        "1": "localizer", "40": "projection", "41": "projection", "42": "computed map",
        "43": "bolus tracking", "44": "dose report",
    }.items():  # fmt: skip
        assert reason in why(choice, number)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda s, n: n != 9, "slices are missing"),
        (lambda s, n: setattr(s, "ImagePositionPatient", [0, n * 1.8, n * 5.0]), "gantry was tilted"),
        (lambda s, n: s.pop("RescaleSlope") and None, "RescaleSlope"),
    ],
    ids=["gap", "tilt", "no HU"],
)
def test_a_faulty_phase_is_reported_and_the_others_are_used(tmp_path: Path, fault: Any, message: str) -> None:
    study(tmp_path)
    for path in tmp_path.glob("1.2.3.3_*"):
        path.unlink()
    add(tmp_path, 3, "art", change=fault)
    choice = chosen(tmp_path)
    assert numbers(choice) == {phase: name for phase, name in ALL.items() if phase != "arterial"}
    assert message in why(choice, "3")
    warning, unseen = choice.warnings
    assert "no arterial phase: series 3" in warning and unseen == NO_LIVER_WARNING


def test_another_reconstruction_replaces_a_faulty_one(tmp_path: Path) -> None:
    add(tmp_path, 2, "ven", change=lambda _, n: n != 9)
    add(tmp_path, 3, "ven thick", change=lambda _, n: n % 2 == 0)
    choice = chosen(tmp_path)
    assert numbers(choice) == {"venous": "3"} and choice.warnings == [NO_LIVER_WARNING]


def test_copies_of_slices_are_left_out_with_a_warning(tmp_path: Path) -> None:
    add(tmp_path / "a", 4, "ven")
    add(tmp_path / "b", 4, "ven", change=lambda _, n: n < 3)  # new SOPInstanceUIDs, the same pixels
    [item] = resolve_inputs(dicom_dir=str(tmp_path), output_dir=str(tmp_path / "out"))
    assert any("3 copies of slices" in warning for warning in item["notes"]["warnings"])


def test_two_phases_in_one_series(tmp_path: Path) -> None:
    add(tmp_path / "a", 4, "liver", AcquisitionNumber=1, AcquisitionTime="100200")
    add(tmp_path / "b", 4, "liver", AcquisitionNumber=2, AcquisitionTime="100240", voxels=body() + 30)
    choice = chosen(tmp_path)
    assert {row["number"]: row["slices"] for row in choice.rows} == {"4/1": 24, "4/2": 24}
    assert set(numbers(choice).values()) == {"4/1", "4/2"}


def test_the_phase_map_of_the_user_takes_precedence(tmp_path: Path) -> None:
    study(tmp_path)
    choice = chosen(tmp_path, phase_map={"venous": 5, "delayed": None, "arterial": "1.2.3.3"})
    assert numbers(choice) == {"nc": "2", "arterial": "3", "venous": "5"}
    [row] = [row for row in choice.rows if row["phase"] == "venous" and row["taken"]]
    assert row["why"] == "named by the user" and row["confidence"] == 1.0
    for name, matching in {"9": (2, 3, 4, 5), "a": (2, 3, 5)}.items():
        with pytest.raises(CaseError) as caught:
            chosen(tmp_path, phase_map={"venous": name})
        assert caught.value.code == "bad_phase_map" and f"venous = {name!r}" in caught.value.problem
        numbers_named = [int(number) for number in re.findall(r"series (\d+)", caught.value.remedy)]
        assert numbers_named == list(matching), "the remedy lists what can be named"
    with pytest.raises(CaseError) as caught:
        chosen(tmp_path, phase_map={"portal": "4"})
    assert caught.value.code == "unknown_phase" and "'portal'" in caught.value.problem


@pytest.mark.parametrize(
    ("tags", "code"), [({"PatientID": "P2"}, "two_patients"), ({"study": "1.7"}, "two_studies")]
)
def test_two_patients_or_studies_are_an_error(tmp_path: Path, tags: dict[str, str], code: str) -> None:
    add(tmp_path, 4, "ven")
    add(tmp_path, 9, "ven", **{"study": "1.6", **tags})
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(tmp_path), output_dir=str(tmp_path / "out"))
    assert caught.value.code == code and "P1" in caught.value.problem
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(tmp_path), output_dir=str(tmp_path / "out"), deidentify=True)
    assert "P1" not in caught.value.problem and "P2" not in caught.value.problem


def test_a_study_without_usable_series_lists_them(tmp_path: Path) -> None:
    add(tmp_path, 1, "Topogram")
    with pytest.raises(CaseError) as caught:
        chosen(tmp_path)
    assert caught.value.code == "no_series" and "series 1 (Topogram)" in caught.value.problem
    with pytest.raises(CaseError) as caught:
        find_studies(_empty(tmp_path))
    assert caught.value.code == "no_dicom"


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_errors_of_a_deidentified_study_name_no_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = {"PatientID": "SECRET-7", "PatientName": "Secret^Jane", "StudyDescription": "Secret"}
    folder = tmp_path / "in"
    add(folder, 3, "art Secret", **secret)
    add(folder, 4, "ven Dr Secret", **secret)
    with caplog.at_level("INFO"):
        [item] = resolve_inputs(dicom_dir=str(folder), output_dir=str(tmp_path / "out"), deidentify=True)
    record = json.dumps([item["id"], item["phases"], item["notes"]]).replace(str(tmp_path), "")
    assert "secret" not in (record + caplog.text).lower() and "20240506" not in record
    assert item["id"].startswith("case-") and set(item["phases"]) == {"arterial", "venous"}
    [row] = [row for row in item["notes"]["series"] if row["phase"] == "venous"]
    assert row["description"] == "ven" and row["time"] == "+35 s" and len(row["uid"]) <= 12
    [item] = resolve_inputs(dicom_dir=str(folder), output_dir=str(tmp_path / "out"), only=["arterial"])
    assert item["id"] == "SECRET-7" and {Path(p).name[:7] for p in item["source"]} == {"1.2.3.3"}


def test_an_archive_becomes_a_list(tmp_path: Path) -> None:
    read, write = tmp_path / "in", tmp_path / "out"
    add(read / "a", 4, "ven")
    add(read / "a", 3, "art")
    add(read / "b", 5, "ven", PatientID="P2", study="1.7")
    add(read / "b", 6, "ven", PatientID="P2", study="1.8", StudyDate="20240601")
    path = prepare(source="dicom", input_dir=read, dataset_dir=write)
    items = {item["id"]: item for item in read_sections(path)["test"]}
    assert set(items) == {"P1", "P2_20240506", "P2_20240601"}
    assert set(items["P1"]["phases"]) == {"arterial", "venous"} and items["P1"]["notes"]["series"]
    assert all(Path(file).is_file() for item in items.values() for file in item["phases"].values())
