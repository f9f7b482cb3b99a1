"""Find the steps and CPU hours until a training reaches a level of accuracy.

A level is reached at the first evaluation whose value is at least the level, as in MLPerf Training; values
between two evaluations are not interpolated. The resolution is therefore one round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.curve import SECONDS, Curve
from scripts.lidia.metrics.patient_rows import RULES


class Arrival(NamedTuple):
    """First evaluation that reaches a level."""

    steps: int
    cpu_hours: float


class RivalComparison(NamedTuple):
    """The reference beside its best rival."""

    rival: str
    level: float
    """Final AUC-8 of the rival: the mean of its last evaluations."""
    rival_hours: float | None
    """Until the rival's first evaluation at this level."""
    rival_total_hours: float
    """Of the whole training of the rival."""
    reference_hours: float | None
    """Until the reference's first evaluation at this level; None if it is not reached."""


def list_values(curve: Curve, metric: str, score: str) -> list[tuple[int, float, float]]:
    """List steps, CPU hours and value of every evaluation that has a value.

    Args:
        curve: the curve.
        metric: `auc8` or `dice`.
        score: rule of the patient scores whose AUC-8 is taken.
    """
    name = f"{RULES[score]}auc8" if metric == "auc8" else metric
    return [
        (record.step, record.cpu_seconds / SECONDS, value)
        for record in curve.rounds
        if (value := record.metrics[name]) is not None
    ]


def find_arrival(curve: Curve, metric: str, level: float, score: str) -> Arrival | None:
    """Find the first evaluation that reaches a level; None if none does."""
    for step, hours, value in list_values(curve, metric, score):
        if value >= level:
            return Arrival(step, hours)
    return None


def tabulate_arrivals(
    curves: Mapping[str, Curve], levels: Mapping[str, Sequence[float]], score: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Tabulate the arrivals: `{run: {metric: {level: {steps, cpu_hours} or None}}}`.

    Args:
        curves: by run.
        levels: of each metric.
        score: rule of the patient scores.
    """
    return {
        run: {
            metric: {f"{level:g}": _to_content(find_arrival(curve, metric, level, score)) for level in values}
            for metric, values in levels.items()
        }
        for run, curve in curves.items()
    }


def compare_with_rival(
    reference: Curve, rival: Curve, rival_name: str, *, score: str, window: int
) -> RivalComparison | None:
    """Compare the CPU hours until the final AUC-8 of the best rival; None if the rival has no evaluation.

    Args:
        reference: curve of the reference.
        rival: curve of the rival.
        rival_name: its run.
        score: rule of the patient scores.
        window: evaluations whose mean is the final value.
    """
    areas = [value for _, _, value in list_values(rival, "auc8", score)][-window:]
    if not areas:
        return None
    level = sum(areas) / len(areas)
    own, other = (find_arrival(curve, "auc8", level, score) for curve in (reference, rival))
    return RivalComparison(
        rival_name, level, other and other.cpu_hours, rival.cpu_hours, own and own.cpu_hours
    )


def _to_content(arrival: Arrival | None) -> dict[str, Any] | None:
    return None if arrival is None else arrival._asdict()
