"""Readers of DICOM archives without annotations, and the rule that names phases."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepare.miniatures import fault_of, table
from prepare.test_dicom_readers import scan

from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.prepare.prepare_data import prepare
from scripts.lidia.prepare.readers import DATASET_TERMS, Layout
from scripts.lidia.prepare.readers.dicom_stacks import Stack
from scripts.lidia.prepare.readers.phase_timing import assign_phases


def test_tcga_lihc(tmp_path: Path) -> None:
    root = tmp_path / "in"
    scan(root / "a/1", "TCGA-1", "1.7.1", SeriesDescription="ABD W/O", AcquisitionTime="101000")
    scan(root / "a/2", "TCGA-1", "1.7.2", SeriesDescription="ARTERIAL 3MM", AcquisitionTime="101500")
    scan(root / "a/3", "TCGA-1", "1.7.3", SeriesDescription="ABDOMEN 3MM", AcquisitionTime="101540")
    later = {"StudyInstanceUID": "1.2.2", "StudyDate": "20001231"}
    scan(root / "a/4", "TCGA-1", "1.7.4", SeriesDescription="Portal venous", **later)
    scan(root / "b/1", "TCGA-2", "1.7.5", SeriesDescription="CAP", StudyInstanceUID="1.2.3")
    scan(root / "c/1", "TCGA-3", "1.7.6", SeriesDescription="portal", Modality="MR")
    prepare(source="tcga_lihc", input_dir=root, dataset_dir=tmp_path / "out")
    items = {item["id"]: item for item in load_datalist(tmp_path / "out", "test")}
    assert {case: list(item["phases"]) for case, item in items.items()} == {
        "TCGA-1_1": ["nc", "arterial", "venous"],
        "TCGA-1_2": ["venous"],
    }
    assert items["TCGA-1_2"]["patient"] == "TCGA-1" and "label" not in items["TCGA-1_2"]
    assert LoadPhases(labels=None)(items["TCGA-1_1"])["phases_used"] == ["nc", "arterial", "venous"]
    assert "'CAP'" in (tmp_path / "out/summary.json").read_text(), "who is left out, and why"


def test_vindr(tmp_path: Path) -> None:
    root = tmp_path / "in"
    labels = {"1.7.1": "Non-contrast", "1.7.2": "Arterial", "1.7.3": "Venous", "1.7.4": "Others"}
    rows = []
    for series, label in labels.items():
        scan(root / f"dicom/1.2/{series}", "", series)
        rows.append({"StudyInstanceUID": "1.2", "SeriesInstanceUID": series, "Label": label})
    rows.append({"StudyInstanceUID": "1.4", "SeriesInstanceUID": "1.7.9", "Label": "Venous"})
    assert fault_of("vindr", root, tmp_path / "none").code == "missing"
    table(root / "labels.csv", rows)
    prepare(source="vindr", input_dir=root, dataset_dir=tmp_path / "out")
    (item,) = load_datalist(tmp_path / "out", "test")
    assert item["id"] == "1.2" and list(item["phases"]) == ["nc", "arterial", "venous"]
    assert item["phases"]["arterial"] == str(root / "dicom/1.2/1.7.2")
    table(root / "labels.csv", [{**rows[0], "Label": "Portal-ish"}])
    assert fault_of("vindr", root, tmp_path / "more").code == "unknown_phase"


def stack(series: str, description: str, seconds: float | None, slices: int = 40, number: str = "1") -> Stack:
    paths = tuple(Path(f"{series}/{i}") for i in range(slices))
    return Stack("P", "S", "", series, description, number, "F", seconds, paths, frozenset())


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        (
            [("a", "LIVER", 0.0), ("b", "LIVER", 40.0), ("c", "LIVER", 300.0)],
            {"arterial": "a", "venous": "b", "delayed": "c"},
        ),
        ([("a", "PRE LIVER", 0.0), ("b", "CAP", 400.0)], {"nc": "a"}),
        ([("a", "LIVER", 0.0), ("b", "LIVER", 150.0)], {}),
        ([("a", "LIVER", None), ("b", "LIVER", None)], {}),
        ([("a", "ART/VEN", 0.0)], {}),
        (
            [("a", "ARTERIAL", 0.0), ("b", "soft", 40.0), ("c", "sharp", 41.0)],
            {"arterial": "a", "venous": "b"},
        ),
    ],
    ids=["by time", "one scan left", "too late for venous", "no times", "two words", "reconstructions"],
)
def test_phases_by_words_and_time(
    scans: list[tuple[str, str, float | None]], expected: dict[str, str]
) -> None:
    layout = Layout(Path("x"), {}, {}, {}, DATASET_TERMS["tcga_lihc"], Account(Path("x")))
    result = assign_phases([stack(*entry) for entry in scans], layout)
    assert {phase: entry.series for phase, entry in result.items()} == expected
