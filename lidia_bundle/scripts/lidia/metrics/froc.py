"""Compute the FROC curve: sensitivity against false lesions per patient over all thresholds.

    sensitivity(t)       = truths with a matching candidate of score >= t / truths
    false per patient(t) = candidates of score >= t that match no truth / patients

The mean sensitivity at fixed rates of false lesions is the FROC score (LUNA16: 1/8 to 8 per scan). The
sensitivity at a rate is interpolated linearly; above the largest rate of the curve it is the last
sensitivity. Tests compare the curve with MONAI's `compute_froc_curve_data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False lesions per patient of the FROC score."""
MISSED = -np.inf
"""Score of a truth without a matching candidate."""


class Detections(NamedTuple):
    """Scores of the true and false lesions of a cohort."""

    true_scores: NDArray[np.float64]
    """`(T,)` largest score of the candidates that match a truth, MISSED without one."""
    true_patients: NDArray[np.int64]
    """`(T,)` index of the truth's patient."""
    false_scores: NDArray[np.float64]
    """`(F,)` score of each candidate that matches no truth."""
    false_patients: NDArray[np.int64]
    """`(F,)` index of the candidate's patient."""
    patients: int


class FrocCurve(NamedTuple):
    """Points of the curve by falling threshold; the first point reports nothing."""

    thresholds: NDArray[np.float64]
    """`(P,)`; infinite at the first point."""
    sensitivity: NDArray[np.float64]
    """`(P,)`; nan without a truth."""
    false_per_patient: NDArray[np.float64]
    """`(P,)`; nan without a patient."""


class OperatingRates(NamedTuple):
    """Result of a threshold on a cohort."""

    sensitivity: float
    false_per_patient: float
    precision: float
    """Share of truths found among them and the false candidates; nan if nothing is reported."""


def compute_froc(detections: Detections) -> FrocCurve:
    """Compute the curve with one point for each distinct score."""
    thresholds, true_counts, false_counts = _count_above(detections, np.ones((1, detections.patients)))
    truths, patients = len(detections.true_scores), detections.patients
    with np.errstate(invalid="ignore", divide="ignore"):
        return FrocCurve(thresholds, true_counts[0] / truths, false_counts[0] / patients)


def _count_above(
    detections: Detections, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count weighted truths and false candidates at or above each threshold: `(P,)`, `(D, P)`, `(D, P)`."""
    found = detections.true_scores > MISSED
    scores = np.concatenate([detections.true_scores[found], detections.false_scores])
    patients = np.concatenate([detections.true_patients[found], detections.false_patients]).astype(np.int64)
    is_true = np.arange(len(scores)) < found.sum()
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    # Equal scores share one threshold: only the last of them is a point of the curve.
    ends = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True)) if len(scores) else np.zeros(0, int)
    event_weights = weights[:, patients[order]]
    start = np.zeros((len(weights), 1))
    true_counts = np.cumsum(event_weights * is_true[order], axis=1)[:, ends]
    false_counts = np.cumsum(event_weights * ~is_true[order], axis=1)[:, ends]
    return (
        np.concatenate([[np.inf], sorted_scores[ends]]),
        np.concatenate([start, true_counts], axis=1),
        np.concatenate([start, false_counts], axis=1),
    )


def compute_sensitivity_at(
    detections: Detections, weights: NDArray[np.float64], rates: Sequence[float] = RATES
) -> NDArray[np.float64]:
    """Compute the sensitivity at rates of false lesions per patient, `(D, R)`; nan without a truth.

    Args:
        detections: scores of the cohort.
        weights: `(D, N)` number of times each patient occurs in each draw.
        rates: `(R,)` false lesions per patient.
    """
    values = np.full((len(weights), len(rates)), np.nan)
    for start in range(0, len(weights), 100):  # draws in parts: 10 000 lesions and 2000 draws take 300 MB
        part = weights[start : start + 100]
        _, true_counts, false_counts = _count_above(detections, part)
        truths, patients = part[:, detections.true_patients].sum(axis=1), part.sum(axis=1)
        for row in np.flatnonzero((truths > 0) & (patients > 0)).tolist():
            values[start + row] = np.interp(
                rates, false_counts[row] / patients[row], true_counts[row] / truths[row]
            )
    return values


def measure_threshold(detections: Detections, threshold: float) -> OperatingRates:
    """Measure a threshold: lesions with at least this score are reported."""
    found = int((detections.true_scores >= threshold).sum())
    false = int((detections.false_scores >= threshold).sum())
    return OperatingRates(
        found / len(detections.true_scores) if len(detections.true_scores) else float("nan"),
        false / detections.patients if detections.patients else float("nan"),
        found / (found + false) if found + false else float("nan"),
    )
