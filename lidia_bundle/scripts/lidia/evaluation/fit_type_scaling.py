"""Fit the scaling of lesion types on the lesions of the calibration patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from scripts.lidia.metrics.conformal import normalise_types
from scripts.lidia.postprocess.lesion_existence import EDGE
from scripts.lidia.postprocess.type_scaling import TypeScaling
from scripts.lidia.vocabulary import LESION_TYPES

RIDGE = 1.0
"""Precision of the prior of each coefficient, which has the mean 1 for the slope and 0 for the biases."""


def fit_type_scaling(
    probabilities: ArrayLike, types: Sequence[str], ridge: float = RIDGE
) -> TypeScaling | None:
    """Fit slope and biases by penalised likelihood.

    The bias of a type that no lesion has is 0, because nothing is known about it.

    Args:
        probabilities: `(N, 8)` probabilities of the lesion types for each lesion, before any scaling.
        types: `(N,)` true types.
        ridge: precision of the prior.

    Returns:
        The coefficients; None if the lesions have fewer than two types.

    Raises:
        ValueError: a probability is not finite.
    """
    values = np.asarray(probabilities, np.float64).reshape(-1, len(LESION_TYPES))
    if not np.isfinite(values).all():
        raise ValueError("A type probability is not finite.")
    truth = np.array([[name == kind for name in LESION_TYPES] for kind in types], np.float64)
    if len(set(types)) < 2:
        return None
    occurs = truth.any(axis=0)
    logs = np.log(np.maximum(normalise_types(values), EDGE))
    start = np.append(1.0, np.zeros(len(LESION_TYPES)))

    def compute_loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Negative logarithm of the posterior, and its gradient."""
        logits = coefficients[0] * logs + coefficients[1:] * occurs
        error = softmax(logits, axis=1) - truth
        gradient = np.append((error * logs).sum(), error.sum(axis=0) * occurs)
        distance = coefficients - start
        loss = -(truth * log_softmax(logits, axis=1)).sum() + 0.5 * ridge * (distance**2).sum()
        return float(loss), gradient + ridge * distance

    slope, *bias = minimize(compute_loss, start, jac=True, method="BFGS").x.tolist()
    return TypeScaling(slope, tuple(bias))
