"""Compute confidence intervals: patient-level bootstrap, DeLong for areas, Wilson for proportions.

Lesions cluster in patients, so patients are drawn, never lesions. Draws are weights, so that any metric made
of sums over patients, and any area by ranks, takes all draws in a few array operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

DRAWS = 2000
LEVEL = 0.95


def draw_patients(patients: int, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """How often each patient stands in each bootstrap draw; the first row is the cohort itself.

    The same number of patients and seed give the same draws: methods compared on one cohort are compared on
    the same patients in every draw.

    Args:
        patients: N.
        draws: D, 0 for the cohort alone.
        seed: of the draws.

    Returns:
        `(D + 1, N)`.
    """
    weights = np.ones((draws + 1, patients))
    if draws and patients:
        picked = np.random.default_rng(seed).integers(patients, size=(draws, patients))
        rows = np.arange(draws)[:, None] * patients
        weights[1:] = np.bincount((picked + rows).ravel(), minlength=draws * patients).reshape(
            draws, patients
        )
    return weights


def compute_interval(values: NDArray[np.float64], n: int, level: float = LEVEL) -> dict[str, Any]:
    """Percentile interval of a bootstrapped metric.

    Args:
        values: `(D + 1,)`, the first of the cohort itself, the others of the draws.
        n: patients or lesions behind it.
        level: of the interval.

    Returns:
        `{value, low, high, n}`; None for what cannot be given (no value, or fewer than half of the draws have
        one).
    """
    drawn = values[1:][np.isfinite(values[1:])]
    value = float(values[0]) if np.isfinite(values[0]) else None
    if value is None or len(drawn) == 0 or 2 * len(drawn) < len(values) - 1:
        return {"value": value, "low": None, "high": None, "n": n}
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return {"value": value, "low": float(low), "high": float(high), "n": n}


def compute_paired_difference(one: NDArray[np.float64], other: NDArray[np.float64], n: int) -> dict[str, Any]:
    """Interval and two-sided p of `one - other`, both from the same draws.

    Args:
        one: `(D + 1,)` of one method.
        other: `(D + 1,)` of the other.
        n: patients.

    Returns:
        `{value, low, high, n, p}`.
    """
    gaps = one - other
    drawn = gaps[1:][np.isfinite(gaps[1:])]
    result = compute_interval(gaps, n)
    sides = min((drawn <= 0).mean(), (drawn >= 0).mean()) if len(drawn) else np.nan
    result["p"] = None if np.isnan(sides) else float(min(1.0, 2 * max(sides, 1 / (len(drawn) + 1))))
    return result


def compute_normal_quantile(level: float = LEVEL) -> float:
    """Standard deviations from the middle of a normal interval to its ends, 1.96 at 0.95."""
    return float(norm.ppf((1 + level) / 2))


def compute_wilson_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's interval of a proportion.

    Raises:
        ValueError: nothing was counted.
    """
    if n <= 0:
        raise ValueError(f"n must be positive, not {n}.")
    low, high = binomtest(hits, n).proportion_ci(level, method="wilson")
    return float(low), float(high)


class DeLong(NamedTuple):
    """Areas of several scores on the same patients."""

    areas: NDArray[np.float64]
    """`(M,)`"""
    covariance: NDArray[np.float64]
    """`(M, M)`"""


def compute_delong(scores: ArrayLike, truth: ArrayLike) -> DeLong:
    """Areas under the ROC curve and their covariance (DeLong, DeLong and Clarke-Pearson 1988, by midranks).

    Args:
        scores: `(M, N)` of M scores for N patients.
        truth: `(N,)`, true for positives.

    Raises:
        ValueError: fewer than two positives or negatives, or a score is not finite.
    """
    values = np.atleast_2d(np.asarray(scores, np.float64))
    positive = np.asarray(truth, bool)
    if not np.isfinite(values).all():
        raise ValueError("A score is not finite.")
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        raise ValueError(f"DeLong needs two positives and two negatives, here are {m} and {n}.")
    ranks = rankdata(values, axis=1)
    wins = (ranks[:, positive] - rankdata(values[:, positive], axis=1)) / n
    losses = 1 - (ranks[:, ~positive] - rankdata(values[:, ~positive], axis=1)) / m
    return DeLong(wins.mean(axis=1), np.atleast_2d(np.cov(wins)) / m + np.atleast_2d(np.cov(losses)) / n)


def compute_delong_interval(
    scores: ArrayLike, truth: ArrayLike, level: float = LEVEL
) -> tuple[float, float] | None:
    """DeLong's interval of one area on the logit scale.

    Args:
        scores: `(N,)`.
        truth: `(N,)`, true for positives.
        level: of the interval.

    Returns:
        Low and high; None where the area is 0 or 1, or a side has fewer than two patients.
    """
    positive = np.asarray(truth, bool)
    if min(positive.sum(), (~positive).sum()) < 2:
        return None
    estimate = compute_delong(scores, truth)
    area, spread = float(estimate.areas[0]), float(np.sqrt(estimate.covariance[0, 0]))
    if not 0 < area < 1 or spread == 0:
        return None
    middle, half = np.log(area / (1 - area)), compute_normal_quantile(level) * spread / (area * (1 - area))
    return float(1 / (1 + np.exp(half - middle))), float(1 / (1 + np.exp(-half - middle)))


def compare_by_delong(one: ArrayLike, other: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Z and two-sided p of the difference of two areas on the same patients.

    Raises:
        ValueError: fewer than two positives or negatives, or a score is not finite.
    """
    estimate = compute_delong(np.stack([np.asarray(one, np.float64), np.asarray(other, np.float64)]), truth)
    spread = np.sqrt(np.array([1, -1]) @ estimate.covariance @ np.array([1, -1]))
    if spread == 0:
        return 0.0, 1.0
    z = float((estimate.areas[0] - estimate.areas[1]) / spread)
    return z, float(2 * norm.sf(abs(z)))
