"""Read an evaluation from the archive: scores, counts and lesions of every patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.study.compact_tables import read_table
from scripts.lidia.evaluation import evaluation_files
from scripts.lidia.evaluation.patient_metrics import PatientRows
from scripts.lidia.metrics.patient_rows import RULES
from scripts.lidia.vocabulary import LESION_TYPES

SCORED = (*RULES, "oracle", "floor")
"""Possible prefixes of the scores of a table."""


class Evaluation(NamedTuple):
    """A finished evaluation of one cohort."""

    ids: list[str]
    """Sorted."""
    columns: dict[str, NDArray[np.float64]]
    """`(N,)` by name, those of `patients.csv`; where there is a `lesions.csv` also the counts
    `called_TRUE_PREDICTED` and `false_TYPE` of lesions."""
    metrics: dict[str, Any]
    """Content of `metrics.json`; empty for oracle and floor."""

    @property
    def rules(self) -> list[str]:
        """The rules by which its patients were scored."""
        return [rule for rule in SCORED if f"{rule}_{LESION_TYPES[0]}" in self.columns]


def read_evaluation(folder: Path) -> Evaluation | None:
    """Read an evaluation of the archive; None if it is not finished.

    Args:
        folder: `RUN/internal` and the like.
    """
    if not (folder / "job.json").is_file():
        return None
    lines = sorted(read_table(folder, "patients.csv"), key=lambda line: line["id"])
    names = [name for name in (lines[0] if lines else {}) if name not in ("id", "phases")]
    ids = [line["id"] for line in lines]
    columns = {name: np.array([float(line[name] or "nan") for line in lines]) for name in names}
    path = folder / "metrics.json"
    if not path.is_file():
        return Evaluation(ids, columns, {})
    columns |= count_types(ids, read_table(folder, "lesions.csv"))
    return Evaluation(ids, columns, json.loads(path.read_text(encoding="utf-8")))


def count_types(ids: Sequence[str], lesions: Sequence[dict[str, str]]) -> dict[str, NDArray[np.float64]]:
    """Count the lesions of each patient by true and predicted type.

    A prediction that matches a lesion counts unless its best match is an ignored lesion.

    Args:
        ids: of the patients.
        lesions: rows of `lesions.csv`.

    Returns:
        `(N,)` by `called_TRUE_PREDICTED` and `false_TYPE`.
    """
    pairs = [f"called_{true}_{predicted}" for true in LESION_TYPES for predicted in LESION_TYPES]
    counts = {name: np.zeros(len(ids)) for name in (*pairs, *(f"false_{name}" for name in LESION_TYPES))}
    index_of = {name: at for at, name in enumerate(ids)}
    ignored = {
        (row["id"], row["instance"])
        for row in lesions
        if row["predicted"] == "truth" and row["outcome"] == "ignored truth"
    }
    for row in lesions:
        if row["predicted"] == "truth":
            continue
        if row["outcome"] in ("true", "ignored") and (row["id"], row["partner"]) not in ignored:
            counts[f"called_{row['partner_type']}_{row['type']}"][index_of[row["id"]]] += 1
        elif row["outcome"] == "false":
            counts[f"false_{row['type']}"][index_of[row["id"]]] += 1
    return counts


def count_confusion(evaluation: Evaluation) -> NDArray[np.int64]:
    """Count the confusion matrix `(9, 9)` of lesions, as the evaluation does."""
    return evaluation_files.count_confusion(PatientRows(evaluation.ids, evaluation.columns, []))
