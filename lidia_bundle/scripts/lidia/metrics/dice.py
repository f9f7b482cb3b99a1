"""Dice of voxels: all lesions as one class, each type, and the liver.

    Dice = 2 |P and T| / (|P| + |T|)        nan where both are empty, 0 where one is

Lesions of the truth too small to count are left out of both sides for lesions and types; for the liver they
are liver.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import as_array
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, LESION_TYPES, LIVER


def dice_from_counts(shared: float, one: float, other: float) -> float:
    """Dice from voxel counts; nan where both volumes are empty."""
    return float(2 * shared / (one + other)) if one + other > 0 else float("nan")


def compute_dice(
    predicted: ArrayLike, truth: ArrayLike, ignored: ArrayLike | None = None
) -> dict[str, float]:
    """Dice of a patient.

    Args:
        predicted: `(X, Y, Z)` classes, liver included.
        truth: `(X, Y, Z)` classes, liver included.
        ignored: `(X, Y, Z)` mask of voxels that count neither for lesions nor for types.

    Returns:
        Dice of `lesions`, `liver` (with lesions; nan where the truth has none) and each type.

    Raises:
        ValueError: the volumes do not have one shape.
    """
    guess, label = as_array(predicted), as_array(truth)
    if guess.shape != label.shape:
        raise ValueError(f"The prediction has shape {guess.shape}, the label {label.shape}: invert it first.")
    everything = _count_class_pairs(guess, label)
    counted = everything
    if ignored is not None:
        left_out = as_array(ignored) > 0
        counted = everything - _count_class_pairs(guess[left_out], label[left_out])
    lesions = slice(FIRST_LESION, len(CLASSES))
    result = {
        "lesions": dice_from_counts(
            counted[lesions, lesions].sum(), counted[lesions].sum(), counted[:, lesions].sum()
        ),
        "liver": float("nan"),
    }
    if everything[:, LIVER].sum() > 0:
        result["liver"] = dice_from_counts(
            everything[1:, 1:].sum(), everything[1:].sum(), everything[:, 1:].sum()
        )
    for index, name in enumerate(LESION_TYPES, FIRST_LESION):
        result[name] = dice_from_counts(counted[index, index], counted[index].sum(), counted[:, index].sum())
    return result


def _count_class_pairs(predicted: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.int64]:
    """Voxels by predicted class (rows) and true class (columns)."""
    size = len(CLASSES)
    pairs = predicted.astype(np.int16).ravel() * size + truth.astype(np.int16).ravel()
    return np.bincount(pairs, minlength=size * size).reshape(size, size)
