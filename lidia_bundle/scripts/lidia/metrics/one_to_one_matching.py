"""Match predicted and true lesions one to one by their IoU, a stricter variant of the authors' protocol."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from scripts.lidia.components import is_smaller
from scripts.lidia.metrics.lesion_matching import COUNTED_MM3, LesionMap, compute_pairwise_dice


def match_one_to_one(
    predicted: LesionMap, truth: LesionMap, *, iou: float, counted_mm3: float = COUNTED_MM3
) -> tuple[int, int, int]:
    """Count true positives, false positives and misses of a one-to-one matching.

    The matching has as many pairs as possible and, among these, the largest total IoU. Small lesions are
    treated as in `match_lesions`.

    Args:
        predicted: lesions of the post-processed prediction.
        truth: lesions of the label.
        iou: minimum intersection over union of a match.
        counted_mm3: minimum volume of counted predictions and of truths that are not ignored.
    """
    dice = compute_pairwise_dice(predicted, truth)
    overlap = dice / (2 - dice)
    counted = np.array(
        [not is_smaller(lesion.component.volume_mm3, counted_mm3) for lesion in predicted.lesions], bool
    )
    ignored = np.array(
        [is_smaller(lesion.component.volume_mm3, counted_mm3) for lesion in truth.lesions], bool
    )
    overlaps = overlap >= iou - 1e-12
    allowed = overlaps[counted][:, ~ignored]
    score = np.where(allowed, 1 + overlap[counted][:, ~ignored] / (1 + len(truth.lesions)), 0)
    rows, columns = linear_sum_assignment(score, maximize=True)
    valid = allowed[rows, columns]
    matched = np.zeros(int(counted.sum()), bool)
    matched[rows[valid]] = True
    hits_ignored = overlaps[counted][:, ignored].any(axis=1) & ~matched
    hit = int(valid.sum())
    return hit, int((~matched & ~hits_ignored).sum()), int((~ignored).sum()) - hit
