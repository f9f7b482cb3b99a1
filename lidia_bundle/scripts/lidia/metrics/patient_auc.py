"""Compute the true types of a patient and the area under the ROC curve of patient scores.

A patient has a type if its lesions exceed 113 mm3. AUC-8 is the unweighted mean of the areas of the eight
types, AUC-2 the mean of 'has a malignant lesion' and 'has a benign lesion'. `others` is a mixture: a flag in
the datalist assigns such a lesion to a group, and patients whose only lesions are `others` without a flag are
excluded from AUC-2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.metrics.lesion_matching import Lesion
from scripts.lidia.vocabulary import AUTHORS_BENIGN, BENIGN, FIRST_LESION, LESION_TYPES, MALIGNANT, OTHERS

PRESENT_MM3 = 113.0
"""A patient has a type if the volume of its lesions exceeds this value."""
SIDES = ("malignant", "benign", "malignant_authors", "benign_authors", "unsided")
"""Groups whose volumes are summed besides the types. The authors' variants use no flags and assign cyst and
calcification to neither group; `unsided` counts `others` without a flag."""


def sum_true_volumes(
    lesions: Iterable[Lesion], malignant: Mapping[str, bool] | None = None
) -> dict[str, float]:
    """Sum the volume of each lesion type and group in mm3.

    Args:
        lesions: the true lesions of a patient.
        malignant: whether a lesion of `others` is malignant, by its instance number as a string.
    """
    flags = malignant or {}
    volumes = dict.fromkeys((*LESION_TYPES, *SIDES), 0.0)
    for lesion in lesions:
        columns = [LESION_TYPES[lesion.kind - FIRST_LESION]]
        if lesion.kind == OTHERS:
            flag = flags.get(str(lesion.number))
            columns.append("unsided" if flag is None else "malignant" if flag else "benign")
        columns += ["malignant"] * (lesion.kind in MALIGNANT) + ["benign"] * (lesion.kind in BENIGN)
        columns += ["malignant_authors"] * (lesion.kind in MALIGNANT)
        columns += ["benign_authors"] * (lesion.kind in AUTHORS_BENIGN)
        for column in columns:
            volumes[column] += lesion.component.volume_mm3
    return volumes


def compute_auc(
    scores: ArrayLike, truth: ArrayLike, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Compute the area under the ROC curve; ties count half.

    Args:
        scores: `(N,)`.
        truth: `(N,)`, true for positives.
        weights: `(D, N)` number of times each patient occurs in each of D draws; by default one draw, each
            once.

    Returns:
        `(D,)`, nan for a draw without positives or negatives.

    Raises:
        ValueError: a score is not finite.
    """
    values = np.asarray(scores, np.float64)
    positive = np.asarray(truth, bool)
    if not np.isfinite(values).all():
        invalid = np.flatnonzero(~np.isfinite(values))
        raise ValueError(
            f"{len(invalid)} of {len(values)} scores are not finite, the first of patient {invalid[0]}."
        )
    counts = np.ones((1, len(values))) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(values, kind="stable")
    values, positive, counts = values[order], positive[order], counts[:, order]
    negatives = counts * ~positive
    # The start of a run of ties counts the negatives strictly below, its end those below or tied.
    below = np.concatenate([np.zeros((len(counts), 1)), negatives.cumsum(axis=1)], axis=1)
    first = np.searchsorted(values, values[positive], side="left")
    last = np.searchsorted(values, values[positive], side="right")
    concordant = (counts[:, positive] * (below[:, first] + below[:, last]) / 2).sum(axis=1)
    pairs = counts[:, positive].sum(axis=1) * below[:, -1]
    return np.divide(concordant, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def compute_mean_auc(areas: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Compute the unweighted mean of several areas; the first draw is the cohort itself.

    An area that is undefined in the first draw is excluded. An area that is undefined in a later draw,
    because a rare type does not occur in it, is assigned the mean change of the other areas: the mean over
    the others alone would shift by the difficulty of the missing type.

    Args:
        areas: `(D,)` by name.

    Returns:
        `(D,)`, nan if no area is defined.
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
