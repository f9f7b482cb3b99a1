"""Compute the uncertainty of a patient's scores, by which the label server chooses the next patient."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def compute_mean_binary_entropy(probabilities: Iterable[float]) -> float:
    """Compute the mean binary entropy of a patient's scores, 0 to 1 bit, as a measure of uncertainty.

    Args:
        probabilities: one per type, 0..1.
    """
    p = np.clip(list(probabilities), 1e-9, 1.0 - 1e-9)
    return float(np.mean(-p * np.log2(p) - (1.0 - p) * np.log2(1.0 - p)))
