"""Compute the metrics of a cohort and of its bootstrap draws from the rows of its patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.metrics.patient_auc import compute_auc, compute_mean_auc
from scripts.lidia.metrics.patient_rows import AUTHORS, RULES, SIZES, Protocol, list_rules
from scripts.lidia.metrics.platt_scaling import (
    Platt,
    apply_platt,
    compute_brier_score_and_skill,
    compute_calibration_error,
)
from scripts.lidia.vocabulary import LESION_TYPES

Table = Mapping[str, NDArray[np.float64]]
"""Columns `(N,)` by name, one entry per patient."""


class Summary(NamedTuple):
    """Metrics of a cohort."""

    values: dict[str, NDArray[np.float64]]
    """`(D,)` by metric: one value per draw, nan if undefined."""
    counts: dict[str, int]
    """Number of patients or lesions behind each metric."""
    notes: dict[str, str]
    """Remarks on the interpretation of a metric."""


def summarise_cohort(
    table: Table,
    weights: NDArray[np.float64],
    *,
    protocol: Protocol = AUTHORS,
    calibration: Mapping[str, Platt] | None = None,
) -> Summary:
    """Compute all metrics of a cohort.

    Args:
        table: columns of `measure_patient`'s rows.
        weights: `(D, N)` number of times each patient occurs in each draw; all 1 in the first row.
        protocol: thresholds.
        calibration: Platt line of each type; calibration errors are then those of the calibrated scores.

    Raises:
        ValueError: a score is not finite.
    """
    summary = summarise_patient_scores(table, weights, protocol=protocol)
    _add_lesion_ratios(summary, table, weights)
    for iou in protocol.ious:
        _add_one_to_one_ratios(summary, table, weights, f"_iou{round(100 * iou)}")
    _add_dice(summary, table, weights)
    _add_calibration_errors(summary, table, weights, protocol.present_mm3, calibration)
    return summary


def summarise_patient_scores(
    table: Table, weights: NDArray[np.float64], *, protocol: Protocol = AUTHORS
) -> Summary:
    """Compute only the areas under the curve of all rules; arguments as in `summarise_cohort`."""
    summary = Summary({}, {}, {})
    for rule in list_rules(table):
        _add_patient_areas(summary, table, weights, rule, protocol.present_mm3)
    return summary


def compute_weighted_ratio(
    weights: NDArray[np.float64], numerator: NDArray[np.float64], denominator: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divide one weighted sum by another, `(D,)`; nan if the denominator is 0."""
    numerator_sums, denominator_sums = weights @ numerator, weights @ denominator
    return np.divide(
        numerator_sums, denominator_sums, out=np.full(len(weights), np.nan), where=denominator_sums > 0
    )


def _add_patient_areas(
    summary: Summary, table: Table, weights: NDArray[np.float64], rule: str, present: float
) -> None:
    prefix = RULES[rule]
    all_patients = np.ones(weights.shape[1], bool)

    def add_area(name: str, score: str, truth: NDArray[np.bool_], subset: NDArray[np.bool_]) -> None:
        values = compute_auc(table[f"{rule}_{score}"][subset], truth[subset], weights[:, subset])
        positives = int(truth[subset].sum())
        summary.values[name], summary.counts[name] = values, int(subset.sum())
        summary.notes[name] = f"{positives} with, {int(subset.sum()) - positives} without"

    def add_mean(name: str, parts: list[str]) -> None:
        summary.values[name] = compute_mean_auc({part: summary.values[part] for part in parts})
        summary.counts[name] = min(summary.counts[part] for part in parts)
        undefined = [part for part in parts if np.isnan(summary.values[part][0])]
        if undefined:
            summary.notes[name] = "left out: " + ", ".join(
                f"{part} ({summary.notes[part]})" for part in undefined
            )

    for name in LESION_TYPES:
        add_area(f"{prefix}auc_{name}", name, table[f"mm3_{name}"] > present, all_patients)
    add_mean(f"{prefix}auc8", [f"{prefix}auc_{name}" for name in LESION_TYPES])
    malignant, benign = table["mm3_malignant"] > present, table["mm3_benign"] > present
    unclear = ~malignant & ~benign & (table["mm3_unsided"] > present)
    add_area(f"{prefix}auc_malignant", "malignant", malignant, ~unclear)
    add_area(f"{prefix}auc_benign", "benign", benign, ~unclear)
    add_mean(f"{prefix}auc2", [f"{prefix}auc_malignant", f"{prefix}auc_benign"])
    if unclear.any():
        note = f"{int(unclear.sum())} patients left out: 'others' of unknown side alone"
        summary.notes[f"{prefix}auc2"] = "; ".join(filter(None, [summary.notes.get(f"{prefix}auc2"), note]))
    for side, score in (("malignant_authors", "malignant"), ("benign_authors", "benign_authors")):
        add_area(f"{prefix}auc_{side}", score, table[f"mm3_{side}"] > present, all_patients)
    add_mean(f"{prefix}auc2_authors", [f"{prefix}auc_malignant_authors", f"{prefix}auc_benign_authors"])


def _add_lesion_ratios(summary: Summary, table: Table, weights: NDArray[np.float64]) -> None:
    truths = _sum_columns(table, (f"truths_{name}" for name in LESION_TYPES))
    hits = _sum_columns(table, (f"hits_{name}" for name in LESION_TYPES))
    counted = table["predicted_true"] + table["predicted_false"]
    confusion = {
        (name, other): table[f"called_{name}_{other}"] for name in LESION_TYPES for other in LESION_TYPES
    }
    typed_lesions = sum(confusion.values(), np.zeros(weights.shape[1]))
    correct = sum((confusion[name, name] for name in LESION_TYPES), np.zeros(weights.shape[1]))
    _add_ratio(summary, weights, "precision", table["predicted_true"], counted)
    _add_ratio(summary, weights, "sensitivity", hits, truths)
    _add_ratio(summary, weights, "accuracy", correct, typed_lesions)
    _add_ratio(summary, weights, "accuracy_with_missed", correct, typed_lesions + truths - hits)
    scores = []
    for name in LESION_TYPES:
        marginal_total = sum(
            (confusion[name, other] + confusion[other, name] for other in LESION_TYPES), 0 * typed_lesions
        )
        scores.append(compute_weighted_ratio(weights, 2 * confusion[name, name], marginal_total))
    summary.values["macro_f1"], summary.counts["macro_f1"] = (
        _mean_over_types(scores),
        int(typed_lesions.sum()),
    )
    for name in (*LESION_TYPES, *SIZES):
        _add_ratio(summary, weights, f"sensitivity_{name}", table[f"hits_{name}"], table[f"truths_{name}"])


def _add_one_to_one_ratios(
    summary: Summary, table: Table, weights: NDArray[np.float64], variant: str
) -> None:
    hits = table[f"hit{variant}"]
    _add_ratio(summary, weights, f"precision{variant}", hits, hits + table[f"false{variant}"])
    _add_ratio(summary, weights, f"sensitivity{variant}", hits, hits + table[f"missed{variant}"])


def _add_dice(summary: Summary, table: Table, weights: NDArray[np.float64]) -> None:
    names = {"dice": "lesions", "liver_dice": "liver"} | {f"dice_{name}": name for name in LESION_TYPES}
    for name, column in names.items():
        values = table[f"dice_{column}"]
        finite = np.isfinite(values)
        _add_ratio(summary, weights, name, np.where(finite, values, 0), finite.astype(float))


def _add_calibration_errors(
    summary: Summary,
    table: Table,
    weights: NDArray[np.float64],
    present: float,
    lines: Mapping[str, Platt] | None,
) -> None:
    parts: dict[str, list[NDArray[np.float64]]] = {"ece": [], "brier": [], "brier_skill": []}
    for name in LESION_TYPES:
        truth = table[f"mm3_{name}"] > present
        if truth.all() or not truth.any():
            continue
        scores = table[f"livermax_{name}"]
        probabilities = apply_platt(scores, lines[name]) if lines and name in lines else scores
        parts["ece"].append(compute_calibration_error(probabilities, truth, weights))
        for key, values in zip(
            ("brier", "brier_skill"),
            compute_brier_score_and_skill(probabilities, truth, weights),
            strict=True,
        ):
            parts[key].append(values)
    for key, type_values in parts.items():
        summary.values[key] = _mean_over_types(type_values) if type_values else np.full(len(weights), np.nan)
        summary.counts[key] = weights.shape[1]
        summary.notes[key] = (
            f"mean of {len(type_values)} types, {'calibrated' if lines else 'not calibrated'}"
        )


def _add_ratio(
    summary: Summary,
    weights: NDArray[np.float64],
    name: str,
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
) -> None:
    summary.values[name] = compute_weighted_ratio(weights, numerator, denominator)
    summary.counts[name] = int(denominator.sum())


def _sum_columns(table: Table, names: Iterable[str]) -> NDArray[np.float64]:
    return np.sum([table[name] for name in names], axis=0)


def _mean_over_types(values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Average over the types that are defined in a draw."""
    table = np.stack(values)
    finite = np.isfinite(table)
    total = np.where(finite, table, 0).sum(axis=0)
    return np.divide(total, finite.sum(axis=0), out=np.full(len(total), np.nan), where=finite.any(axis=0))
