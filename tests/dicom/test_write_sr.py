"""An SR is read back by highdicom, by a plain walk over its tree, and by dcmqi."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom.findings import AFFINE, RESULT, SHAPE, make_findings, patient
from pydicom import Dataset

from scripts.lidia.dicom.codes import PROBABILITIES
from scripts.lidia.dicom.provenance import make_origin
from scripts.lidia.dicom.write_seg import make_segmentation
from scripts.lidia.dicom.write_sr import make_report

VOXEL = float(np.abs(np.linalg.det(AFFINE[:3, :3])))


def write(folder: Path, headers: list[Dataset] | None = None, **changes: Any) -> tuple[Path, Path]:
    """Writes SEG and SR of the made-up patient."""
    liver, instances = make_findings()
    result, headers = {**RESULT, **changes}, headers or patient()
    if not result["lesions"]:
        instances = np.zeros(SHAPE, np.uint16)
    origin = make_origin(headers, liver, instances, result)
    seg = make_segmentation(liver, instances, result["lesions"], origin)
    volume = float(liver.sum() * VOXEL) if result["malignant"] else 0.0
    report = make_report(result, volume, seg, origin)
    seg.save_as(folder / "seg.dcm")
    report.save_as(folder / "sr.dcm")
    return folder / "seg.dcm", folder / "sr.dcm"


def walk(item: Any) -> Iterator[Any]:
    """All content items of a tree, by pydicom alone."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from walk(child)


def numbers(group: Any) -> dict[str, tuple[float, str]]:
    """Value and unit of the measures of a group, by name."""
    collected = {}
    for item in walk(group):
        if item.ValueType == "NUM":
            value = item.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            collected[item.ConceptNameCodeSequence[0].CodeMeaning] = (float(value.NumericValue), unit)
    return collected


def named(item: Any, code: str) -> list[Any]:
    return [i for i in walk(item) if i.get("ConceptNameCodeSequence", [{}])[0].get("CodeValue") == code]


def test_all_numbers_are_there(tmp_path: Path) -> None:
    _, path = write(tmp_path)
    tree = pydicom.dcmread(path)
    assert tree.SOPClassUID.name == "Comprehensive 3D SR Storage"
    complete, liver, first, second = named(tree, "125007")  # measurement groups
    notes = numbers(complete)
    for name, code in PROBABILITIES.items():
        expected = {**RESULT["probabilities"], **RESULT}[name]
        assert notes[code.meaning] == (pytest.approx(expected, abs=1e-8), "1")
    assert numbers(liver)["Volume"] == (pytest.approx(make_findings()[0].sum() * VOXEL), "mm3")
    for group, record in zip((first, second), RESULT["lesions"], strict=True):
        notes = numbers(group)
        assert notes["Volume"] == (pytest.approx(record["volume_mm3"], abs=1e-8), "mm3")
        assert notes["Long axis"] == (pytest.approx(record["diameter_mm"], abs=1e-8), "mm")
        assert notes["Probability of HCC"][0] == record["probabilities"]["HCC"]
    calibrated = named(complete, "calibrated")[0]
    assert calibrated.ConceptCodeSequence[0].CodeMeaning == "Yes"


def test_the_report_names_its_software_and_research_use(tmp_path: Path) -> None:
    _, path = write(tmp_path)
    tree = pydicom.dcmread(path)
    texts = [item.TextValue for item in walk(tree) if item.ValueType == "TEXT"]
    for expected in (
        "LIDIA",
        "0.2.0",
        f"weights SHA-256 {'0123456789abcdef' * 4}",
        "grid phase venous",
        "phases used nc, venous",
        "Research only. Not a medical device, not for diagnosis.",
        "the arterial phase was left out",
    ):
        assert expected in texts
    assert (tree.VerificationFlag, tree.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


def test_it_refers_to_segments_and_series(tmp_path: Path) -> None:
    seg_path, path = write(tmp_path)
    seg, report, plain = pydicom.dcmread(seg_path), highdicom.sr.srread(path), pydicom.dcmread(path)
    groups = report.content.get_volumetric_roi_measurement_groups()
    pointers = [item.ReferencedSOPSequence[0] for item in named(plain, "121191")]
    tracked = {s.TrackingUID: s for s in seg.SegmentSequence if "TrackingUID" in s}
    assert len(groups) == len(pointers) == 3
    for group, pointer in list(zip(groups, pointers, strict=True))[1:]:
        segment = tracked[group.tracking_uid]
        assert pointer.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert pointer.ReferencedSegmentNumber == segment.SegmentNumber
        assert segment.TrackingID == group.tracking_identifier
        assert group.finding_type.value == segment.SegmentedPropertyTypeCodeSequence[0].CodeValue
    source = patient()
    series = {item.UID for item in named(plain, "121232")}
    assert series == {source[0].SeriesInstanceUID}
    evidence = plain.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert seg.SeriesInstanceUID in {entry.SeriesInstanceUID for entry in evidence}
    assert plain.StudyInstanceUID == seg.StudyInstanceUID == source[0].StudyInstanceUID


def test_without_findings_the_report_has_the_patient_s_probabilities(tmp_path: Path) -> None:
    _, path = write(tmp_path, lesions=[], malignant=0.0)
    groups = named(pydicom.dcmread(path), "125007")
    assert len(groups) == 1 and numbers(groups[0])["Probability of cancer"] == (0.0, "1")
    assert len(numbers(groups[0])) == len(PROBABILITIES)


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    headers = patient()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, headers)
    for name in ("seg.dcm", "sr.dcm"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    report = pydicom.dcmread(tmp_path / "a/sr.dcm")
    assert "InstanceCreationDate" not in report
    assert (report.ContentDate, report.ContentTime) == ("20240506", "101213"), "the source's acquisition"


@pytest.mark.parametrize("result", [True, False], ids=["two lesions", "nothing"])
def test_a_validator_reports_no_error(tmp_path: Path, result: bool) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not there: apt-get install dicom3tools")
    for path in write(tmp_path, **({} if result else {"lesions": [], "malignant": 0.0})):
        process = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        lines = (process.stdout + process.stderr).splitlines()
        odd = [line for line in lines if "Error" in line or "Warning" in line]
        assert [line for line in odd if "99LIDIA" not in line] == []


def test_dcmqi_reads_the_report(tmp_path: Path) -> None:
    _, path = write(tmp_path)
    program = distribution("dcmqi").locate_file("dcmqi/bin/tid1500reader")
    command = [program, "--inputDICOM", path, "--outputMetadata", tmp_path / "sr.json"]
    process = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    _, liver, *lesions = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    assert liver["ReferencedSegment"] == 1
    for lesion, record in zip(lesions, RESULT["lesions"], strict=True):
        assert lesion["ReferencedSegment"] == record["instance"] + 1
        assert lesion["SourceSeriesForImageSegmentation"] == "1.2.3"
        assert lesion["FindingSite"]["CodeMeaning"] == "Liver"
        notes = {m["quantity"]["CodeMeaning"]: float(m["value"]) for m in lesion["measurementItems"]}
        assert notes["Volume"] == pytest.approx(record["volume_mm3"], abs=1e-8)
        assert notes["Long axis"] == pytest.approx(record["diameter_mm"], abs=1e-8)
        for name, p in record["probabilities"].items():
            assert notes[PROBABILITIES[name].meaning] == p


def test_dcmtk_reads_the_report(tmp_path: Path) -> None:
    program = shutil.which("dsrdump")
    if program is None:
        pytest.skip("dsrdump is not there: apt-get install dcmtk")
    _, path = write(tmp_path)
    process = subprocess.run([program, "+Pc", str(path)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert '(25370001,SCT,"Hepatocellular carcinoma")' in process.stdout
    assert '"24.186773" (mm,UCUM,"mm")' in process.stdout


def test_lirads_features_are_coded_evaluations_and_a_category_only_stands_where_it_was_suggested(
    tmp_path: Path,
) -> None:
    states = {"nonrim_aphe": "present", "enhancing_capsule": "absent", "threshold_growth": "not_assessed"}
    evidence: dict[str, Any] = {"features": {name: {"state": state} for name, state in states.items()}}
    suggested = evidence | {"suggestion": {"category": "LR-5", "possible": ["LR-5"], "reason": ""}}
    lesions = [RESULT["lesions"][0] | {"lirads": suggested}, RESULT["lesions"][1] | {"lirads": evidence}]
    _, path = write(tmp_path, lesions=lesions)
    _, _, first, second = named(pydicom.dcmread(path), "125007")
    for group in (first, second):
        for code, value in (("nonrim_aphe", "121053"), ("capsule", "121054"), ("growth", "373068000")):
            (item,) = named(group, code)
            assert item.ValueType == "CODE" and item.ConceptCodeSequence[0].CodeValue == value
        assert not named(group, "rim_aphe")
    (category,) = named(first, "lirads_category")
    assert category.ConceptCodeSequence[0].CodeValue == "LR-5"
    assert not named(second, "lirads_category")
    report = highdicom.sr.srread(path)
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert len(groups[1].get_qualitative_evaluations()) == 4
