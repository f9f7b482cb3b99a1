"""Calibrate patient scores by Platt scaling and measure the calibration error.

    p = 1 / (1 + exp(-(a logit(s) + b)))        a, b per type, fitted on validation

A maximum over a million voxels is overconfident by construction, so LiverMax needs calibration. Each type is
calibrated against the rest without a softmax, since a patient may have several types. The expected
calibration error uses bins of equal mass. The Brier skill complements it: predicting the prevalence for
every patient has a low calibration error and no skill. The curvature of the likelihood gives the covariance
of a fitted line, and with it an interval of each probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from scripts.lidia.metrics.intervals import LEVEL, compute_normal_quantile
from scripts.lidia.metrics.operating_points import OperatingPoint

EDGE = 1e-6
"""Scores are clipped to this distance from 0 and 1 before the logit."""
BINS = 10


class Platt(NamedTuple):
    """Slope and intercept of a line on the logit of a score."""

    slope: float
    intercept: float


class PlattCovariance(NamedTuple):
    """Covariance matrix of a line's slope and intercept."""

    slope_variance: float
    covariance: float
    intercept_variance: float


class Calibration(NamedTuple):
    """Calibration of patient scores, fitted on validation patients; each entry may lack some scores."""

    lines: Mapping[str, Platt]
    spreads: Mapping[str, PlattCovariance] = {}
    """Covariance of each line."""
    points: Mapping[str, OperatingPoint] = {}
    """Calibrated probabilities at which a type is ruled out and ruled in."""
    subsets: Mapping[str, float] = {}
    """AUC-8 by the phases in use, such as `nc+venous`."""
    subset_patients: int = 0
    """Number of patients on whom it was measured."""


def compute_logit(scores: ArrayLike) -> NDArray[np.float64]:
    """Compute the log odds of scores in 0..1."""
    clipped = np.clip(np.asarray(scores, np.float64), EDGE, 1 - EDGE)
    return np.log(clipped) - np.log1p(-clipped)


def fit_platt(scores: ArrayLike, truth: ArrayLike, *, smooth: bool = True) -> Platt:
    """Fit a line by Newton's method.

    Args:
        scores: `(N,)` in 0..1.
        truth: `(N,)`, true for positives.
        smooth: use Platt's targets, slightly inside 0 and 1, which keep the slope finite with few positives;
            without them the slope is the usual measure of overconfidence (1 is calibrated, below 1
            overconfident).

    Raises:
        ValueError: a score is not finite, or all patients are positive or all negative.
    """
    values, positive = compute_logit(scores), np.asarray(truth, bool)
    if not np.isfinite(values).all():
        raise ValueError("A score is not finite.")
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        raise ValueError(f"A calibration needs positive and negative patients; there are {n1} and {n0}.")
    targets = np.where(positive, (n1 + 1) / (n1 + 2), 1 / (n0 + 2)) if smooth else positive.astype(float)
    design = np.stack([values, np.ones(len(values))], axis=1)
    line = np.array([0.0, np.log(n1 / n0)])
    for _ in range(100):
        predicted = 1 / (1 + np.exp(-design @ line))
        # The ridge is negligible against data; it avoids a singular matrix if all scores are equal.
        hessian = design.T @ (design * (predicted * (1 - predicted))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (targets - predicted) - 1e-6 * line)
        line = line + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return Platt(float(line[0]), float(line[1]))


def apply_platt(scores: ArrayLike, line: Platt) -> NDArray[np.float64]:
    """Compute the calibrated probabilities of scores in 0..1."""
    return np.asarray(expit(line.slope * compute_logit(scores) + line.intercept))


def estimate_platt_covariance(scores: ArrayLike, line: Platt) -> PlattCovariance:
    """Estimate the covariance of a fitted line: the inverse of its likelihood's curvature.

    Args:
        scores: `(N,)` scores on which the line was fitted.
        line: the fit; a line with slope 0 is a prevalence and gets the variance of a proportion.
    """
    probabilities = apply_platt(scores, line)
    variances = np.clip(probabilities * (1 - probabilities), EDGE, None)
    if line.slope == 0:
        return PlattCovariance(0.0, 0.0, float(1 / variances.sum()))
    design = np.stack([compute_logit(scores), np.ones(len(variances))], axis=1)
    covariance = np.linalg.inv(design.T @ (design * variances[:, None]) + EDGE * np.eye(2))
    return PlattCovariance(float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))


def compute_slope_interval(line: Platt, spread: PlattCovariance, level: float = LEVEL) -> tuple[float, float]:
    """Compute Wald's interval of a fitted slope."""
    half = compute_normal_quantile(level) * spread.slope_variance**0.5
    return line.slope - half, line.slope + half


def compute_platt_interval(
    score: float, line: Platt, spread: PlattCovariance, level: float = LEVEL
) -> tuple[float, float]:
    """Compute the interval of a calibrated probability, symmetric on the logit (delta method).

    It expresses the uncertainty of the fitted line, not the confidence of the network in this patient.

    Args:
        score: score of one patient, 0..1.
        line: line of this type.
        spread: covariance of the line.
        level: confidence level.
    """
    x = float(compute_logit(score))
    error = np.sqrt(
        max(spread.slope_variance * x * x + 2 * spread.covariance * x + spread.intercept_variance, 0.0)
    )
    middle, half = line.slope * x + line.intercept, compute_normal_quantile(level) * error
    return float(expit(middle - half)), float(expit(middle + half))


def compute_brier_score_and_skill(
    probabilities: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the Brier score, and its skill against the prevalence as prediction (1 best, 0 no better).

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`.
        weights: `(D, N)` draws.

    Returns:
        Score and skill, `(D,)` each; the skill is nan if all patients of a draw are positive or all negative.
    """
    values, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    total = weights.sum(axis=1)
    score = weights @ (values - positive) ** 2 / total
    prevalence = weights @ positive.astype(float) / total
    baseline = prevalence * (1 - prevalence)
    relative = np.divide(score, baseline, out=np.full(len(total), np.nan), where=baseline > 0)
    return score, 1 - relative


def compute_calibration_error(
    probabilities: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64], bins: int = BINS
) -> NDArray[np.float64]:
    """Compute the expected calibration error over bins of equal mass.

    Args:
        probabilities: `(N,)`.
        truth: `(N,)`.
        weights: `(D, N)` draws.
        bins: number of bins; equal probabilities share a bin.

    Returns:
        `(D,)`.
    """
    values, positive = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    edges = np.quantile(values, np.arange(1, bins) / bins)
    bin_index = np.searchsorted(edges, values, side="right")
    gaps = np.zeros((len(values), bins))
    gaps[np.arange(len(values)), bin_index] = values - positive
    return np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
