"""Public data sets: every file is a phase, a label or a table of a patient, or is left out for a reason."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from prepare.miniatures import convert
from prepare.test_dicom_readers import FIRST, LIVER, scan, slices_of, write_seg


def fates(folder: Path) -> dict[str, tuple[str, str, str]]:
    with (folder / "files.csv").open() as file:
        return {row["file"]: (row["status"], row["use"], row["reason"]) for row in csv.DictReader(file)}


def test_an_archive_of_series_and_segments(tmp_path: Path) -> None:
    root = tmp_path / "in"
    folder = scan(root / "P1/ct", "P1", "1.5.1")
    write_seg(root / "P1/seg/1.dcm", slices_of(folder), {"Liver": LIVER, "Tumor_1": FIRST})
    scan(root / "P1/other", "P1", "1.5.3", FrameOfReferenceUID="1.9.7")
    scan(root / "P2/ct", "P2", "1.5.2")
    scan(root / "P1/mr", "P1", "1.5.4", Modality="MR", slices=[0, 1])
    scan(root / "P1/few", "P1", "1.5.5", slices=[3])
    (root / "LICENSE").write_text("text")
    (root / "P1/ct.zip").write_bytes(b"PK\x03\x04")
    convert("crlm", root, tmp_path / "out")
    files = json.loads((tmp_path / "out/summary.json").read_text())["files"]
    assert files["total"] == 3 * 20 + 1 + 2 + 1 + 2
    assert {use["use"]: use["files"] for use in files["uses"]} == {"venous": 20, "label": 1}
    assert {entry["reason"]: entry["files"] for entry in files["reasons"]} == {
        "not_chosen": 40, "other_kind": 2, "single_slices": 1, "not_dicom": 1, "packed": 1
    }  # fmt: skip
    result = fates(tmp_path / "out")
    assert result["P1/seg/1.dcm"][:2] == ("used", "label") and result["P1/few/1.5.5_003.dcm"][0] == "left out"


def test_two_passes_of_a_series_are_one_phase(tmp_path: Path) -> None:
    """The volume has all places, and what the passes share is counted once."""
    root = tmp_path / "in"
    for number, slices in ((2, range(0, 12)), (3, range(10, 20))):
        tags = {"AcquisitionNumber": number, "AcquisitionTime": f"10000{number}", "slices": slices}
        scan(root / f"P1/{number}", "P1", "1.5.1", **tags)
    segmented = [s for n in (2, 3) for s in slices_of(root / f"P1/{n}")]
    segmented = list({float(s.ImagePositionPatient[2]): s for s in reversed(segmented)}.values())
    write_seg(root / "seg/1.dcm", segmented, {"Liver": LIVER, "Tumor_1": FIRST})
    [item] = convert("crlm", root, tmp_path / "out").values()
    assert item["phases"]["venous"].endswith(".nii.gz")
    files = json.loads((tmp_path / "out/summary.json").read_text())["files"]
    assert {use["use"]: use["files"] for use in files["uses"]} == {"venous": 20, "label": 1}
    assert [(entry["reason"], entry["files"]) for entry in files["reasons"]] == [("overlap", 2)]
