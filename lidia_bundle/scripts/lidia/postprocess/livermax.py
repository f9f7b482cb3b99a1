"""Compute LiverMax, the patient's probability of each lesion type (LIDIA, section 2.2).

    score_c = max over v inside the liver of S[c](v)

S: `(C, X, Y, Z)` softmax output of the semantic map; c: a lesion type. A group of types takes the maximum of
    its summed channels, so that a lesion with similar probabilities of HCC and ICC is still malignant.

Differs from the print: the paper does not define the liver region (see `compute_liver_region`) or the scores
of its two groups. With `smooth`, the mean over 3x3x3 voxels is taken first, because a maximum over a million
voxels is sensitive to noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter

from scripts.lidia.components import find_bounding_box
from scripts.lidia.postprocess.class_map import as_probabilities
from scripts.lidia.vocabulary import AUTHORS_BENIGN, BENIGN, CLASSES, FIRST_LESION, LESION_TYPES, MALIGNANT

GROUPS: Mapping[str, Sequence[int]] = MappingProxyType({
    "malignant": MALIGNANT,
    "benign": BENIGN,
    "benign_authors": AUTHORS_BENIGN,
})
"""Classes of the two groups of AUC-2; `others` belongs to neither. The authors leave cyst and calcification
out of the benign group; their variant of AUC-2 is reported beside ours."""


def compute_livermax(
    probabilities: ArrayLike,
    region: ArrayLike,
    *,
    smooth: bool = False,
    groups: Mapping[str, Sequence[int]] = GROUPS,
) -> dict[str, float]:
    """Compute patient scores: the maximum of each lesion type's map inside the liver.

    With an empty region (no liver was found) every score is 0. Voxels outside the region never count.

    Args:
        probabilities: `(C, X, Y, Z)`, classes in the order of the vocabulary.
        region: `(X, Y, Z)` mask, see `compute_liver_region`.
        smooth: whether the mean over 3x3x3 voxels is taken first.
        groups: classes by name of a group score: the maximum of their summed map.

    Returns:
        Score by lesion type, then by group, each in 0..1.

    Raises:
        ValueError: the shapes differ, or a score is not finite.
    """
    maps = as_probabilities(probabilities)
    inside = np.asarray(region).astype(bool, copy=False)
    if inside.shape != maps.shape[1:]:
        raise ValueError(f"The liver region has shape {inside.shape}, the class map {maps.shape[1:]}.")
    names = [*LESION_TYPES, *groups]
    box = find_bounding_box(inside)
    if box is None:
        return dict.fromkeys(names, 0.0)
    lesions = maps[FIRST_LESION : len(CLASSES)]
    if smooth:
        lesions = np.stack([
            uniform_filter(channel.astype(np.float32), 3, mode="nearest") for channel in lesions
        ])
    values = [channel[box] for channel in lesions]
    score_maps = [*values, *(_sum_channels(values, classes) for classes in groups.values())]
    maxima = [score_map.max(where=inside[box], initial=-np.inf) for score_map in score_maps]
    scores = {name: float(np.float32(maximum)) for name, maximum in zip(names, maxima, strict=True)}
    not_finite = [name for name, score in scores.items() if not np.isfinite(score)]
    if not_finite:
        raise ValueError(
            f"Scores that are not finite: {', '.join(not_finite)}. The class map has NaN inside the liver."
        )
    return {name: min(score, 1.0) for name, score in scores.items()}


def _sum_channels(values: Sequence[NDArray[Any]], classes: Sequence[int]) -> NDArray[np.float32]:
    total = np.zeros(values[0].shape, np.float32)
    for index in classes:
        total += values[index - FIRST_LESION].astype(np.float32, copy=False)
    return total
