"""Compute the true types of a patient and the area under the ROC curve of patient scores.

A patient has a type with more than 113 mm3 of it. AUC-8 is the unweighted mean of the areas of the eight
types; AUC-2 that of 'has a malignant lesion' and 'has a benign lesion'. `others` are a mixture: a flag of the
datalist puts a lesion of them on its side, and patients whose only lesions are `others` without a flag are
left out of AUC-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.metrics.lesion_matching import Lesion
from scripts.lidia.vocabulary import AUTHORS_BENIGN, BENIGN, FIRST_LESION, LESION_TYPES, MALIGNANT, OTHERS

PRESENT_MM3 = 113.0
"""A patient has a type with more than this volume of it."""
SIDES = ("malignant", "benign", "malignant_authors", "benign_authors", "unsided")
"""What a patient's lesions add up to besides the types. The authors know no flags, and put cyst and
calcification on neither side; `unsided` are `others` without a flag."""


def sum_true_volumes(
    lesions: Iterable[Lesion], malignant: Mapping[str, bool] | None = None
) -> dict[str, float]:
    """Volume of each type and side in mm3.

    Args:
        lesions: the true lesions of a patient.
        malignant: whether a lesion of `others` is malignant, by its instance number as a string.
    """
    flags = malignant or {}
    volumes = dict.fromkeys((*LESION_TYPES, *SIDES), 0.0)
    for lesion in lesions:
        sides = [LESION_TYPES[lesion.kind - FIRST_LESION]]
        if lesion.kind == OTHERS:
            flag = flags.get(str(lesion.number))
            sides.append("unsided" if flag is None else "malignant" if flag else "benign")
        sides += ["malignant"] * (lesion.kind in MALIGNANT) + ["benign"] * (lesion.kind in BENIGN)
        sides += ["malignant_authors"] * (lesion.kind in MALIGNANT)
        sides += ["benign_authors"] * (lesion.kind in AUTHORS_BENIGN)
        for side in sides:
            volumes[side] += lesion.component.volume_mm3
    return volumes


def area_under_curve(
    scores: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Args:
        scores: `(N,)`.
        truth: `(N,)`, true for positives.
        weights: `(D, N)` how often each patient stands in each of D draws; by default once in one draw.

    Returns:
        `(D,)`, nan for a draw without positives or negatives.

    Raises:
        ValueError: a score is not finite; no area may be taken of it.
    """
    values = np.asarray(scores, np.float64)
    positive = np.asarray(truth, bool)
    if not np.isfinite(values).all():
        at = np.flatnonzero(~np.isfinite(values))
        raise ValueError(f"{len(at)} of {len(values)} scores are not finite, the first of patient {at[0]}.")
    counts = np.ones((1, len(values))) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(values, kind="stable")
    values, positive, counts = values[order], positive[order], counts[:, order]
    negatives = counts * ~positive
    # Negatives strictly below a value end where its run of ties starts, those tied where it ends.
    below = np.concatenate([np.zeros((len(counts), 1)), negatives.cumsum(axis=1)], axis=1)
    first = np.searchsorted(values, values[positive], side="left")
    last = np.searchsorted(values, values[positive], side="right")
    won = (counts[:, positive] * (below[:, first] + below[:, last]) / 2).sum(axis=1)
    pairs = counts[:, positive].sum(axis=1) * below[:, -1]
    return np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def mean_area(areas: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Unweighted mean of several areas, over draws whose first one holds every patient once.

    An area that the first draw cannot give is left out. One that only a later draw cannot give, since a rare
    type vanished from it, takes the mean change of the others there: averaging over the rest alone would jump
    by how hard the lost type is.

    Args:
        areas: `(D,)` by name.

    Returns:
        `(D,)`, nan where there is no area at all.
    """
    table = np.stack(list(areas.values()))
    table = table[np.isfinite(table[:, 0])]
    if len(table) == 0:
        return np.full(len(next(iter(areas.values()))), np.nan)
    changes = table - table[:, :1]
    finite = np.isfinite(changes)
    total = np.where(finite, changes, 0).sum(axis=0)
    change = np.divide(total, finite.sum(axis=0), out=np.full(len(total), np.nan), where=finite.any(axis=0))
    return np.clip(table[:, 0].mean() + change, 0, 1)
