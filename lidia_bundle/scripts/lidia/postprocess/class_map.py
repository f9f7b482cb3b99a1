"""Convert the class map to a NumPy array, check its shape, and compute the class of each voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.vocabulary import BACKGROUND, CLASSES, FIRST_LESION, LIVER

LESION_THRESHOLD = 0.5
"""Lesion probability, summed over the types, above which a voxel is a lesion."""


def as_probabilities(probabilities: ArrayLike) -> NDArray[Any]:
    """Convert a class map to a NumPy array, without a copy where possible.

    Args:
        probabilities: `(C, X, Y, Z)` tensor, MetaTensor or array of one patient.

    Raises:
        ValueError: the map does not have one channel per class and three axes.
    """
    if isinstance(probabilities, torch.Tensor):
        plain = probabilities.detach().cpu().as_subclass(torch.Tensor)
        maps = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    else:
        maps = np.asarray(probabilities)
    if maps.ndim != 4 or maps.shape[0] != len(CLASSES):
        raise ValueError(
            f"A class map of one patient has shape ({len(CLASSES)}, X, Y, Z), this one {maps.shape}: "
            "take one patient out of the batch, after the network's softmax."
        )
    return maps


def classify_voxels(maps: NDArray[Any], lesion_threshold: float = LESION_THRESHOLD) -> NDArray[np.uint8]:
    """Compute the class of each voxel in two steps: whether it is a lesion, then its class.

    A voxel is a lesion if the probabilities of all lesion types together exceed `lesion_threshold`; its type
    is the most probable one. Any other voxel is liver or background, whichever is more probable. The plain
    arg-max over all classes would call a voxel background whose lesion probability is divided among types,
    as for a lesion whose type cannot be known from the given phases. Of equal probabilities the first class
    wins. Ours; the paper does not define the step.

    Args:
        maps: `(C, X, Y, Z)` probabilities.
        lesion_threshold: 0..1.

    Returns:
        `(X, Y, Z)` classes.

    Raises:
        ValueError: a value is not finite.
    """
    # A running maximum reads one channel after another: several times faster than argmax across them.
    maximum, total = maps[FIRST_LESION].copy(), maps[FIRST_LESION].astype(np.float32)
    types = np.full(maximum.shape, FIRST_LESION, np.uint8)
    for index in range(FIRST_LESION + 1, len(maps)):
        types[maps[index] > maximum] = index
        np.maximum(maximum, maps[index], out=maximum)
        total += maps[index]
    if not np.isfinite(total + maps[BACKGROUND] + maps[LIVER]).all():
        raise ValueError(
            "The class map has values that are not finite, so lesions and scores cannot be computed."
        )
    healthy = np.where(maps[LIVER] > maps[BACKGROUND], np.uint8(LIVER), np.uint8(BACKGROUND))
    return np.where(total > lesion_threshold, types, healthy)


def clear_lesions(
    classes: NDArray[np.uint8], maps: NDArray[Any], mask: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Reassign the voxels of a mask to background or liver, whichever is more probable.

    Args:
        classes: `(X, Y, Z)` classes of the voxels.
        maps: `(C, X, Y, Z)` class map.
        mask: `(X, Y, Z)`.
    """
    filtered = classes.copy()
    filtered[mask] = np.where(maps[LIVER, mask] > maps[BACKGROUND, mask], LIVER, BACKGROUND)
    return filtered
