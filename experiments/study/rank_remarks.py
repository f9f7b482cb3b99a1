"""Describe where the order of our methods differs from the paper's, from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from experiments.study.compare import Method, compute_difference

NOISE = 0.05
"""A difference with a larger p is called noise."""
METRIC_TITLES = {
    "auc8": "AUC-8",
    "auc2": "AUC-2",
    "precision": "precision",
    "sensitivity": "sensitivity",
    "accuracy": "accuracy",
    "dice": "Dice",
    "ece": "ECE",
    "brier_skill": "Brier skill",
}
"""Names of metrics on the page; the AUC of a type is named after the type."""


class RankedRow(NamedTuple):
    """A row of a table that both we and the paper have."""

    label: str
    method: Method
    printed: Mapping[str, float]
    """The paper's numbers by metric."""


def compare_order(rows: list[RankedRow], metric: str) -> list[str]:
    """Write a sentence for every pair of rows that the paper orders the other way.

    Args:
        rows: of one table.
        metric: one of its columns.

    Returns:
        Sentences: a single one if the order is the paper's, none with fewer than two rows.
    """
    comparable = [row for row in rows if row.method.figures[metric][0] is not None and metric in row.printed]
    if len(comparable) < 2:
        return []
    name = METRIC_TITLES.get(metric, metric.removeprefix("auc_"))
    sentences = []
    for row, other in combinations(comparable, 2):
        gap = compute_difference(row.method, other.method, metric)
        theirs = row.printed[metric] - other.printed[metric]
        if gap["value"] * theirs > 0 or theirs == 0:
            continue
        if gap["value"] == 0:
            first, second = (row, other) if theirs > 0 else (other, row)
            printed = (
                f"{first.label} {first.printed[metric]:.3f} > {second.label} {second.printed[metric]:.3f}"
            )
            sentences.append(
                f"{name}: ours: {_format_row(row, metric)} = {_format_row(other, metric)}; paper: {printed}."
            )
            continue
        first, second = (row, other) if gap["value"] > 0 else (other, row)
        ours = f"ours: {_format_row(first, metric)} > {_format_row(second, metric)}"
        paper = (
            f"paper: {second.label} {second.printed[metric]:.3f} > {first.label} {first.printed[metric]:.3f}"
        )
        sentences.append(f"{name}: {ours}; {paper}; {_judge_difference(gap['p'])}.")
    return sentences or [f"{name}: the {len(comparable)} rows have the paper's order."]


def _format_row(row: RankedRow, metric: str) -> str:
    return f"{row.label} {row.method.figures[metric][0]:.3f}"


def _judge_difference(p: float | None) -> str:
    if p is None:
        return "our difference cannot be tested"
    if p > NOISE:
        return f"our difference is within noise: p = {p:.2f}"
    return f"our difference is more than the noise of the patients: p = {p:.3f}"
