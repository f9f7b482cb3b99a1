"""Convert the class map to a NumPy array, check its shape, and compute its arg-max."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.vocabulary import CLASSES


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


def argmax_classes(maps: NDArray[Any]) -> NDArray[np.uint8]:
    """Compute the class of each voxel; of equal probabilities the first class wins.

    Args:
        maps: `(C, X, Y, Z)`.

    Returns:
        `(X, Y, Z)` classes.

    Raises:
        ValueError: a value is not finite.
    """
    # A running maximum reads one channel after another: several times faster than argmax across them.
    maximum = maps[0].copy()
    classes = np.zeros(maximum.shape, np.uint8)
    for index in range(1, len(maps)):
        larger = maps[index] > maximum
        classes[larger] = index
        np.maximum(maximum, maps[index], out=maximum)
    if not np.isfinite(maximum).all():  # np.maximum propagates NaN, so one check covers all channels
        raise ValueError(
            "The class map has values that are not finite, so lesions and scores cannot be computed."
        )
    return classes
