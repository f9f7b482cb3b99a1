"""Choose operating points: the probabilities below and above which a type is ruled out and ruled in.

Chosen on validation alone, so that 95 % of the patients with a type are not ruled out, and 95 % of those
without are not ruled in. On other patients the shares will differ: an evaluation says by how much.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scripts.lidia.metrics.intervals import wilson

SENSITIVITY, SPECIFICITY = 0.95, 0.95
RULED_OUT, OPEN, RULED_IN = "ruled out", "open", "ruled in"


class OperatingPoint(NamedTuple):
    """Two probabilities of a type."""

    rule_out: float
    """Below it the type is ruled out."""
    rule_in: float
    """Above it the type is ruled in; never less than `rule_out`."""


class Triage(NamedTuple):
    """What an operating point does on a cohort; shares are of the patients named, with Wilson's interval."""

    patients: int
    positives: int
    sensitivity: tuple[float, float, float]
    """Of those with the type, how many are not ruled out: value, low, high."""
    specificity: tuple[float, float, float]
    """Of those without, how many are not ruled in."""
    ruled_out: float
    """Of all patients."""
    ruled_in: float


def choose_operating_point(
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    sensitivity: float = SENSITIVITY,
    specificity: float = SPECIFICITY,
) -> OperatingPoint:
    """Choose the point that decides the most patients and meets both limits.

    It lies midway to the next patient, so that no last bit of a score decides.

    Where types part so well that both hold on a whole range, that range stays open.

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`, true for patients with the type.
        sensitivity: least share of them above or at `rule_out`.
        specificity: least share of the others below or at `rule_in`.

    Raises:
        ValueError: all patients are on one side.
    """
    chances, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    with_it, without = np.sort(chances[positive]), np.sort(chances[~positive])[::-1]
    if not len(with_it) or not len(without):
        raise ValueError(
            f"An operating point needs patients with and without: here are {len(with_it)} and {len(without)}."
        )
    low = with_it[int((1 - sensitivity) * len(with_it) + 1e-9)]
    high = without[int((1 - specificity) * len(without) + 1e-9)]
    low = (low + chances[chances < low].max(initial=0.0)) / 2
    high = (high + chances[chances > high].min(initial=1.0)) / 2
    return OperatingPoint(float(min(low, high)), float(max(low, high)))


def apply_operating_point(probability: float, point: OperatingPoint) -> str:
    """RULED_OUT, OPEN or RULED_IN."""
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
        ValueError: all patients are on one side.
    """
    chances, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    out, into = chances < point.rule_out, chances > point.rule_in

    def share(kept: ArrayLike) -> tuple[float, float, float]:
        hits, count = int(np.sum(kept)), len(np.asarray(kept))
        return hits / max(count, 1), *wilson(hits, count)

    return Triage(
        *(len(chances), int(positive.sum())),
        *(share(~out[positive]), share(~into[~positive])),
        *(float(out.mean()), float(into.mean())),
    )
