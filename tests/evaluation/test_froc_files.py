"""The FROC curve of an evaluation and its files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from evaluation.small_cohort import cohort, filled
from PIL import Image

from scripts.lidia.evaluation.evaluation_files import write_evaluation


def test_the_froc_of_a_small_cohort_and_its_files(tmp_path: Path) -> None:
    metrics = write_evaluation(tmp_path, filled(cohort()).rows(), filled(cohort()), draws=10)
    # by falling score: d, e and a are found, c is false; two truths have no candidate
    assert metrics["froc"]["value"] == pytest.approx(3 / 5) and metrics["froc"]["n"] == 5
    with (tmp_path / "froc.csv").open(encoding="utf-8") as file:
        points = list(csv.DictReader(file))
    assert float(points[3]["sensitivity"]) == pytest.approx(3 / 5) and points[0]["threshold"] == ""
    assert float(points[-1]["false_per_patient"]) == pytest.approx(1 / 5)
    with (tmp_path / "candidates.csv").open(encoding="utf-8") as file:
        pairs = list(csv.DictReader(file))
    found = [(row["id"], row["type"], row["true_type"]) for row in pairs]
    assert found == [
        ("a", "hemangioma", "cyst"),
        ("b", "", "HCC"),
        ("c", "ICC", ""),
        ("d", "HCC", "HCC"),
        ("e", "hemangioma", "hemangioma"),
        ("e", "", "others"),
    ]
    with Image.open(tmp_path / "froc.png") as picture:
        assert picture.size[0] > 300
    # a voxel of probability s has a lesion probability of s + 7 (1 - s) / 9
    peaks = [sure + 7 * (1 - sure) / 9 for sure in (0.9, 0.7, 0.8, 0.6)]
    errors = [(1 - peak) ** 2 for peak in peaks[:3]] + [peaks[3] ** 2]
    assert metrics["existence_brier"]["value"] == pytest.approx(sum(errors) / 4)
