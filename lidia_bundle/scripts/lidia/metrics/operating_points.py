"""Choose operating points: the probabilities below which a type is ruled out and above which it is ruled in.

They are chosen on validation patients so that 95 % of the patients with a type are not ruled out, and 95 % of
those without it are not ruled in. On other patients the shares differ; an evaluation reports them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scripts.lidia.metrics.intervals import compute_wilson_interval

SENSITIVITY, SPECIFICITY = 0.95, 0.95
RULED_OUT, OPEN, RULED_IN = "ruled out", "open", "ruled in"


class OperatingPoint(NamedTuple):
    """Two probabilities of a type."""

    rule_out: float
    """Below it the type is ruled out."""
    rule_in: float
    """Above it the type is ruled in; never less than `rule_out`."""


class Triage(NamedTuple):
    """Result of an operating point on a cohort; shares have Wilson's interval."""

    patients: int
    positives: int
    sensitivity: tuple[float, float, float]
    """Share of the patients with the type who are not ruled out: value, low, high."""
    specificity: tuple[float, float, float]
    """Share of the patients without the type who are not ruled in: value, low, high."""
    ruled_out: float
    """Share of all patients."""
    ruled_in: float
    """Share of all patients."""


def choose_operating_point(
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    sensitivity: float = SENSITIVITY,
    specificity: float = SPECIFICITY,
) -> OperatingPoint:
    """Choose the point that decides the most patients and meets both limits.

    Each limit lies midway to the next patient's probability, so that rounding of a score has no influence. If
    both limits hold on a whole range of probabilities, that range stays open.

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`, true for patients with the type.
        sensitivity: minimum share of patients with the type at or above `rule_out`.
        specificity: minimum share of patients without the type at or below `rule_in`.

    Raises:
        ValueError: all patients have the type, or none has it.
    """
    values, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    positives, negatives = np.sort(values[positive]), np.sort(values[~positive])[::-1]
    if not len(positives) or not len(negatives):
        raise ValueError(
            "An operating point needs patients with and without the type; "
            f"there are {len(positives)} and {len(negatives)}."
        )
    low = positives[int((1 - sensitivity) * len(positives) + 1e-9)]
    high = negatives[int((1 - specificity) * len(negatives) + 1e-9)]
    low = (low + values[values < low].max(initial=0.0)) / 2
    high = (high + values[values > high].min(initial=1.0)) / 2
    return OperatingPoint(float(min(low, high)), float(max(low, high)))


def apply_operating_point(probability: float, point: OperatingPoint) -> str:
    """Classify a probability as RULED_OUT, OPEN or RULED_IN."""
    if probability < point.rule_out:
        return RULED_OUT
    return RULED_IN if probability > point.rule_in else OPEN


def evaluate_operating_point(probabilities: ArrayLike, truth: ArrayLike, point: OperatingPoint) -> Triage:
    """Evaluate an operating point on a cohort.

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`, true for patients with the type.
        point: the operating point.

    Raises:
        ValueError: all patients have the type, or none has it.
    """
    values, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    ruled_out, ruled_in = values < point.rule_out, values > point.rule_in

    def share(flags: ArrayLike) -> tuple[float, float, float]:
        hits, count = int(np.sum(flags)), len(np.asarray(flags))
        return hits / max(count, 1), *compute_wilson_interval(hits, count)

    return Triage(
        *(len(values), int(positive.sum())),
        *(share(~ruled_out[positive]), share(~ruled_in[~positive])),
        *(float(ruled_out.mean()), float(ruled_in.mean())),
    )
