"""Compare two methods over patients and seeds: a paired bootstrap of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.study.compare import Method
from scripts.lidia.metrics.intervals import compute_paired_difference

COMPARED = ("auc8", "auc2", "dice")


def average_over_seeds(methods: Sequence[Method], metric: str, seed: int) -> NDArray[np.float64]:
    """Average a metric over runs that are drawn with replacement in every draw of the patients.

    Args:
        methods: the runs of a method, evaluated on the same patients and draws.
        metric: of `Method.draws`.
        seed: of the draws of runs.

    Returns:
        `(D + 1,)`: the mean of all runs, then the mean of the drawn runs in every draw of patients.
    """
    values = np.stack([method.draws[metric] for method in methods])
    runs, draws = len(values), values.shape[1] - 1
    chosen = np.random.default_rng(seed).integers(runs, size=(runs, draws))
    drawn = values[chosen, np.arange(1, draws + 1)].mean(axis=0)
    return np.concatenate([values[:, 0].mean(keepdims=True), drawn])


def compare_over_seeds(
    first: Sequence[Method], second: Sequence[Method], seed: int
) -> dict[str, dict[str, Any]]:
    """Compute `first - second` by metric of COMPARED: `{value, low, high, n, p}`.

    With one run of each, the interval is over patients alone.

    Args:
        first: runs of a method.
        second: runs of the method that is subtracted, evaluated on the same patients.
        seed: of the draws of runs.
    """
    return {
        metric: compute_paired_difference(
            average_over_seeds(first, metric, seed),
            average_over_seeds(second, metric, seed + 1),
            first[0].patients,
        )
        for metric in COMPARED
    }


def compare_steps(
    steps: Mapping[str, Sequence[str]],
    methods: Mapping[str, Method],
    runs: Mapping[str, Sequence[str]],
    seed: int,
) -> dict[str, dict[str, Any] | None]:
    """Compare the methods of each step of an ablation.

    Args:
        steps: by name, the method (`SYSTEM+RULE`) and the method that is subtracted.
        methods: of all runs.
        runs: names of all runs by system.
        seed: of the draws of runs.

    Returns:
        By name `{methods, runs, differences}`; None if one of the two methods has no finished run.
    """
    result: dict[str, dict[str, Any] | None] = {}
    for name, pair in steps.items():
        finished = [
            [methods[f"{run}+{rule}"] for run in runs.get(system, ()) if f"{run}+{rule}" in methods]
            for system, _, rule in (method.partition("+") for method in pair)
        ]
        result[name] = None
        if all(finished):
            differences = compare_over_seeds(finished[0], finished[1], seed)
            counts = [len(group) for group in finished]
            result[name] = {"methods": list(pair), "runs": counts, "differences": differences}
    return result
