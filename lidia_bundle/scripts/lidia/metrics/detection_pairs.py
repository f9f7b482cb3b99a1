"""Pair candidate lesions with true lesions, for the FROC curve and for the probability of existence.

A candidate and a truth form a pair if their Dice is at least the overlap of the protocol. Each may occur in
several pairs, so the pairs do not depend on the threshold at which candidates are reported; the greedy
matching of `match_lesions` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scripts.lidia.metrics.lesion_matching import OVERLAP, Lesion, LesionMap, compute_pairwise_dice


class DetectionPair(NamedTuple):
    """A candidate and a truth that match; None stands for the part that is missing."""

    candidate: Lesion | None
    truth: Lesion | None
    dice: float


def pair_detections(candidates: LesionMap, truth: LesionMap, overlap: float = OVERLAP) -> list[DetectionPair]:
    """Pair candidates and truths; every lesion of both maps occurs at least once.

    Args:
        candidates: candidate lesions.
        truth: lesions of the label.
        overlap: minimum Dice of a pair.
    """
    dice = compute_pairwise_dice(candidates, truth)
    is_pair = dice >= overlap
    pairs = [
        DetectionPair(candidates.lesions[row], truth.lesions[column], float(dice[row, column]))
        for row, column in np.argwhere(is_pair).tolist()
    ]
    single_candidates = np.flatnonzero(~is_pair.any(axis=1)).tolist()
    single_truths = np.flatnonzero(~is_pair.any(axis=0)).tolist()
    pairs += [DetectionPair(candidates.lesions[row], None, 0.0) for row in single_candidates]
    return pairs + [DetectionPair(None, truth.lesions[column], 0.0) for column in single_truths]
