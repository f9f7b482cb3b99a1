"""Measure the difficulty of a phantom cohort without a network.

The oracle is a random forest on rich features under the true masks; the floor is a logistic regression on the
four mean differences to the liver. Both are trained on `training` and evaluated on the patients of
`test`: the score of a type is its greatest probability over the patient's lesions, AUC-8 the mean of the
types' AUCs.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.study.features import CaseFeatures, extract_features
from scripts.lidia.atomic import write_json
from scripts.lidia.evaluation.evaluation_files import write_table
from scripts.lidia.postprocess.branch_scores import BRANCH_SCORES
from scripts.lidia.vocabulary import FIRST_LESION, LESION_CLASSES, LESION_TYPES

logger = logging.getLogger(__name__)
TREES = 600


def measure_difficulty(
    *,
    dataset_dir: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    seed: int = 0,
    workers: int = 1,
    section: str = "test",
    judged_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure oracle and floor of a written cohort.

    Args:
        dataset_dir: folder with `dataset.json`.
        output: JSON file for the result; `patients.csv` beside it holds the scores of every patient and the
            truth as evaluations of networks count it, so that both can stand in one table.
        seed: of the forest.
        workers: processes that read the cohort.
        section: on which both are evaluated.
        judged_dir: another cohort for the evaluation; by default the same.

    Returns:
        For `oracle` and `floor`, AUC of each type and `auc8`; also counts and the phantom's hash.

    Raises:
        FileNotFoundError: there is no `dataset.json`.
    """
    folder = Path(dataset_dir)
    datalist = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    training = _read_features(datalist["training"], folder, workers)
    judged_folder = Path(judged_dir or folder)
    tested = json.loads((judged_folder / "dataset.json").read_text(encoding="utf-8"))
    test = _read_features(tested[section], judged_folder, workers)
    groups = np.concatenate([d.groups for d in training])
    forest = RandomForestClassifier(
        TREES, max_features=0.25, random_state=seed, class_weight="balanced_subsample"
    )
    floor = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=3000),
    )
    result: dict[str, Any] = {
        "recipe": datalist.get("recipe"),
        "training": {"patients": len(training), "lesions": len(groups)},
        section: {"patients": len(test), "lesions": int(sum(len(d.groups) for d in test))},
    }
    lines: list[dict[str, Any]] = [
        {"id": case.case, **{f"mm3_{side}": mm3 for side, mm3 in case.truth.items()}} for case in test
    ]
    for name, model, key in (("oracle", forest, "rich"), ("floor", floor, "plain")):
        model.fit(np.concatenate([getattr(d, key) for d in training]), groups)
        chances = [_predict_probabilities(model, getattr(d, key)) for d in test]
        result[name] = compute_patient_auc(test, chances)
        for line, table in zip(lines, chances, strict=True):
            line |= {f"{name}_{score}": value for score, value in _score_patient(table).items()}
        logger.info("%s: AUC-8 %.3f on %d patients", name, result[name]["auc8"], len(test))
    if output is not None:
        path = Path(output)
        write_table(path.with_name("patients.csv"), ({k: str(v) for k, v in line.items()} for line in lines))
        write_json(path, result)
    return result


def compute_patient_auc(
    cases: list[CaseFeatures], probabilities: list[NDArray[np.float64]]
) -> dict[str, float]:
    """Compute the AUC of each type and their mean `auc8`; a type needs both outcomes."""
    truth = np.array([[group in set(case.groups.tolist()) for group in LESION_CLASSES] for case in cases])
    scores = np.array([p.max(0) if len(p) else np.zeros(len(LESION_TYPES)) for p in probabilities])
    aucs = {}
    for column, name in enumerate(LESION_TYPES):
        if 0 < truth[:, column].sum() < len(cases):
            aucs[name] = round(float(roc_auc_score(truth[:, column], scores[:, column])), 4)
    return aucs | {"auc8": round(float(np.mean(list(aucs.values()))), 4)}


def _score_patient(table: NDArray[np.float64]) -> dict[str, float]:
    """Compute a patient's scores from (L, 8): the maximum over lesions; groups are summed."""
    columns = {name: [kind - FIRST_LESION for kind in kinds] for name, kinds in BRANCH_SCORES.items()}
    return {name: float(table[:, at].sum(axis=1).max(initial=0.0)) for name, at in columns.items()}


def _read_features(items: list[dict[str, Any]], folder: Path, workers: int) -> list[CaseFeatures]:
    read = partial(extract_features, folder=folder)
    if workers <= 1:
        return [read(item) for item in items]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(read, items, chunksize=8)


def _predict_probabilities(model: Any, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict probabilities (L, 8) in the order of the vocabulary; 0 for a class that training lacks."""
    table = np.zeros((len(features), len(LESION_TYPES)))
    if len(features):
        columns = [list(LESION_CLASSES).index(group) for group in model.classes_]
        table[:, columns] = model.predict_proba(features)
    return table
