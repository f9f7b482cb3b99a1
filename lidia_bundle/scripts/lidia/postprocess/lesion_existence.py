"""Compute the probability that a lesion exists from the network's lesion probabilities inside it.

    q = sum of the type probabilities of a voxel
    p = 1 / (1 + exp(-(a logit(max q) + b logit(mean q) + c ln(volume) + d)))

The maximum and the mean run over the voxels of the lesion, the volume is in mm3. `a b c d` are fitted on
validation patients; without a fit, the uncalibrated value is the maximum of q. This is ours; the paper has no
such probability.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

EDGE = 1e-4
"""Probabilities are clipped to this distance from 0 and 1 before the logit; 16-bit maps resolve no more."""


class ExistenceModel(NamedTuple):
    """Coefficients of the probability that a lesion exists."""

    peak: float
    mean: float
    volume: float
    intercept: float


def make_existence_features(peak: ArrayLike, mean: ArrayLike, volume_mm3: ArrayLike) -> NDArray[np.float64]:
    """Make the features of lesions: `(N, 3)`, logit of the peak, logit of the mean, logarithm of the volume.

    Args:
        peak: `(N,)` largest lesion probability in each lesion.
        mean: `(N,)` mean lesion probability in each lesion.
        volume_mm3: `(N,)`.
    """
    clipped = [np.clip(np.asarray(values, np.float64), EDGE, 1 - EDGE) for values in (peak, mean)]
    volume = np.log(np.maximum(np.asarray(volume_mm3, np.float64), 1.0))
    return np.stack([*(np.log(values) - np.log1p(-values) for values in clipped), volume], axis=-1)


def compute_existence(
    peak: ArrayLike, mean: ArrayLike, volume_mm3: ArrayLike, model: ExistenceModel | None
) -> NDArray[np.float64]:
    """Compute the probability that each lesion exists, `(N,)`; without a model it is the peak.

    Args:
        peak: `(N,)` largest lesion probability in each lesion.
        mean: `(N,)` mean lesion probability in each lesion.
        volume_mm3: `(N,)`.
        model: fitted coefficients.
    """
    if model is None:
        return np.asarray(peak, np.float64)
    features = make_existence_features(peak, mean, volume_mm3)
    return np.asarray(expit(features @ np.array(model[:3]) + model.intercept))


def add_existence(records: Sequence[Mapping[str, Any]], model: ExistenceModel | None) -> list[dict[str, Any]]:
    """Add `existence` to the records of lesions.

    Args:
        records: records with `peak_probability`, `probabilities` and `volume_mm3`, see `extract_lesions`.
        model: fitted coefficients.
    """
    return [
        {
            **record,
            "existence": float(
                compute_existence(
                    record["peak_probability"],
                    sum(record["probabilities"].values()),
                    record["volume_mm3"],
                    model,
                )
            ),
        }
        for record in records
    ]
