"""Methods of a cohort on the same bootstrap draws: intervals, paired differences, the spread of seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.study.evidence import Evaluation
from scripts.lidia.metrics.cohort_metrics import summarise_cohort, summarise_patient_scores
from scripts.lidia.metrics.intervals import draw_patients, interval, paired_difference
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
    """By METRICS; None where a method has no such number."""
    draws: dict[str, NDArray[np.float64]]
    """`(D + 1,)` by AREAS and LESION_METRICS: the cohort, then its draws."""
    patients: int


def evaluate_methods(evaluations: Mapping[str, Evaluation], draws: int, seed: int) -> dict[str, Method]:
    """All methods of a cohort.

    Args:
        evaluations: by run; `oracle` holds the floor too.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        By `RUN+RULE`, `oracle` and `floor`.

    Raises:
        ValueError: two runs were judged on different patients.
    """
    check_same_patients(evaluations)
    found = {}
    for name, one in evaluations.items():
        weights = draw_patients(len(one.ids), draws, seed)
        rest = summarise_cohort(_select_rule(one, one.rules[0]), weights).values if one.metrics else {}
        for rule in one.rules:
            areas = summarise_patient_scores(_select_rule(one, rule), weights).values
            values = {key: areas[key] for key in AREAS}
            values |= {key: rest[key] for key in LESION_METRICS if key in rest}
            method = f"{name}+{rule}" if one.metrics else rule
            found[method] = Method(_collect_figures(one, rule, values), values, len(one.ids))
    return found


def check_same_patients(evaluations: Mapping[str, Evaluation]) -> None:
    """Checks that all were judged on the same patients.

    Raises:
        ValueError: two were not; their differences would not be paired.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, one in evaluations.items():
        groups.setdefault(tuple(one.ids), []).append(name)
    if len(groups) > 1:
        told = "; ".join(f"{', '.join(names)} on {len(ids)}" for ids, names in groups.items())
        raise ValueError(
            f"The runs were judged on different patients ({told}): remove the rows of the older cohort "
            "from the archive and run the study again."
        )


def compare_to_reference(found: Mapping[str, Method], reference: str) -> dict[str, dict[str, Any]]:
    """Reference minus each other method, paired by patient: `{method: {metric: {value, low, high, n, p}}}`.

    Args:
        found: of `evaluate_methods`.
        reference: `lidia+livermax`; without it there is nothing to compare with.
    """
    if reference not in found:
        return {}
    return {
        name: {key: compute_difference(found[reference], one, key) for key in one.draws}
        for name, one in found.items()
        if name != reference
    }


def compute_difference(one: Method, other: Method, metric: str) -> dict[str, Any]:
    """`one - other` with interval and two-sided p, from the same draws."""
    return paired_difference(one.draws[metric], other.draws[metric], one.patients)


def summarise_seeds(found: Mapping[str, Method], names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Mean and SD over the runs of a system, `{rule: {metric: [mean, sd, runs]}}`; nothing for one run.

    Args:
        found: of `evaluate_methods`.
        names: the runs that belong together, finished or not.
    """
    spread: dict[str, dict[str, list[float]]] = {}
    for rule in RULES:
        there = [found[f"{name}+{rule}"] for name in names if f"{name}+{rule}" in found]
        if len(there) < 2:
            continue
        spread[rule] = {}
        for key in METRICS:
            values = [one.figures[key][0] for one in there]
            known = [value for value in values if value is not None]
            if len(known) == len(there):
                mean, sd = float(np.mean(known)), float(np.std(known, ddof=1))
                spread[rule][key] = [mean, sd, len(known)]
    return spread


def _select_rule(one: Evaluation, rule: str) -> dict[str, NDArray[np.float64]]:
    """The table with a rule's scores in the place of both that the metrics look for."""
    scores = {name: one.columns[f"{rule}_{name}"] for name in SCORES}
    known = {key: values for key, values in one.columns.items() if not key.startswith(("branch_", "pixel"))}
    known |= {f"livermax_{name}": values for name, values in scores.items()}
    return known | {f"pixelcount_{name}": values for name, values in scores.items()}


def _collect_figures(
    one: Evaluation, rule: str, values: Mapping[str, NDArray[np.float64]]
) -> dict[str, Figure]:
    """From `metrics.json` where the evaluation wrote it, else from the draws."""
    figures: dict[str, Figure] = {key: [None, None, None] for key in METRICS}
    for key in METRICS:
        prefix = "" if key in LESION_METRICS else RULES.get(rule, "")
        stated = one.metrics.get(prefix + key)
        if stated is None and key in values:
            stated = interval(values[key], len(one.ids))
        if stated is not None:
            figures[key] = [stated[part] for part in ("value", "low", "high")]
    return figures
