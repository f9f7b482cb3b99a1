"""Compare the methods of a cohort on shared bootstrap draws: intervals, paired differences, seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.study.evidence import Evaluation
from scripts.lidia.metrics.cohort_metrics import summarise_cohort, summarise_patient_scores
from scripts.lidia.metrics.intervals import compute_interval, compute_paired_difference, draw_patients
from scripts.lidia.metrics.patient_rows import RULES, SCORES
from scripts.lidia.vocabulary import LESION_TYPES

AREAS = ("auc8", "auc2", *(f"auc_{name}" for name in LESION_TYPES))
LESION_METRICS = ("precision", "sensitivity", "accuracy", "dice")
CALIBRATION = ("ece", "brier_skill")
METRICS = (*AREAS, *LESION_METRICS, *CALIBRATION)
"""Of `study.json`."""
Figure = list[float | None]
"""Value, low, high."""


class Method(NamedTuple):
    """A system read by a rule."""

    figures: dict[str, Figure]
    """By METRICS; None if a method does not have the metric."""
    draws: dict[str, NDArray[np.float64]]
    """`(D + 1,)` by AREAS and LESION_METRICS: the cohort, then its draws."""
    patients: int


def evaluate_methods(evaluations: Mapping[str, Evaluation], draws: int, seed: int) -> dict[str, Method]:
    """Evaluate all methods of a cohort.

    Args:
        evaluations: by run; `oracle` also holds the floor.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        By `RUN+RULE`, `oracle` and `floor`.

    Raises:
        ValueError: two runs were evaluated on different patients.
    """
    check_same_patients(evaluations)
    methods = {}
    for name, evaluation in evaluations.items():
        weights = draw_patients(len(evaluation.ids), draws, seed)
        lesion_values = (
            summarise_cohort(_select_rule(evaluation, evaluation.rules[0]), weights).values
            if evaluation.metrics
            else {}
        )
        for rule in evaluation.rules:
            areas = summarise_patient_scores(_select_rule(evaluation, rule), weights).values
            values = {key: areas[key] for key in AREAS}
            values |= {key: lesion_values[key] for key in LESION_METRICS if key in lesion_values}
            method = f"{name}+{rule}" if evaluation.metrics else rule
            methods[method] = Method(_collect_figures(evaluation, rule, values), values, len(evaluation.ids))
    return methods


def check_same_patients(evaluations: Mapping[str, Evaluation]) -> None:
    """Check that all runs were evaluated on the same patients.

    Raises:
        ValueError: they were not, so differences would not be paired.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, evaluation in evaluations.items():
        groups.setdefault(tuple(evaluation.ids), []).append(name)
    if len(groups) > 1:
        summary = "; ".join(f"{', '.join(names)} on {len(ids)}" for ids, names in groups.items())
        raise ValueError(
            f"The runs were judged on different patients ({summary}): remove the rows of the older cohort "
            "from the archive and run the study again."
        )


def compare_to_reference(methods: Mapping[str, Method], reference: str) -> dict[str, dict[str, Any]]:
    """Subtract each method from the reference by patient: `{method: {metric: {value, low, high, n, p}}}`.

    Args:
        methods: of `evaluate_methods`.
        reference: `lidia+livermax`; the result is empty without it.
    """
    if reference not in methods:
        return {}
    return {
        name: {key: compute_difference(methods[reference], method, key) for key in method.draws}
        for name, method in methods.items()
        if name != reference
    }


def compute_difference(method: Method, subtracted: Method, metric: str) -> dict[str, Any]:
    """Compute `method - subtracted` with interval and two-sided p, from the same draws."""
    return compute_paired_difference(method.draws[metric], subtracted.draws[metric], method.patients)


def summarise_seeds(methods: Mapping[str, Method], names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Compute mean and SD over the runs of a system: `{rule: {metric: [mean, sd, runs]}}`; empty for one run.

    Args:
        methods: of `evaluate_methods`.
        names: all runs of the system, finished or not.
    """
    spread: dict[str, dict[str, list[float]]] = {}
    for rule in RULES:
        finished = [methods[f"{name}+{rule}"] for name in names if f"{name}+{rule}" in methods]
        if len(finished) < 2:
            continue
        spread[rule] = {}
        for key in METRICS:
            values = [method.figures[key][0] for method in finished]
            present = [value for value in values if value is not None]
            if len(present) == len(finished):
                mean, sd = float(np.mean(present)), float(np.std(present, ddof=1))
                spread[rule][key] = [mean, sd, len(present)]
    return spread


def _select_rule(evaluation: Evaluation, rule: str) -> dict[str, NDArray[np.float64]]:
    """Return the table with the scores of a rule under both names that the metrics read."""
    scores = {name: evaluation.columns[f"{rule}_{name}"] for name in SCORES}
    columns = {
        key: values for key, values in evaluation.columns.items() if not key.startswith(("branch_", "pixel"))
    }
    columns |= {f"livermax_{name}": values for name, values in scores.items()}
    return columns | {f"pixelcount_{name}": values for name, values in scores.items()}


def _collect_figures(
    evaluation: Evaluation, rule: str, values: Mapping[str, NDArray[np.float64]]
) -> dict[str, Figure]:
    """Collect figures from `metrics.json` if the evaluation wrote them, else from the draws."""
    figures: dict[str, Figure] = {key: [None, None, None] for key in METRICS}
    for key in METRICS:
        prefix = "" if key in LESION_METRICS else RULES.get(rule, "")
        stated = evaluation.metrics.get(prefix + key)
        if stated is None and key in values:
            stated = compute_interval(values[key], len(evaluation.ids))
        if stated is not None:
            figures[key] = [stated[part] for part in ("value", "low", "high")]
    return figures
