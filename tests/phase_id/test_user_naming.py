"""A series that the user names for a phase is used if it is a volume, also against its words or tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dicom.tagged import ALL, CLOCK, add, chosen, numbers, study
from pydicom import Dataset

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_series
from scripts.lidia.inference.inputs import resolve_inputs


def coronal(slice_: Dataset, n: int) -> None:
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    slice_.ImagePositionPatient = [0.0, n * 5.0, 0.0]


SERIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "computed map": ("Mono 70 keV", {}, None),
    "projection": ("ven", {"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, None),
    "coronal": ("ven cor", {}, coronal),
    "called a localizer": ("scout", {}, None),
    "60 mm": ("ven part", {}, lambda _, n: n < 10),
}


@pytest.mark.parametrize(("text", "tags", "change"), SERIES.values(), ids=SERIES)
def test_a_series_that_looks_like_no_phase(
    tmp_path: Path, text: str, tags: dict[str, Any], change: Any
) -> None:
    """Both doors take it, with a remark: by its number, and as a folder."""
    folder = tmp_path / "in"
    study(folder / "others")
    add(folder / "named", 9, text, change, AcquisitionTime=CLOCK["ven"], **tags)
    assert numbers(chosen(folder)) == ALL
    [item] = resolve_inputs(
        dicom_dir=str(folder), output_dir=str(tmp_path / "out"), phase_map={"venous": "9"}
    )
    [row] = [row for row in item["notes"]["series"] if row["phase"] == "venous" and row["taken"]]
    assert row["number"] == "9" and set(item["phases"]) == set(ALL)
    assert any("series 9: named for venous" in warning for warning in item["notes"]["warnings"])
    _, _, remarks = read_series(folder / "named")
    assert any(remark.code == "looks_unlike" for remark in remarks)


def test_what_is_no_volume_is_refused_though_named(tmp_path: Path) -> None:
    study(tmp_path)
    add(tmp_path, 9, "ven", lambda _, n: n != 9, AcquisitionTime="100900")
    add(tmp_path, 10, "Topogram", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    add(tmp_path, 11, "MR", Modality="MR")
    for number in ("9", "10", "11"):
        with pytest.raises(CaseError, match=f"series {number} ") as caught:
            chosen(tmp_path, phase_map={"venous": number})
        assert caught.value.code == "bad_phase_map"


def test_a_map_of_a_scan_named_beside_the_scan(tmp_path: Path) -> None:
    """The unenhanced map has the time of the venous scan that it was computed from; both are wanted."""
    for number, (text, clock) in enumerate(CLOCK.items(), 2):
        if text != "nativ":
            add(tmp_path, number, text, AcquisitionTime=clock)
    add(tmp_path, 9, "VNC", AcquisitionTime=CLOCK["ven"])
    choice = chosen(tmp_path, phase_map={"nc": "VNC"})
    assert numbers(choice) == {**ALL, "nc": "9"}
    choice = chosen(tmp_path, phase_map={"nc": "9", "venous": "4"})
    assert numbers(choice) == {**ALL, "nc": "9"}


def test_one_series_is_named_for_one_phase(tmp_path: Path) -> None:
    study(tmp_path)
    with pytest.raises(CaseError) as caught:
        chosen(tmp_path, phase_map={"venous": "4", "delayed": "4"})
    assert caught.value.code == "bad_phase_map"
    assert {"venous", "delayed"} <= set(caught.value.problem.split()) and "series 4" in caught.value.problem
