"""The whole follow-up on hand-made dates: every change, JSON against its schema, CSV, page, and faults."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from followup.hand_made import settings, write_date

from scripts.lidia.data.read_volume import read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.followup.align_studies import find_liver_shift
from scripts.lidia.followup.find_patients import find_patients
from scripts.lidia.followup.read_study import read_header, read_study
from scripts.lidia.followup.write_followup import write_followup
from scripts.lidia.morphometry.lirads_features import FEATURES

SCHEMA = Path(__file__).parents[2] / "lidia_bundle/scripts/lidia/followup/followup.schema.json"
A, B, C, D, E = (60, 80, 120), (140, 80, 90), (100, 110, 100), (100, 50, 70), (120, 60, 40)
"""Places of lesions in the liver, mm."""


def run(folder: Path, **options: Any) -> dict[str, Any]:
    """Follows all dates of the folder's patient; reads the JSON back and checks it against its schema."""
    chosen = {"results_dir": folder, "dicom": False, **options}
    (path,) = write_followup(output_dir=folder / "out", settings=settings(), **chosen)
    record = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(record, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return record


def name_changes(record: dict[str, Any]) -> dict[int, str]:
    """Last change of each lesion."""
    return {
        lesion["lesion"]: lesion["changes"][-1]["change"] for lesion in record["lesions"] if lesion["changes"]
    }


def test_every_change_without_images_on_another_table(tmp_path: Path) -> None:
    first = [(A, 10, "HCC"), (B, 12, "HCC"), (C, 9, "cyst"), (D, 8, "metastasis")]
    second = [(D, 8, "metastasis"), (A, 16, "HCC"), (B, 7, "HCC"), (E, 6, "metastasis")]
    write_date(tmp_path, "t1", first, date="2025-01-10")
    write_date(tmp_path, "t2", second, date="2025-05-10", table=(12, -8, 300))
    record = run(tmp_path)
    assert name_changes(record) == {1: "grown", 2: "shrunk", 3: "gone", 4: "stable", 5: "new"}
    assert record["studies"][0]["alignment"]["method"] == "liver position"
    assert any("relative to the liver" in warning for warning in record["warnings"])
    grown = record["lesions"][0]
    assert grown["changes"][0]["longest_mm"] == pytest.approx(12, abs=2.5)
    assert grown["threshold_growth"] is True, "60 % in four months"
    assert grown["changes"][0]["doubling_days"] == pytest.approx(120 / (3 * 0.678), rel=0.15)
    assert record["recist"]["targets"] == [1, 2] and record["recist"]["dates"][1]["new_lesions"] == [5]
    assert record["recist"]["dates"][1]["response"] == "PD"
    text = (tmp_path / "out/P1_followup.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 2 * len(record["lesions"])
    assert [row["change"] for row in rows if row["lesion"] == "1"] == ["", "grown"]
    page = (tmp_path / "out/P1_followup.html").read_text(encoding="utf-8")
    assert page.count("<article") == 5 and "progressive disease" in page


def test_lirads_evidence_of_the_latest_date_has_the_growth(tmp_path: Path) -> None:
    lesions = [(A, 10, "HCC"), (B, 12, "HCC")]
    grown = [(A, 17, "HCC"), (B, 12, "HCC"), (E, 12, "HCC")]
    write_date(tmp_path, "t1", lesions, date="2025-01-10")
    path = write_date(tmp_path, "t2", grown, date="2025-05-10")
    result = json.loads(path.read_text(encoding="utf-8"))
    states = dict.fromkeys(FEATURES, {"state": "absent"})
    features = {**states, "nonrim_aphe": {"state": "present"}, "enhancement": {"state": "present"}}
    features["threshold_growth"] = {"state": "not_assessed", "reason": "no earlier scan"}
    for row in result["lesions"]:
        suggestion = {"category": "LR-4", "possible": ["LR-4"], "reason": ""}
        row["lirads"] = {"size_mm": 24.0, "features": features, "suggestion": suggestion}
    path.write_text(json.dumps(result), encoding="utf-8")
    evidence = {lesion["lesion"]: lesion["lirads"] for lesion in run(tmp_path)["lesions"]}
    growth = [evidence[lesion]["features"]["threshold_growth"]["state"] for lesion in (1, 2, 3)]
    assert growth == ["present", "absent", "not_assessed"], "the third lesion is new"
    categories = [evidence[lesion]["suggestion"]["category"] for lesion in (1, 2, 3)]
    assert categories == ["LR-5", "LR-4", "LR-4"], "with growth and APHE from 20 mm: LR-5"


def test_every_phase_of_a_date_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_date(tmp_path, "t1", [(A, 12, "HCC"), (B, 12, "HCC")], date="2025-01-10", images=True)
    write_date(tmp_path, "t2", [(A, 12, "HCC"), (B, 15, "HCC")], date="2025-05-10", images=True)
    paths: list[str] = []

    def read(path: str, *arguments: Any, **options: Any) -> Any:
        paths.append(Path(path).name)
        return read_phase(path, *arguments, **options)

    monkeypatch.setattr("scripts.lidia.followup.study_scans.read_phase", read)
    run(tmp_path)
    assert sorted(paths) == ["t1_venous.nii.gz", "t2_venous.nii.gz"]
    assert (tmp_path / "out/P1_followup.html").read_text(encoding="utf-8").count("data:image/jpeg") == 4


def test_merging_and_splitting(tmp_path: Path) -> None:
    near = (A[0] + 22, *A[1:])
    middle = (A[0] + 10, *A[1:])
    write_date(tmp_path, "t1", [(A, 8, "HCC"), (near, 7, "HCC"), (B, 15, "HCC")], date="2025-01-10")
    pieces = [((B[0] - 9, *B[1:]), 6, "HCC"), ((B[0] + 9, *B[1:]), 5, "HCC")]
    write_date(tmp_path, "t2", [(middle, 20, "HCC"), *pieces], date="2025-05-10")
    record = run(tmp_path)
    assert name_changes(record) == {1: "merged", 2: "merged", 3: "split", 4: "split"}
    assert record["lesions"][1]["merged_into"] == 1 and record["lesions"][3]["split_from"] == 3
    assert [lesion["threshold_growth"] for lesion in record["lesions"]] == [None] * 4, (
        "16 mm and 14 mm, then 40 mm"
    )
    (_, date) = record["recist"]["dates"]
    assert record["recist"]["targets"] == [1, 3] and date["new_lesions"] == [], "a fragment is not new"
    sizes = {lesion["lesion"]: lesion["measurements"][1]["longest_mm"] for lesion in record["lesions"]}
    assert date["sum_mm"] == pytest.approx(sizes[1] + sizes[3] + sizes[4], abs=0.02)


def test_a_lesion_that_merges_with_a_target_counts_at_all_dates(tmp_path: Path) -> None:
    near, middle = (A[0] + 22, *A[1:]), (A[0] + 10, *A[1:])
    first = [(A, 9, "HCC"), (near, 7, "HCC"), (B, 15, "HCC")]
    write_date(tmp_path, "t1", first, date="2025-01-10")
    write_date(tmp_path, "t2", [(middle, 20, "HCC"), (B, 15, "HCC")], date="2025-05-10")
    record = run(tmp_path)
    assert record["recist"]["targets"] == [1, 3] and record["recist"]["non_targets"] == [2]
    before, after = (
        {lesion["lesion"]: lesion["measurements"][number].get("longest_mm") for lesion in record["lesions"]}
        for number in (0, 1)
    )
    baseline, date = record["recist"]["dates"]
    assert baseline["sum_mm"] == pytest.approx(before[1] + before[2] + before[3], abs=0.02)
    assert date["sum_mm"] == pytest.approx(after[1] + after[3], abs=0.02)
    assert date["from_baseline_percent"] == pytest.approx(
        100 * (date["sum_mm"] / baseline["sum_mm"] - 1), abs=0.1
    )


def test_a_place_outside_the_other_scan_is_neither_gone_nor_new(tmp_path: Path) -> None:
    high = (100, 80, 150)
    write_date(tmp_path, "t1", [(high, 8, "HCC"), (B, 10, "HCC")], date="2025-01-10")
    low = (E, 6, "HCC")
    write_date(
        tmp_path, "t2", [(B, 10, "HCC"), low], date="2025-05-10", slices=slice(0, 33), table=(0, 0, 50)
    )
    record = run(tmp_path)
    assert name_changes(record) == {1: "not covered", 2: "stable", 3: "new"}
    assert record["lesions"][0]["measurements"][1]["state"] == "not covered"
    assert record["recist"]["dates"][1]["target_response"] == "NE"


def test_a_lesion_that_only_an_absent_phase_could_show_is_not_called_gone(tmp_path: Path) -> None:
    write_date(tmp_path, "t1", [(A, 10, "HCC")], date="2025-01-10", phases=("arterial", "venous"))
    write_date(tmp_path, "t2", [], date="2025-05-10", phases=("venous",))
    assert name_changes(run(tmp_path)) == {1: "not covered"}, "no image says which phase shows it"
    write_date(tmp_path, "t2", [], date="2025-05-10", phases=("arterial", "venous"))
    assert name_changes(run(tmp_path)) == {1: "gone"}


def test_three_dates_keep_numbers_and_tracking_identifiers(tmp_path: Path) -> None:
    write_date(tmp_path, "t1", [(A, 10, "HCC"), (B, 8, "HCC")], date="2024-01-10")
    write_date(tmp_path, "t2", [(B, 8, "HCC")], date="2024-07-10", table=(0, 0, 40))
    before = run(tmp_path)
    write_date(tmp_path, "t3", [(B, 8, "cyst"), (A, 10, "HCC")], date="2025-01-10", table=(5, 5, -90))
    record = run(tmp_path)
    uids = {lesion["lesion"]: lesion["tracking_uid"] for lesion in record["lesions"]}
    assert uids == {lesion["lesion"]: lesion["tracking_uid"] for lesion in before["lesions"]}
    assert len(set(uids.values())) == 2
    assert [change["change"] for change in record["lesions"][0]["changes"]] == ["gone", "stable"]
    assert record["lesions"][0]["changes"][1]["from"] == "t1", "compared with the last date that shows it"
    assert record["lesions"][1]["types"] == ["HCC", "cyst"] and record["lesions"][1]["types_differ"]


def test_a_card_names_the_types_in_order_of_date(tmp_path: Path) -> None:
    for number, kind in enumerate(("FNH", "FNH", "HCC", "FNH")):
        write_date(tmp_path, f"t{number}", [(A, 10, kind)], date=f"2025-0{number + 1}-10")
    assert run(tmp_path)["lesions"][0]["types"] == ["FNH", "HCC"]
    page = (tmp_path / "out/P1_followup.html").read_text(encoding="utf-8")
    card = re.sub(r"<[^>]+>", "", page[page.index("<article") :])
    assert "FNH, then HCC, then FNH" in " ".join(card.split())


def test_a_cut_liver_is_placed_right(tmp_path: Path) -> None:
    whole = write_date(tmp_path, "t1", [(A, 10, "HCC")])
    cut = write_date(tmp_path, "t2", [(A, 10, "HCC")], slices=slice(14, 46), table=(0, 0, 77))
    latest, earlier = (read_study(read_header(path)) for path in (cut, whole))
    assert find_liver_shift(latest, earlier) == pytest.approx((0, 0, -77), abs=6.1)


def test_pages_show_images(tmp_path: Path) -> None:
    write_date(tmp_path, "t1", [(A, 10, "HCC")], date="2025-01-10", images=True)
    write_date(tmp_path, "t2", [(A, 16, "HCC")], date="2025-05-10", images=True, table=(0, 0, 30))
    assert run(tmp_path)["lesions"][0]["changes"][0]["change"] == "grown"
    page = (tmp_path / "out/P1_followup.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64") == 2


def test_results_by_name_with_dates_and_equal_ids(tmp_path: Path) -> None:
    paths = [write_date(tmp_path / year, "P1", [(A, 10, "HCC")]) for year in ("2024", "2025")]
    names = [str(path) for path in paths]
    options: dict[str, Any] = {"results_dir": None, "results": names}
    unknown = run(tmp_path, **options)
    assert [study["date"] for study in unknown["studies"]] == [None, None]
    assert unknown["lesions"][0]["changes"][0]["doubling_days"] is None
    record = run(tmp_path, **options, dates=["2025-02-01", "2024-02-01"])
    assert [study["id"] for study in record["studies"]] == ["P1_2024-02-01", "P1_2025-02-01"]


def find(**options: Any) -> Any:
    defaults = dict.fromkeys(("results_dir", "results", "dates", "dataset_dir", "datalist"))
    return find_patients(**{**defaults, "section": "test", **options})


def test_faults_name_what_is_wrong(tmp_path: Path) -> None:
    one = str(write_date(tmp_path, "t1", [], date="2025-01-10"))
    other = str(write_date(tmp_path, "u1", [], patient="P2", date="2025-01-10"))
    same = str(write_date(tmp_path, "t2", [], date="2025-01-10"))
    for code, options in {
        "two_patients": {"results": [one, other]},
        "bad_date": {"results": [one, same]},
        "bad_count": {"results": [one]},
        "duplicate": {"results": [one, one]},
        "missing": {"results": [one, str(tmp_path / "t9.json")]},
        "no_case": {"results_dir": tmp_path / "nothing"},
    }.items():
        with pytest.raises(CaseError) as caught:
            find(**options)
        assert caught.value.code == code, code
    with pytest.raises(CaseError) as caught:
        find(results=[one, same], dates=["2025-01-10", "10.01.2025"])
    assert caught.value.code == "bad_date" and "10.01.2025" in caught.value.problem


def test_patients_that_cannot_be_followed_are_listed(tmp_path: Path) -> None:
    for case, date in (("t1", "2025-01-10"), ("t2", "2025-03-10")):
        write_date(tmp_path, case, [(A, 10, "HCC")], date=date)
    write_date(tmp_path, "u1", [], patient="P2", date="2025-01-10")
    write_date(tmp_path, "v1", [], patient="", date="2025-01-10")
    run(tmp_path)
    faults = json.loads((tmp_path / "out/errors.json").read_text(encoding="utf-8"))
    assert {(fault["case"], fault["severity"]) for fault in faults} == {("u1", "warning"), ("v1", "warning")}
