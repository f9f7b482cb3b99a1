"""The check of a datalist: leaks, swapped phases, lesions outside the liver, and a summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct_files import affine_of, save, write_ct, write_label

from scripts.lidia.check.check_datalist import check
from scripts.lidia.data.phase_order import find_phase_disorder
from scripts.lidia.datalist.case_error import CaseError

SHAPE = (44, 44, 30)
SPACING = (3.5, 3.5, 5.0)
AFFINE = affine_of(SPACING, SHAPE)
HU = {"nc": 55.0, "arterial": 70.0, "venous": 110.0, "delayed": 90.0}


def patient(folder: Path, case: str, seed: int, *, swap: bool = False, far: bool = False) -> dict[str, Any]:
    """A patient of four phases; `swap` names venous what is nc, `far` puts a lesion outside the liver."""
    names = dict(zip(HU, HU, strict=True)) | ({"nc": "venous", "venous": "nc"} if swap else {})
    phases = {}
    for number, phase in enumerate(HU):
        path = folder / case / f"{phase}.nii.gz"
        phases[phase] = write_ct(path, SHAPE, SPACING, liver_hu=HU[names[phase]], seed=10 * seed + number)[0]
    lesions = [(2, (10, 10, 0), 12.0), *([(7, (58, -40, 40), 8.0)] if far else [])]
    label = write_label(folder / case / "label.nii.gz", AFFINE, SHAPE, lesions)
    return {"id": case, "phases": phases, "label": label}


def write(folder: Path, **sections: list[dict[str, Any]]) -> Path:
    (folder / "dataset.json").write_text(json.dumps(sections))
    return folder


def codes(folder: Path) -> set[tuple[str, str, str]]:
    faults = json.loads((folder / "errors.json").read_text())
    return {(fault["case"], fault["severity"], fault["code"]) for fault in faults}


def test_a_good_list_is_summed_up(tmp_path: Path) -> None:
    data = write(tmp_path, training=[patient(tmp_path, "a", 1), patient(tmp_path, "b", 2)], test=[])
    summary = check(dataset_dir=data, output_dir=tmp_path / "out", workers=2)
    section = summary["sections"]["training"]
    assert section["patients"] == section["labelled"] == 2 and section["phases"]["delayed"] == 2
    assert section["lesions"]["HCC"] == section["patients_with"]["HCC"] == 2
    assert section["spacing_mm"] == [3.5, 3.5, 3.5] and section["slice_mm"] == [5.0, 5.0, 5.0]
    assert [round(value) for value in section["liver_hu"]["venous"]] == pytest.approx([110] * 3, abs=1)
    assert summary["faults"] == {} and set(summary["warnings"]) <= {"liver_volume"}
    assert summary == json.loads((tmp_path / "out/summary.json").read_text())
    page = (tmp_path / "out/check.html").read_text()
    assert "2 remarks" in page and "HCC" in page and "http" not in page.replace("http-equiv", "")


def test_a_patient_and_a_file_of_two_sections_are_leaks(tmp_path: Path) -> None:
    first, second, third = (patient(tmp_path, case, number) for number, case in enumerate("abc"))
    copy = tmp_path / "c/venous.nii.gz"
    copy.write_bytes(Path(first["phases"]["venous"]).read_bytes())
    data = write(
        tmp_path,
        training=[{**first, "patient": "P1"}, {**second, "patient": "P2"}],
        test=[{**third, "patient": "P2"}],
    )
    with pytest.raises(CaseError):
        check(dataset_dir=data, output_dir=tmp_path / "out", workers=0)
    faults = json.loads((tmp_path / "out/errors.json").read_text())
    messages = [fault["problem"] for fault in faults if fault["code"] == "leak"]
    assert any(all(word in problem for word in ("P2", "training", "test")) for problem in messages)
    assert any("same content" in problem and "of a (training)" in problem for problem in messages)


def test_what_looks_wrong_is_remarked(tmp_path: Path) -> None:
    data = write(
        tmp_path, training=[patient(tmp_path, "a", 1, swap=True), patient(tmp_path, "b", 2, far=True)]
    )
    check(dataset_dir=data, output_dir=tmp_path / "out", workers=0)
    assert {("a", "warning", "phase_order"), ("b", "warning", "outside_liver")} <= codes(tmp_path / "out")
    assert not {case for case, _, code in codes(tmp_path / "out") if code == "phase_order"} - {"a"}


def test_headers_alone_and_one_section(tmp_path: Path) -> None:
    bad = save(tmp_path / "flat.nii.gz", np.zeros((40, 40, 3), np.int16), AFFINE)
    noise = save(tmp_path / "noise.nii.gz", np.zeros(SHAPE, np.int16), AFFINE)
    items = [{"id": "flat", "phases": {"venous": bad}}, {"id": "zero", "phases": {"venous": noise}}]
    data = write(tmp_path, training=items, test=[])
    with pytest.raises(CaseError):
        check(dataset_dir=data, output_dir=tmp_path / "out", voxels=False, workers=0)
    assert codes(tmp_path / "out") == {("flat", "error", "too_flat")}, "zeros are seen in voxels alone"
    check(dataset_dir=data, output_dir=tmp_path / "out", sections=["test"], workers=0)
    assert codes(tmp_path / "out") == set(), "the list of an earlier check is replaced"
    with pytest.raises(CaseError, match="tset"):
        check(dataset_dir=data, output_dir=tmp_path / "out", sections=["tset"], workers=0)


@pytest.mark.parametrize("content", ["{", "[]", '{"training": 3}', '{"training": [{"id": "x"}]}', "\xff"])
def test_lists_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content, encoding="latin-1")
    with pytest.raises(CaseError) as caught:
        check(dataset_dir=tmp_path, output_dir=tmp_path / "out", workers=0)
    assert caught.value.code in ("bad_json", "bad_datalist", "no_phase")
    assert json.loads((tmp_path / "out/errors.json").read_text())


def test_an_item_at_fault_does_not_hide_the_others(tmp_path: Path) -> None:
    data = write(tmp_path, training=[{"id": "none", "phases": {}}, patient(tmp_path, "a", 1, swap=True)])
    with pytest.raises(CaseError) as caught:
        check(dataset_dir=data, output_dir=tmp_path / "out", workers=0)
    assert (caught.value.code, caught.value.case) == ("no_phase", "none")
    assert ("a", "warning", "phase_order") in codes(tmp_path / "out")


@pytest.mark.parametrize(
    ("hu", "fits"),
    [
        ({"nc": 55, "arterial": 70, "venous": 110, "delayed": 90}, True),
        ({"nc": 15, "arterial": 28, "venous": 77, "delayed": 31}, True),
        ({"venous": 60}, True),
        ({"nc": 110, "venous": 55}, False),
        ({"arterial": 110, "venous": 70}, False),
        ({"nc": 70, "arterial": 55}, False),
        ({"venous": 85, "delayed": 110}, False),
    ],
)
def test_enhancement_by_hand(hu: dict[str, float], fits: bool) -> None:
    assert (find_phase_disorder(hu) is None) == fits
