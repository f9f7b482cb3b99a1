"""Compute confidence intervals: patient-level bootstrap, DeLong for areas, Wilson for proportions.

Lesions cluster in patients, so patients are drawn, never lesions. Draws are stored as weights, so that sums
over patients and areas under the curve are computed for all draws in a few array operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

DRAWS = 2000
LEVEL = 0.95


def draw_patients(patients: int, draws: int = DRAWS, seed: int = 0) -> NDArray[np.float64]:
    """Draw bootstrap weights: how often each patient occurs in each draw; the first row is the cohort itself.

    The same number of patients and seed give the same draws: methods compared on one cohort are compared on
    the same patients in every draw.

    Args:
        patients: N.
        draws: D, 0 for the cohort only.
        seed: seed of the draws.

    Returns:
        `(D + 1, N)`.
    """
    weights = np.ones((draws + 1, patients))
    if draws and patients:
        indices = np.random.default_rng(seed).integers(patients, size=(draws, patients))
        rows = np.arange(draws)[:, None] * patients
        weights[1:] = np.bincount((indices + rows).ravel(), minlength=draws * patients).reshape(
            draws, patients
        )
    return weights


def compute_interval(values: NDArray[np.float64], n: int, level: float = LEVEL) -> dict[str, Any]:
    """Compute the percentile interval of a bootstrapped metric.

    Args:
        values: `(D + 1,)`, first the value of the cohort itself, then those of the draws.
        n: number of patients or lesions behind the metric.
        level: confidence level, 0..1.

    Returns:
        `{value, low, high, n}`; None for a missing value, and for bounds if fewer than half of the draws
        have a value.
    """
    draw_values = values[1:][np.isfinite(values[1:])]
    value = float(values[0]) if np.isfinite(values[0]) else None
    if value is None or len(draw_values) == 0 or 2 * len(draw_values) < len(values) - 1:
        return {"value": value, "low": None, "high": None, "n": n}
    low, high = np.quantile(draw_values, [(1 - level) / 2, (1 + level) / 2])
    return {"value": value, "low": float(low), "high": float(high), "n": n}


def compute_paired_difference(
    first: NDArray[np.float64], second: NDArray[np.float64], n: int
) -> dict[str, Any]:
    """Compute interval and two-sided p of a difference; both metrics come from the same draws.

    Args:
        first: `(D + 1,)` values of the first method.
        second: `(D + 1,)` values of the second, which are subtracted.
        n: number of patients.

    Returns:
        `{value, low, high, n, p}`.
    """
    differences = first - second
    draw_values = differences[1:][np.isfinite(differences[1:])]
    result = compute_interval(differences, n)
    tail = min((draw_values <= 0).mean(), (draw_values >= 0).mean()) if len(draw_values) else np.nan
    result["p"] = None if np.isnan(tail) else float(min(1.0, 2 * max(tail, 1 / (len(draw_values) + 1))))
    return result


def compute_normal_quantile(level: float = LEVEL) -> float:
    """Compute the half width of a normal interval in standard deviations: 1.96 for level 0.95."""
    return float(norm.ppf((1 + level) / 2))


def compute_wilson_interval(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Compute Wilson's interval of the proportion `hits / n`.

    Raises:
        ValueError: `n` is not positive.
    """
    if n <= 0:
        raise ValueError(f"n must be positive, not {n}.")
    low, high = binomtest(hits, n).proportion_ci(level, method="wilson")
    return float(low), float(high)


class DeLong(NamedTuple):
    """Areas under the ROC curve of several scores on the same patients."""

    areas: NDArray[np.float64]
    """`(M,)`"""
    covariance: NDArray[np.float64]
    """`(M, M)`"""


def compute_delong(scores: ArrayLike, truth: ArrayLike) -> DeLong:
    """Compute areas under the ROC curve and their covariance by midranks (DeLong et al. 1988).

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
        raise ValueError(f"DeLong's method needs two positives and two negatives; there are {m} and {n}.")
    ranks = rankdata(values, axis=1)
    wins = (ranks[:, positive] - rankdata(values[:, positive], axis=1)) / n
    losses = 1 - (ranks[:, ~positive] - rankdata(values[:, ~positive], axis=1)) / m
    return DeLong(wins.mean(axis=1), np.atleast_2d(np.cov(wins)) / m + np.atleast_2d(np.cov(losses)) / n)


def compute_delong_interval(
    scores: ArrayLike, truth: ArrayLike, level: float = LEVEL
) -> tuple[float, float] | None:
    """Compute DeLong's interval of one area on the logit scale.

    Args:
        scores: `(N,)`.
        truth: `(N,)`, true for positives.
        level: confidence level, 0..1.

    Returns:
        Lower and upper bound; None if the area is 0 or 1, or there are fewer than two positives or negatives.
    """
    positive = np.asarray(truth, bool)
    if min(positive.sum(), (~positive).sum()) < 2:
        return None
    estimate = compute_delong(scores, truth)
    area, standard_error = float(estimate.areas[0]), float(np.sqrt(estimate.covariance[0, 0]))
    if not 0 < area < 1 or standard_error == 0:
        return None
    middle, half = (
        np.log(area / (1 - area)),
        compute_normal_quantile(level) * standard_error / (area * (1 - area)),
    )
    return float(1 / (1 + np.exp(half - middle))), float(1 / (1 + np.exp(-half - middle)))


def compare_by_delong(first: ArrayLike, second: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Compute z and two-sided p of the difference of two areas on the same patients (DeLong).

    Raises:
        ValueError: fewer than two positives or negatives, or a score is not finite.
    """
    estimate = compute_delong(
        np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)]), truth
    )
    standard_error = np.sqrt(np.array([1, -1]) @ estimate.covariance @ np.array([1, -1]))
    if standard_error == 0:
        return 0.0, 1.0
    z = float((estimate.areas[0] - estimate.areas[1]) / standard_error)
    return z, float(2 * norm.sf(abs(z)))
