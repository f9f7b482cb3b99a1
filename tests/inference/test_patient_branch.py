"""Scores of a patient branch reach metrics and files; without a branch none is written."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.small_cohort import AFFINE, SHAPE, cohort, drawing, filled
from monai.data import MetaTensor
from sklearn.metrics import roc_auc_score

from scripts.lidia.evaluation.evaluation_files import write_evaluation
from scripts.lidia.inference.postprocessing import Diagnosed
from scripts.lidia.metrics.patient_rows import SCORES

SAID = {"a": 0.2, "b": 0.6, "c": 0.5, "d": 0.4, "e": 0.1}
"""What the branch thinks of an HCC; b has no predicted lesion, so that it counts 0."""


def branched() -> list[dict]:
    patients = cohort()
    for entry in patients:
        painted = torch.full((len(SCORES), *SHAPE), 0.3)
        painted[0] = SAID[entry["id"]]
        entry["pred"] = MetaTensor(torch.cat([entry["pred"].as_tensor(), painted]), affine=AFFINE.copy())
    return patients


def test_areas_of_the_branch_are_listed_beside_the_other_rules(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scores, plain = filled(branched()), filled(cohort())
    columns = scores.rows().columns
    assert columns["branch_HCC"].tolist() == pytest.approx([0.2, 0, 0.5, 0.4, 0.1])
    metrics = write_evaluation(tmp_path, scores.rows(), scores, draws=50)
    area = roc_auc_score([0, 1, 0, 1, 0], columns["branch_HCC"])
    assert metrics["branch_auc_HCC"]["value"] == pytest.approx(area)
    assert area == pytest.approx(2 / 6), "d alone beats two of three"
    gap = metrics["auc8_minus_branch"]["value"]
    assert gap == pytest.approx(metrics["auc8"]["value"] - metrics["branch_auc8"]["value"])
    assert {"branch_auc2", "branch_auc2_authors", "auc2_minus_branch"} <= set(metrics)
    assert 0 < metrics["auc_HCC"]["p_against_branch"] <= 1 and "delong" in metrics["branch_auc_HCC"]
    (line, *_) = list(csv.DictReader((tmp_path / "patients.csv").read_text().splitlines()))
    assert float(line["branch_HCC"]) == pytest.approx(0.2)
    assert "patient branch" in caplog.text
    others = {name: value for name, value in scores.aggregate().items() if not name.startswith("branch_")}
    assert others == plain.aggregate()


def test_without_a_branch_nothing_of_it_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scores = filled(cohort())
    write_evaluation(tmp_path, scores.rows(), scores, draws=5)
    for file in ("metrics.json", "patients.csv"):
        assert "branch" not in (tmp_path / file).read_text()
    assert "patient branch" not in caplog.text and "branch_auc8" not in scores.aggregate()


def test_inference_writes_the_branch_and_keeps_ten_probabilities() -> None:
    for entry, reference in ((branched()[0], True), (cohort()[0], False)):
        diagnosis = Diagnosed(keep_probabilities=True)(entry)
        assert ("branch" in diagnosis["result"]) is reference
        assert diagnosis["probabilities"].shape == (10, *SHAPE)
        np.testing.assert_array_equal(diagnosis["probabilities"].affine, AFFINE)
        assert (np.asarray(diagnosis["pred"])[0] == drawing(2)).all()
        if reference:
            branch = json.loads(json.dumps(diagnosis["result"]))["branch"]
            assert branch["HCC"] == pytest.approx(0.4) and branch["benign"] == pytest.approx(0.3)
            assert list(branch) == [*SCORES[:8], "malignant", "benign"]
