"""Fit the part of a calibration that concerns lesions: probability of existence and operating points."""

from __future__ import annotations

from typing import Any

from scripts.lidia.evaluation.detection_table import DetectionTable
from scripts.lidia.metrics.froc import measure_threshold
from scripts.lidia.metrics.lesion_points import choose_lesion_points
from scripts.lidia.metrics.logistic_regression import fit_logistic
from scripts.lidia.postprocess.lesion_existence import ExistenceModel, make_existence_features


def fit_existence(candidates: DetectionTable) -> ExistenceModel | None:
    """Fits the probability that a candidate matches a true lesion of any size.

    Args:
        candidates: pairs of the calibration patients.

    Returns:
        The coefficients; None if all candidates are true or all are false.
    """
    index, exists = candidates.find_candidates()
    if not len(index) or exists.all() or not exists.any():
        return None
    columns = (candidates[name][index] for name in ("peak", "mean", "volume_mm3"))
    return ExistenceModel(*fit_logistic(make_existence_features(*columns), exists).tolist())


def fit_lesions(
    candidates: DetectionTable, counted_mm3: float, *, sensitive_false: float, specific_false: float
) -> dict[str, Any]:
    """Fits existence and operating points, and measures the points on the same patients.

    Args:
        candidates: pairs of the calibration patients.
        counted_mm3: smaller truths are ignored, smaller candidates do not count.
        sensitive_false: largest number of false lesions per patient of `sensitive`.
        specific_false: largest number of false lesions per patient of `specific`.

    Returns:
        JSON-ready `existence`, `lesion_points` and `candidates` (their number); empty without a fit.
    """
    model = fit_existence(candidates)
    if model is None:
        return {}
    detections = candidates.collect_detections(counted_mm3, candidates.compute_existence(model))
    if not len(detections.true_scores):
        return {}
    limits = {"sensitive_false": sensitive_false, "specific_false": specific_false}
    points = choose_lesion_points(detections, **limits)
    measured = {
        name: {"threshold": threshold, **measure_threshold(detections, threshold)._asdict()}
        for name, threshold in points.items()
    }
    return {
        "existence": model._asdict(),
        "lesion_points": measured,
        "candidates": len(candidates.find_candidates()[0]),
    }
