"""Words on where the order of our methods is not the paper's, made from the figures alone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from experiments.study.compare import Method, compute_difference

NOISE = 0.05
"""A difference with a p above this is called noise."""
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
"""Names of metrics on the page; those of areas of types are the types."""


class RankedRow(NamedTuple):
    """A row of a table that both we and the paper have."""

    label: str
    method: Method
    printed: Mapping[str, float]
    """The paper's numbers by metric."""


def compare_order(rows: list[RankedRow], metric: str) -> list[str]:
    """A sentence for every pair of rows that the paper orders the other way round.

    Args:
        rows: of one table.
        metric: one of its columns.

    Returns:
        Sentences; one that says so where the order is the paper's, none with fewer than two rows.
    """
    known = [row for row in rows if row.method.figures[metric][0] is not None and metric in row.printed]
    if len(known) < 2:
        return []
    name = METRIC_TITLES.get(metric, metric.removeprefix("auc_"))
    sentences = []
    for one, other in combinations(known, 2):
        gap = compute_difference(one.method, other.method, metric)
        theirs = one.printed[metric] - other.printed[metric]
        if gap["value"] * theirs > 0 or theirs == 0:
            continue
        if gap["value"] == 0:
            first, second = (one, other) if theirs > 0 else (other, one)
            printed = (
                f"{first.label} {first.printed[metric]:.3f} > {second.label} {second.printed[metric]:.3f}"
            )
            sentences.append(
                f"{name}: ours: {_format_row(one, metric)} = {_format_row(other, metric)}; paper: {printed}."
            )
            continue
        first, second = (one, other) if gap["value"] > 0 else (other, one)
        ours = f"ours: {_format_row(first, metric)} > {_format_row(second, metric)}"
        paper = (
            f"paper: {second.label} {second.printed[metric]:.3f} > {first.label} {first.printed[metric]:.3f}"
        )
        sentences.append(f"{name}: {ours}; {paper}; {_judge_difference(gap['p'])}.")
    return sentences or [f"{name}: the {len(known)} rows have the paper's order."]


def _format_row(row: RankedRow, metric: str) -> str:
    return f"{row.label} {row.method.figures[metric][0]:.3f}"


def _judge_difference(p: float | None) -> str:
    if p is None:
        return "our difference cannot be tested"
    if p > NOISE:
        return f"our difference is within noise: p = {p:.2f}"
    return f"our difference is more than the noise of the patients: p = {p:.3f}"
