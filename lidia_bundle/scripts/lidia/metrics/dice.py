"""Compute the Dice of voxels: all lesions as one class, each type, and the liver.

    Dice = 2 |P and T| / (|P| + |T|)        nan if both are empty, 0 if one is

True lesions too small to count are excluded from both masks for lesions and types; for the liver they count
as liver.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import as_array
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, LESION_TYPES, LIVER


def compute_dice_from_counts(shared: float, predicted: float, truth: float) -> float:
    """Compute Dice from voxel counts; nan if both volumes are empty."""
    return float(2 * shared / (predicted + truth)) if predicted + truth > 0 else float("nan")


def compute_dice(
    predicted: ArrayLike, truth: ArrayLike, ignored: ArrayLike | None = None
) -> dict[str, float]:
    """Compute the Dice values of a patient.

    Args:
        predicted: `(X, Y, Z)` classes, liver included.
        truth: `(X, Y, Z)` classes, liver included.
        ignored: `(X, Y, Z)` mask of voxels excluded for lesions and types.

    Returns:
        Dice of `lesions`, `liver` (with lesions; nan if the truth has none) and each type.

    Raises:
        ValueError: the shapes of the volumes differ.
    """
    prediction, label = as_array(predicted), as_array(truth)
    if prediction.shape != label.shape:
        raise ValueError(
            f"The prediction has shape {prediction.shape}, the label {label.shape}: invert it first."
        )
    all_counts = _count_class_pairs(prediction, label)
    counts = all_counts
    if ignored is not None:
        excluded = as_array(ignored) > 0
        counts = all_counts - _count_class_pairs(prediction[excluded], label[excluded])
    lesions = slice(FIRST_LESION, len(CLASSES))
    result = {
        "lesions": compute_dice_from_counts(
            counts[lesions, lesions].sum(), counts[lesions].sum(), counts[:, lesions].sum()
        ),
        "liver": float("nan"),
    }
    if all_counts[:, LIVER].sum() > 0:
        result["liver"] = compute_dice_from_counts(
            all_counts[1:, 1:].sum(), all_counts[1:].sum(), all_counts[:, 1:].sum()
        )
    for index, name in enumerate(LESION_TYPES, FIRST_LESION):
        result[name] = compute_dice_from_counts(
            counts[index, index], counts[index].sum(), counts[:, index].sum()
        )
    return result


def _count_class_pairs(predicted: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count voxels by predicted class (rows) and true class (columns)."""
    size = len(CLASSES)
    pairs = predicted.astype(np.int16).ravel() * size + truth.astype(np.int16).ravel()
    return np.bincount(pairs, minlength=size * size).reshape(size, size)
