"""Groups of a reliability diagram by hand, and the calibration files of an evaluation."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from evaluation.test_fit_calibration import Measured, rows
from PIL import Image

from scripts.lidia.evaluation.evaluation_files import write_evaluation
from scripts.lidia.evaluation.fit_calibration import fit_calibration
from scripts.lidia.evaluation.reliability_diagram import group_scores


def test_groups_by_hand() -> None:
    chances = np.array([0.1, 0.1, 0.1, 0.1, 0.6, 0.8, 0.6, 0.8])
    truth = np.array([0, 0, 0, 1, 1, 1, 0, 1], bool)
    result = group_scores(chances, truth, bins=2)
    assert [(entry.chance, entry.share, entry.patients) for entry in result] == [
        (pytest.approx(0.1), 0.25, 4),
        (pytest.approx(0.7), 0.75, 4),
    ]
    assert all(entry.low < entry.share < entry.high for entry in result)
    assert len(group_scores(np.full(9, 0.3), np.arange(9) < 3)) == 1, "equal probabilities stay together"


def test_an_evaluation_writes_the_diagram_and_the_triage(tmp_path: Path) -> None:
    scores = Measured(calibration=fit_calibration(rows(), 113.0))
    write_evaluation(tmp_path, rows(), scores)
    with Image.open(tmp_path / "reliability.png") as picture:
        assert min(picture.size) > 500
    with (tmp_path / "triage.csv").open(newline="", encoding="utf-8") as file:
        lines = {line["type"]: line for line in csv.DictReader(file)}
    assert set(lines) == {"HCC", "malignant"}
    line = {name: float(value) for name, value in lines["HCC"].items() if name != "type"}
    assert line["patients"] == 200 and line["with"] == (rows().columns["mm3_HCC"] > 0).sum()
    assert line["sensitivity_low"] < line["sensitivity"] >= 0.95 and line["specificity"] >= 0.95
    assert 0 < line["ruled_out"] + line["ruled_in"] < 1
    plain = tmp_path / "plain"
    write_evaluation(plain, rows(), Measured())
    assert (plain / "reliability.png").is_file() and not (plain / "triage.csv").exists()


def test_an_evaluation_s_slopes_are_those_after_the_lines(tmp_path: Path) -> None:
    calibration = fit_calibration(rows(), 113.0)
    plain = write_evaluation(tmp_path / "plain", rows(), Measured(), draws=10)
    mended = write_evaluation(tmp_path / "mended", rows(), Measured(calibration=calibration), draws=10)
    raw, own = (result["auc_HCC"]["calibration_slope"] for result in (plain, mended))
    assert raw > 2 and own == pytest.approx(raw / calibration.lines["HCC"].slope, rel=1e-3)
    assert own == pytest.approx(1, abs=0.1), "fitted on the same patients, but for Platt's targets"
    low, high = mended["auc_HCC"]["calibration_slope_wald"]
    assert low < own < high and (low + high) / 2 == pytest.approx(own)
    assert "calibration_slope" not in mended["auc_FNH"], "nobody has it"
