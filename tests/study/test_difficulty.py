from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.study.difficulty import compute_patient_auc, measure_difficulty
from experiments.study.features import FEATURES, CaseFeatures, extract_features
from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.metrics.patient_auc import SIDES
from scripts.lidia.metrics.patient_rows import SCORES
from scripts.lidia.vocabulary import LESION_TYPES, PHASES


def lesions(name: str, *groups: int) -> CaseFeatures:
    count = len(groups)
    return CaseFeatures(name, np.array(groups, int), np.zeros((count, FEATURES)), np.zeros((count, 4)))


def test_a_patient_is_scored_by_the_greatest_probability() -> None:
    cases = [lesions("a", 2, 7), lesions("b", 7), lesions("c")]
    rows = [np.zeros((2, 8)), np.zeros((1, 8)), np.zeros((0, 8))]
    rows[0][0, 0], rows[1][0, 0] = 0.9, 0.2
    rows[0][1, 5], rows[1][0, 5] = 0.4, 0.0
    result = compute_patient_auc(cases, rows)
    assert result == {"HCC": 1.0, "cyst": 0.75, "auc8": 0.875}


def test_features_of_a_written_case(cohort: Path) -> None:
    datalist = json.loads((cohort / "dataset.json").read_text())
    items = [item for part in ("training", "validation", "test") for item in datalist[part]]
    for item in items:
        features = extract_features(item, cohort)
        assert features.rich.shape == (len(features.groups), FEATURES)
        assert len(features.groups) == len(item["lesions"])
        for column, phase in enumerate(PHASES):
            assert np.isnan(features.plain[:, column]).all() == (
                phase not in item["phases"] or not len(features.groups)
            )
    cysts = [extract_features(item, cohort) for item in items]
    darker = [c.plain[c.groups == 7, 2] for c in cysts]
    darker = np.concatenate(darker)
    assert (darker < -10).all() if len(darker) else pytest.skip("no cyst in this cohort")


OPENED: list[str] = []
"""Files opened while it is watched."""
WATCHING = [False]


def _watch(event: str, arguments: tuple) -> None:
    if WATCHING[0] and event == "open" and isinstance(arguments[0], str):
        OPENED.append(arguments[0])


def test_the_oracle_never_sees_a_prediction(cohort: Path, tmp_path: Path) -> None:
    """Of all files it opens, those that are no code are the cohort's own and what it writes itself."""
    prediction = tmp_path / "lidia/internal/patients.csv"
    prediction.parent.mkdir(parents=True)
    prediction.write_text("id,livermax_HCC\n")
    OPENED.clear()
    sys.addaudithook(_watch)
    WATCHING[0] = True
    try:
        output = tmp_path / "oracle/internal/difficulty.json"
        result = measure_difficulty(dataset_dir=cohort, output=output, section="training")
    finally:
        WATCHING[0] = False
    items = json.loads((cohort / "dataset.json").read_text())["training"]
    allowed = {str(cohort / "dataset.json")}
    for item in items:
        allowed |= {str(cohort / item[key]) for key in ("label", "instances")}
        allowed |= {str(cohort / path) for path in item["phases"].values()}
    data = {path for path in OPENED if path.startswith((str(cohort), str(tmp_path)))}
    assert allowed <= data, "the hook saw what was read"
    assert {path for path in data - allowed if not path.startswith(str(output.parent))} == set()
    assert not any(path.endswith((".pt", ".csv", "metrics.json")) for path in OPENED if path not in data)

    with output.with_name("patients.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [item["id"] for item in items]
    columns = [f"mm3_{name}" for name in (*LESION_TYPES, *SIDES)]
    columns += [f"{rule}_{name}" for rule in ("oracle", "floor") for name in SCORES]
    assert list(rows[0]) == ["id", *columns]
    assert result["oracle"]["auc8"] == 1.0, "a forest judged on what it learnt"


def test_the_truth_is_that_of_an_evaluation(cohort: Path) -> None:
    import nibabel as nib

    item = json.loads((cohort / "dataset.json").read_text())["training"][0]
    features = extract_features(item, cohort)
    label = nib.load(cohort / item["label"])
    annotation = np.asarray(nib.load(cohort / item["instances"]).dataobj)
    spacing = [float(size) for size in label.header.get_zooms()]
    lesions = find_lesions(np.asarray(label.dataobj), spacing, annotation).lesions
    assert lesions
    for kind, name in enumerate(LESION_TYPES, 2):
        volume = sum(entry.component.volume_mm3 for entry in lesions if entry.kind == kind)
        assert features.truth[name] == pytest.approx(volume)
