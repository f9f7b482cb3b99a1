"""Choose three thresholds on the probability that a lesion exists from a FROC curve.

    specific   the largest sensitivity with at most `specific_false` false lesions per patient
    balanced   the largest F1 = 2 found / (truths + found + false)
    sensitive  the largest sensitivity with at most `sensitive_false` false lesions per patient

Of equal points the one with the fewest false lesions wins. A threshold lies midway to the next lower score,
so that rounding has no influence. The thresholds fall from specific to sensitive.
"""

from __future__ import annotations

import numpy as np

from scripts.lidia.metrics.froc import Detections, FrocCurve, compute_froc

SENSITIVE_FALSE, SPECIFIC_FALSE = 1.0, 0.05


def choose_lesion_points(
    detections: Detections,
    *,
    sensitive_false: float = SENSITIVE_FALSE,
    specific_false: float = SPECIFIC_FALSE,
) -> dict[str, float]:
    """Choose the thresholds of `sensitive`, `balanced` and `specific`.

    Args:
        detections: scores of the calibration patients in 0..1.
        sensitive_false: largest number of false lesions per patient of `sensitive`.
        specific_false: largest number of false lesions per patient of `specific`.

    Raises:
        ValueError: no patient has a true lesion.
    """
    truths = len(detections.true_scores)
    if not truths:
        raise ValueError("Operating points need patients with true lesions.")
    curve = compute_froc(detections)
    found, false = curve.sensitivity * truths, curve.false_per_patient * detections.patients
    balanced = int(np.argmax(2 * found / (truths + found + false)))
    specific = min(_find_most_sensitive(curve, specific_false), balanced)
    sensitive = max(_find_most_sensitive(curve, sensitive_false), balanced)
    scores = np.append(np.minimum(curve.thresholds, 1.0), 0.0)
    middles = (scores[:-1] + scores[1:]) / 2
    places = {"sensitive": sensitive, "balanced": balanced, "specific": specific}
    return {name: float(middles[place]) for name, place in places.items()}


def _find_most_sensitive(curve: FrocCurve, largest_false: float) -> int:
    """Find the point of the largest sensitivity; of several the one with the fewest false lesions."""
    allowed = curve.false_per_patient <= largest_false
    return int(np.argmax(np.where(allowed, curve.sensitivity, -1.0)))
