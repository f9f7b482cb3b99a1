"""A study reads all rules of an evaluation; oracle and floor are in the same tables."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from study.judged import COHORTS, read_json, write_archive

from experiments.study.archive import store_result
from experiments.study.compact_tables import read_table
from experiments.study.jobs import Job, StudyPaths
from experiments.study.write_study import write_study
from scripts.lidia.atomic import write_json
from scripts.lidia.vocabulary import LESION_TYPES


def test_a_patient_branch_is_a_method(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, {"lidia": {}, "plan": {}}, {"lidia": 0.7, "plan": 0.6})
    rng = np.random.default_rng(3)
    for cohort in COHORTS:
        folder = archive / "plan" / cohort
        rows = read_table(folder, "patients.csv")
        for row in rows:
            scores = {f"branch_{key[9:]}": str(rng.random()) for key in row if key.startswith("livermax_")}
            row |= scores
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        (folder / "patients.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
        metrics = read_json(folder / "metrics.json")
        metrics["branch_auc8"] = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40}
        write_json(folder / "metrics.json", metrics)
    write_study(archive=str(archive), output_dir="", systems={"lidia": {}, "plan": {}}, draws=20)
    study = read_json(tmp_path / "study.json")
    rules = ("livermax", "pixelcount")
    expected = [*(f"lidia+{rule}" for rule in rules), *(f"plan+{rule}" for rule in (*rules, "branch"))]
    assert list(study["internal"]) == expected
    assert study["internal"]["plan+branch"]["auc8"] == [0.5, 0.4, 0.6]
    truth = np.array([float(row["mm3_cyst"]) > 113 for row in rows])
    area = roc_auc_score(truth, [float(row["branch_cyst"]) for row in rows])
    assert study["external"]["plan+branch"]["auc_cyst"][0] == pytest.approx(area)


def test_oracle_and_floor_are_methods(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, {"lidia": {}}, {"lidia": 0.6})
    folder = tmp_path / "oracle/internal"
    folder.mkdir(parents=True)
    rows = read_table(archive / "lidia/internal", "patients.csv")
    for row in rows:
        volumes = {key: value for key, value in row.items() if key.startswith("mm3_")}
        best = {f"oracle_{key[4:]}": value for key, value in volumes.items() if key != "mm3_unsided"}
        floor = {f"floor_{key[4:]}": "0.5" for key in volumes if key != "mm3_unsided"}
        row_id = row["id"]
        row.clear()
        row |= {"id": row_id, **volumes, **best, **floor}
    with (folder / "patients.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "difficulty.json").write_text("{}")
    job = Job("oracle/internal", "difficulty", [], folder, "python", "key", None, 0.0)
    store_result(archive, job, StudyPaths(Path(), Path(), COHORTS), None, 0)
    page = write_study(archive=str(archive), output_dir="", systems={"lidia": {}}, draws=20).read_text()
    study = read_json(tmp_path / "study.json")
    assert study["internal"]["oracle"]["auc8"][0] == 1.0 and study["internal"]["floor"]["auc8"][0] == 0.5
    assert study["internal"]["oracle"]["dice"] == [None, None, None]
    gap = study["differences"]["internal"]["oracle"]["auc8"]
    assert gap["value"] == pytest.approx(study["internal"]["lidia+livermax"]["auc8"][0] - 1, abs=1e-5)
    assert "| oracle | true masks | 1.000 (1.000-1.000) |" in page
    assert study["budget"]["oracle"]["phantom"] == "cafe"
    assert all(f"auc_{name}" in study["internal"]["floor"] for name in LESION_TYPES)
