"""Remove lesions of low confidence from the class map.

A voxel is a lesion from a moderate lesion probability on, which a bowel loop next to the liver can have. A
component must therefore have a higher peak. This filter is ours, neither the paper's nor PLAN's: choose the
threshold on validation patients; 0 disables it. LiverMax still uses the unfiltered map.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.components import join_components
from scripts.lidia.vocabulary import BACKGROUND, FIRST_LESION, LIVER


def drop_low_confidence_lesions(
    classes: NDArray[np.uint8], maps: NDArray[Any], confidence: float
) -> NDArray[np.uint8]:
    """Reassign low-confidence lesion components to background or liver, whichever is more probable per voxel.

    A component (26 neighbours, all types joined) has low confidence if the summed lesion probability is
    below `confidence` in each of its voxels.

    Args:
        classes: `(X, Y, Z)` classes of the voxels, see `classify_voxels`.
        maps: `(C, X, Y, Z)` class map.
        confidence: threshold, 0..1; 0 disables the filter.

    Returns:
        `(X, Y, Z)` classes; the input itself if the filter is disabled.
    """
    if confidence <= 0.0:
        return classes
    labels = join_components(classes >= FIRST_LESION)
    inside = labels > 0
    peak_probability = np.zeros(int(labels.max(initial=0)) + 1, maps.dtype)
    np.maximum.at(peak_probability, labels[inside], maps[FIRST_LESION:, inside].sum(axis=0))
    low_confidence = inside & (peak_probability < confidence)[labels]
    return clear_lesions(classes, maps, low_confidence)


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


def compute_mean_binary_entropy(probabilities: Iterable[float]) -> float:
    """Compute the mean binary entropy of a patient's scores, 0 to 1 bit, as a measure of uncertainty.

    Args:
        probabilities: one per type, 0..1.
    """
    p = np.clip(list(probabilities), 1e-9, 1.0 - 1e-9)
    return float(np.mean(-p * np.log2(p) - (1.0 - p) * np.log2(1.0 - p)))
