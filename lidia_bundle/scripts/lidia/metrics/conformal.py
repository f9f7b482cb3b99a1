"""Split conformal prediction: sets of types that contain the true one with a chosen coverage.

    t[c] = the k-th smallest score of type c among the n calibration cases of true type c,
           k = floor((n + 1) (1 - coverage)), t[c] = 0 if k is 0
    set  = types c with score[c] >= t[c]

Each type has its own threshold (class-conditional, or Mondrian), so the coverage holds for each type and not
only on average. It holds for cases that are exchangeable with the calibration cases, up to the chance of the
calibration set. With too few cases of a type, t is 0: the type is in every set.
Source: Angelopoulos and Bates, Conformal Prediction: A Gentle Introduction (2023), sections 1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

COVERAGES = (0.8, 0.9, 0.95)


class TypeThresholds(NamedTuple):
    """Thresholds of one type."""

    cases: int
    """Number of calibration cases of this type."""
    thresholds: tuple[float, ...]
    """One for each coverage; 0 if there are too few cases."""


Group = Mapping[str, TypeThresholds]
"""Thresholds by type."""


def fit_threshold(scores: ArrayLike, coverage: float) -> float:
    """Compute the threshold of a type from the scores of the cases that have it.

    Args:
        scores: `(N,)`.
        coverage: share of cases whose score shall reach the threshold, 0..1.
    """
    values = np.sort(np.asarray(scores, np.float64))
    rank = int(np.floor((len(values) + 1) * (1 - coverage) + 1e-9))
    return float(values[rank - 1]) if rank >= 1 else 0.0


def fit_types(
    scores: Mapping[str, ArrayLike], coverages: Sequence[float] = COVERAGES
) -> dict[str, TypeThresholds]:
    """Fit the thresholds of all types.

    Args:
        scores: `(N,)` scores of the cases that have the type, by type.
        coverages: coverage of each threshold.
    """
    return {
        name: TypeThresholds(
            int(np.size(values)), tuple(fit_threshold(values, coverage) for coverage in coverages)
        )
        for name, values in scores.items()
    }


def predict_set(
    scores: Mapping[str, float], groups: Sequence[Group], index: int, *, nonempty: bool
) -> list[str]:
    """Predict the set of types of one case.

    Args:
        scores: score by type.
        groups: thresholds; of each type the first group with enough cases is used.
        index: number of the coverage.
        nonempty: whether an empty set gets the type of the largest score.
    """
    names = [name for name, score in scores.items() if score >= _find_threshold(groups, name, index)]
    if nonempty and not names and scores:
        names = [max(scores, key=lambda name: scores[name])]
    return names


def _find_threshold(groups: Sequence[Group], name: str, index: int) -> float:
    thresholds = (group[name].thresholds[index] for group in groups if name in group)
    return next((threshold for threshold in thresholds if threshold > 0), 0.0)


def normalise_types(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Divide type probabilities `(..., T)` by their sum, so that they do not depend on the existence."""
    values = np.asarray(probabilities, np.float64)
    total = values.sum(axis=-1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)
