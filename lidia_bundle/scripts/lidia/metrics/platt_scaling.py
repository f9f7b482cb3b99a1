"""Calibrate patient scores by Platt scaling and measure the calibration error.

    p = 1 / (1 + exp(-(a logit(s) + b)))        a, b per type, fitted on validation

A maximum over a million voxels is too sure by construction, so LiverMax needs it. Types are scored one
against the rest: a patient may have several, so there is no softmax over them. The expected calibration error
uses bins of equal mass, and the Brier skill stands beside it: predicting the prevalence for everybody has a
fine calibration error and no skill. How far a line may be off, for it rests on so many patients, follows from
the curvature of its likelihood, and gives every probability an interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from scripts.lidia.metrics.intervals import LEVEL, normal_quantile
from scripts.lidia.metrics.operating_points import OperatingPoint

EDGE = 1e-6
"""Scores are kept this far from 0 and 1 before their logit is taken."""
BINS = 10


class Platt(NamedTuple):
    """A logistic line on the logit of a score."""

    slope: float
    intercept: float


class PlattCovariance(NamedTuple):
    """Covariance matrix of a line's slope and intercept."""

    slope_variance: float
    covariance: float
    intercept_variance: float


class Calibration(NamedTuple):
    """What validation taught about patient scores; a score may be without any of it."""

    lines: Mapping[str, Platt]
    spreads: Mapping[str, PlattCovariance] = {}
    """How far each line may be off."""
    points: Mapping[str, OperatingPoint] = {}
    """Calibrated probabilities at which a type is ruled out and in."""
    subsets: Mapping[str, float] = {}
    """AUC-8 by the phases that were shown, `nc+venous`."""


def logit(scores: ArrayLike) -> NDArray[np.float64]:
    """Log odds of scores in 0..1."""
    kept = np.clip(np.asarray(scores, np.float64), EDGE, 1 - EDGE)
    return np.log(kept) - np.log1p(-kept)


def fit_platt(scores: ArrayLike, truth: ArrayLike, *, smooth: bool = True) -> Platt:
    """Fit by Newton's method.

    Args:
        scores: `(N,)` in 0..1.
        truth: `(N,)`, true for positives.
        smooth: Platt's targets, a little off 0 and 1, which keep few positives from a line of infinite slope;
            without them the slope is the usual measure of over-confidence (1 is right, below 1 too sure).

    Raises:
        ValueError: a score is not finite, or all patients are on one side.
    """
    values, positive = logit(scores), np.asarray(truth, bool)
    if not np.isfinite(values).all():
        raise ValueError("A score is not finite.")
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        raise ValueError(f"A calibration needs patients with and without: here are {n1} and {n0}.")
    targets = np.where(positive, (n1 + 1) / (n1 + 2), 1 / (n0 + 2)) if smooth else positive.astype(float)
    design = np.stack([values, np.ones(len(values))], axis=1)
    line = np.array([0.0, np.log(n1 / n0)])
    for _ in range(100):
        guess = 1 / (1 + np.exp(-design @ line))
        # The ridge is far below what data say; it only keeps equal scores from a singular matrix.
        curve = design.T @ (design * (guess * (1 - guess))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, design.T @ (targets - guess) - 1e-6 * line)
        line = line + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return Platt(float(line[0]), float(line[1]))


def apply_platt(scores: ArrayLike, line: Platt) -> NDArray[np.float64]:
    """Calibrated probabilities of scores in 0..1."""
    return np.asarray(expit(line.slope * logit(scores) + line.intercept))


def estimate_platt_covariance(scores: ArrayLike, line: Platt) -> PlattCovariance:
    """How far a fitted line may be off: the inverse of its likelihood's curvature.

    Args:
        scores: `(N,)` that the line was fitted on.
        line: the fit; one with slope 0, a prevalence, has the spread of a proportion.
    """
    chances = apply_platt(scores, line)
    kept = np.clip(chances * (1 - chances), EDGE, None)
    if line.slope == 0:
        return PlattCovariance(0.0, 0.0, float(1 / kept.sum()))
    design = np.stack([logit(scores), np.ones(len(kept))], axis=1)
    covariance = np.linalg.inv(design.T @ (design * kept[:, None]) + EDGE * np.eye(2))
    return PlattCovariance(float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))


def slope_interval(line: Platt, spread: PlattCovariance, level: float = LEVEL) -> tuple[float, float]:
    """Wald's interval of a fitted slope."""
    half = normal_quantile(level) * spread.slope_variance**0.5
    return line.slope - half, line.slope + half


def platt_interval(
    score: float, line: Platt, spread: PlattCovariance, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of a calibrated probability, symmetric on the logit (delta method).

    It says how well the validation patients pin the line down, not how sure the network is of this patient.

    Args:
        score: of one patient, 0..1.
        line: of this type.
        spread: of the line.
        level: of the interval.
    """
    x = float(logit(score))
    error = np.sqrt(
        max(spread.slope_variance * x * x + 2 * spread.covariance * x + spread.intercept_variance, 0.0)
    )
    middle, half = line.slope * x + line.intercept, normal_quantile(level) * error
    return float(expit(middle - half)), float(expit(middle + half))


def brier_score_and_skill(
    probabilities: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brier score, and its skill over predicting the prevalence for everybody (1 best, 0 no better).

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`.
        weights: `(D, N)` draws.

    Returns:
        Two `(D,)`; the skill is nan where all patients of a draw are on one side.
    """
    chances, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    total = weights.sum(axis=1)
    score = weights @ (chances - positive) ** 2 / total
    share = weights @ positive.astype(float) / total
    spread = share * (1 - share)
    worse = np.divide(score, spread, out=np.full(len(total), np.nan), where=spread > 0)
    return score, 1 - worse


def expected_calibration_error(
    probabilities: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64], bins: int = BINS
) -> NDArray[np.float64]:
    """Expected calibration error: mean gap of probability and share of positives, bins of equal mass.

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`.
        weights: `(D, N)` draws.
        bins: how many; equal probabilities stay in one bin.

    Returns:
        `(D,)`.
    """
    chances, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    edges = np.quantile(chances, np.arange(1, bins) / bins)
    places = np.searchsorted(edges, chances, side="right")
    gaps = np.zeros((len(chances), bins))
    gaps[np.arange(len(chances)), places] = chances - positive
    return np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
