"""The operating point of lesion detection: how sure the map has to be somewhere before a lesion is shown.

The arg-max asks only that a lesion beats background and liver, which a bowel loop at the liver's edge may do
by a hair. Ours, neither the paper's nor PLAN's: choose the value on validation patients; 0 is the plain
arg-max. LiverMax still reads the map: a doubtful lesion inside the liver counts there for what it is worth.
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
    """Gives doubtful lesion components to background or liver, whichever is likelier voxel by voxel.

    A component (26 neighbours, blind to type) is doubtful if the summed probability of all lesion types stays
    below `confidence` in each of its voxels.

    Args:
        classes: `(X, Y, Z)` arg-max of the map.
        maps: `(C, X, Y, Z)` class map.
        confidence: 0..1; 0 leaves everything as it is.

    Returns:
        `(X, Y, Z)` classes, a copy where something changes.
    """
    if confidence <= 0.0:
        return classes
    parts = join_components(classes >= FIRST_LESION)
    inside = parts > 0
    surest = np.zeros(int(parts.max(initial=0)) + 1, maps.dtype)
    np.maximum.at(surest, parts[inside], maps[FIRST_LESION:, inside].sum(axis=0))
    doubtful = inside & (surest < confidence)[parts]
    kept = classes.copy()
    kept[doubtful] = np.where(maps[LIVER, doubtful] > maps[BACKGROUND, doubtful], LIVER, BACKGROUND)
    return kept


def mean_binary_entropy(probabilities: Iterable[float]) -> float:
    """How unsure a patient's scores are: the mean of their binary entropies, 0 to 1 bit.

    Args:
        probabilities: one a type, 0..1.
    """
    p = np.clip(list(probabilities), 1e-9, 1.0 - 1e-9)
    return float(np.mean(-p * np.log2(p) - (1.0 - p) * np.log2(1.0 - p)))
