"""Fit a logistic regression with a small ridge by Newton's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

RIDGE = 1.0
"""Precision of the prior of each standardised coefficient; it keeps them finite if classes are separable."""


def fit_logistic(features: ArrayLike, truth: ArrayLike, ridge: float = RIDGE) -> NDArray[np.float64]:
    """Fit `p = 1 / (1 + exp(-(features @ w + b)))` by penalised likelihood.

    Features are standardised for the penalty; the coefficients are those of the given features. The
    intercept has no penalty.

    Args:
        features: `(N, F)`.
        truth: `(N,)`, true for positives.
        ridge: precision of the prior.

    Returns:
        `(F + 1,)`, coefficients and intercept.

    Raises:
        ValueError: a feature is not finite, or all samples are positive or all negative.
    """
    values, positive = np.asarray(features, np.float64), np.asarray(truth, bool)
    if not np.isfinite(values).all():
        raise ValueError("A feature is not finite.")
    if positive.all() or not positive.any():
        raise ValueError(
            f"A fit needs positive and negative samples; there are {positive.sum()} and {(~positive).sum()}."
        )
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([(values - centre) / scale, np.ones(len(values))])
    penalty = np.diag([*np.full(values.shape[1], ridge), 0.0])
    weights = np.zeros(design.shape[1])
    weights[-1] = np.log(positive.mean() / (1 - positive.mean()))
    for _ in range(100):
        predicted = expit(design @ weights)
        gradient = design.T @ (positive - predicted) - penalty @ weights
        curvature = design.T @ (design * (predicted * (1 - predicted))[:, None]) + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    coefficients = weights[:-1] / scale
    return np.append(coefficients, weights[-1] - coefficients @ centre)
