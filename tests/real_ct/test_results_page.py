"""Means, ranges and goals of the page, from records with round numbers."""

from __future__ import annotations

from typing import Any

from experiments.real_ct.results_page import format_range, list_goals, write_results_page

GOALS = {
    "liver_dice": 0.95, "lits": [0.95, 0.72, 0.94], "lits_found": 35, "lits_large": 0.8, "outside": 0.02,
    "healthy": 1, "hcc": "2 of 2",
}  # fmt: skip


def record(name: str, dice: float, *, training: bool = False, outside: float = 0.0, **changes: Any) -> dict:
    lesions = {"count": 2, "volume_ml": 10.0, "outside_ml": outside, "outside_grown_ml": outside / 2}
    lesions |= {"outside_share": outside / 10, "outside_grown_share": outside / 20, "outside": 0}
    lesions |= {"outlined": None, "list": [{"type": "cyst", "diameter_mm": 12.0, "outside_share": 0.25}]}
    result = {"id": name, "training": training, "phases": ["venous"], "lesions": lesions, "lits": None}
    result["liver"] = {"dice": dice, "volume_ml": 1500, "reference_ml": 1000, "volume_ratio": 1.5}
    result["liver"]["voxels_above"] = 0
    result["patient"] = {"probabilities": {"HCC": 0.5}, "first_malignant": "HCC", "first": "cyst"}
    return result | {"warnings": ["a warning"], "seconds": 2.0, "cpu_seconds": 1.0} | changes


LITS = {
    "dice": 0.5, "labelled": 54, "found_any": 10, "found_dice": 6, "found_iou": 5, "large_labelled": 22,
    "large_found_any": 9, "large_found_dice": 4, "large_found_iou": 3, "reported": 4, "reported_real": 3,
}  # fmt: skip


def test_range_leaves_out_undefined_values() -> None:
    assert format_range([0.8, float("nan"), 0.9]) == "0.850 (0.800-0.900; 2 scans)"
    assert format_range([float("nan")]) == "-"


def test_goals_keep_training_scans_apart() -> None:
    other = {"probabilities": {"HCC": 0.5}, "first_malignant": "ICC", "first": "cyst"}
    records = [
        record("a", 0.8, outside=4.0),
        record("b", 0.9, patient=other),
        record("c", 0.99, training=True, outside=10.0),
        record("lits", 0.7, lits=LITS),
    ]
    rows = [row[1:3] for row in list_goals(records, GOALS, healthy=["b", "c"], hcc=["a", "b"])]
    assert rows[0] == ["0.850 (0.800-0.900; 2 scans)", "0.990 (0.990-0.990; 1 scans)"]
    assert rows[1] == ["0.70 / 0.50 / 0.75", "-"]
    assert rows[2] == ["10; 6; 5 of 54 / 9; 4; 3 of 22", "-"]
    # 4 of 30 ml and 2 of 30 ml; 10 and 5 of 10 ml
    assert rows[3] == ["13 % (7 %)", "100 % (50 %)"]
    assert rows[4] == ["2", "2"]
    assert rows[5] == ["1 of 2 a", "-"]


def test_counts_of_healthy_livers_stand_in_the_order_of_their_names() -> None:
    few, many = ({**record("", 0.9)["lesions"], "count": count} for count in (1, 7))
    records = [record("a", 0.9, lesions=few), record("b", 0.9, lesions=many)]
    name, unseen, *_ = list_goals(records, GOALS, healthy=["b", "a"], hcc=[])[4]
    assert "(b, a)" in name and unseen == "7 + 1"


def test_page_names_every_scan_and_warning() -> None:
    page = write_results_page([record("a", 0.8)], title="T", goals=GOALS, healthy=[], hcc=[])
    assert "![a](pictures/a.png)" in page and "- a warning" in page and "cyst 12 mm (25 % outside)" in page
    assert "## Training scans" not in page
