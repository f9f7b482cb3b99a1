"""How hard a phantom cohort is, measured without any network of ours.

The oracle is a random forest on rich features under the true masks; the floor is a logistic regression on the
four mean differences to the liver. Both learn from `training` and are judged by patient on `test`: the score
of a type is its greatest probability over the patient's lesions, AUC-8 the mean of the types' AUCs.
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

from scripts.lidia.study.features import Described, describe
from scripts.lidia.vocabulary import LESION_CLASSES, LESION_TYPES

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
    """Oracle and floor of a written cohort.

    Args:
        dataset_dir: folder with `dataset.json`.
        output: JSON file for the result.
        seed: of the forest.
        workers: processes that read the cohort.
        section: where the two are judged.
        judged_dir: another cohort on whose section they are judged; by default the same.

    Returns:
        For `oracle` and `floor`, AUC a type and `auc8`; also counts and the phantom's hash.

    Raises:
        FileNotFoundError: there is no `dataset.json`.
    """
    folder = Path(dataset_dir)
    datalist = json.loads((folder / "dataset.json").read_text())
    training = _described(datalist["training"], folder, workers)
    judged = Path(judged_dir or folder)
    test = _described(json.loads((judged / "dataset.json").read_text())[section], judged, workers)
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
    for name, model, key in (("oracle", forest, "rich"), ("floor", floor, "plain")):
        model.fit(np.concatenate([getattr(d, key) for d in training]), groups)
        result[name] = patient_auc(test, [_probabilities(model, getattr(d, key)) for d in test])
        logger.info("%s: AUC-8 %.3f on %d patients", name, result[name]["auc8"], len(test))
    if output is not None:
        path = Path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    return result


def patient_auc(cases: list[Described], probabilities: list[NDArray[np.float64]]) -> dict[str, float]:
    """AUC a type and their mean `auc8` from probabilities (L, 8) a case; a type needs both outcomes."""
    truth = np.array([[group in set(case.groups.tolist()) for group in LESION_CLASSES] for case in cases])
    scores = np.array([p.max(0) if len(p) else np.zeros(len(LESION_TYPES)) for p in probabilities])
    aucs = {}
    for column, name in enumerate(LESION_TYPES):
        if 0 < truth[:, column].sum() < len(cases):
            aucs[name] = round(float(roc_auc_score(truth[:, column], scores[:, column])), 4)
    return aucs | {"auc8": round(float(np.mean(list(aucs.values()))), 4)}


def _described(items: list[dict[str, Any]], folder: Path, workers: int) -> list[Described]:
    read = partial(describe, folder=folder)
    if workers <= 1:
        return [read(item) for item in items]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return pool.map(read, items, chunksize=8)


def _probabilities(model: Any, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L, 8) probabilities in the order of the vocabulary; a class never seen in training has none."""
    table = np.zeros((len(features), len(LESION_TYPES)))
    if len(features):
        columns = [list(LESION_CLASSES).index(group) for group in model.classes_]
        table[:, columns] = model.predict_proba(features)
    return table
