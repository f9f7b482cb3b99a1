"""Scale the type probabilities of a lesion, so that they agree with the types of validation lesions.

    p'_t ∝ p_t^a · exp(b_t),  sum_t p'_t = sum_t p_t

p_t is the mean probability of type t in a lesion. `a` and `b` are fitted on the lesions of validation
patients (`evaluation/fit_type_scaling.py`). This is ours; the paper does not calibrate. Source:
bias-corrected temperature scaling, Alexandari, Kundaje and Shrikumar, ICML 2020, which adds a bias to the
temperature scaling of Guo et al., ICML 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class TypeScaling(NamedTuple):
    """Coefficients of the scaling."""

    slope: float
    """`a`, the inverse of the temperature; above 1 the probabilities become more certain."""
    bias: tuple[float, ...]
    """`b`, one for each lesion type of the vocabulary."""


def scale_types(probabilities: ArrayLike, scaling: TypeScaling) -> NDArray[np.float64]:
    """Scale the type probabilities of lesions; their sum stays, and a probability of 0 stays 0.

    Args:
        probabilities: `(..., T)` probabilities of the lesion types.
        scaling: fitted coefficients.

    Returns:
        `(..., T)`.
    """
    values = np.asarray(probabilities, np.float64)
    largest = values.max(axis=-1, keepdims=True)  # avoids an underflow of the power
    scaled = np.power(values / np.where(largest > 0, largest, 1.0), scaling.slope) * np.exp(scaling.bias)
    totals = scaled.sum(axis=-1, keepdims=True)
    return scaled * values.sum(axis=-1, keepdims=True) / np.where(totals > 0, totals, 1.0)
