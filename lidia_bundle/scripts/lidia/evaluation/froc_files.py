"""Measure the FROC curve and the probabilities of existence of an evaluation; draw the curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.lidia.atomic import write_atomically
from scripts.lidia.evaluation.detection_table import DetectionTable
from scripts.lidia.metrics.froc import RATES, Detections, FrocCurve, compute_sensitivity_at
from scripts.lidia.metrics.intervals import compute_interval
from scripts.lidia.metrics.platt_scaling import compute_brier_score_and_skill, compute_calibration_error

FROC_COLUMNS = ("threshold", "sensitivity", "false_per_patient")
_BLUE, _ORANGE, _GREY, _INK = "#0072B2", "#D55E00", "#9AA3AE", "#22262B"


def measure_froc(
    detections: Detections, curve: FrocCurve, weights: NDArray[np.float64]
) -> dict[str, dict[str, Any]]:
    """Measure the FROC score and the sensitivity at each rate as `{metric: {value, low, high, n}}`.

    Args:
        detections: scores of the cohort.
        curve: their curve.
        weights: `(D + 1, N)` draws, first the cohort itself.
    """
    sensitivity, truths = compute_sensitivity_at(detections, weights), len(detections.true_scores)
    metrics = {"froc": compute_interval(sensitivity.mean(axis=1), truths)}
    for index, rate in enumerate(RATES):
        metrics[f"sensitivity_at_{rate:g}_false"] = compute_interval(sensitivity[:, index], truths)
    reached = curve.false_per_patient[-1]
    if np.isfinite(reached):
        metrics["froc"]["note"] = f"the curve ends at {reached:.2f} false lesions per patient"
    return metrics


def measure_existence(candidates: DetectionTable, weights: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
    """Measure the calibration error, the Brier score and its skill of the probabilities of existence.

    Args:
        candidates: pairs of the cohort; a candidate exists if it matches a truth of any size.
        weights: `(D + 1, N)` draws, first the cohort itself.
    """
    index, exists = candidates.find_candidates()
    names = ("existence_ece", "existence_brier", "existence_brier_skill")
    if not len(index):
        return {name: compute_interval(np.full(1, np.nan), 0) for name in names}
    probabilities, weights = candidates["existence"][index], weights[:, candidates.patient[index]]
    weights = np.concatenate([weights[:1], weights[1:][weights[1:].sum(axis=1) > 0]])
    values = (
        compute_calibration_error(probabilities, exists, weights),
        *compute_brier_score_and_skill(probabilities, exists, weights),
    )
    return {name: compute_interval(value, len(index)) for name, value in zip(names, values, strict=True)}


def format_froc(curve: FrocCurve) -> Iterator[dict[str, str]]:
    """Format the points of the curve as rows of `froc.csv`."""
    for point in zip(*curve, strict=True):
        yield {
            name: "" if not np.isfinite(value) else f"{value:.6g}"
            for name, value in zip(FROC_COLUMNS, point, strict=True)
        }


def draw_froc(path: Path, curve: FrocCurve, points: Mapping[str, float]) -> None:
    """Draw the curve, with a mark at each operating point.

    Args:
        path: PNG file.
        curve: the curve.
        points: threshold of each operating point.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.false_per_patient, curve.sensitivity, color=_BLUE, drawstyle="steps-post")
    for name, threshold in points.items():
        index = int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1
        x, y = curve.false_per_patient[index], curve.sensitivity[index]
        axes.plot(x, y, "o", color=_ORANGE, markersize=6)
        axes.annotate(name, (x, y), xytext=(8, -12), textcoords="offset points", color=_INK)
    axes.set(
        xlabel="false lesions per patient",
        ylabel="sensitivity",
        title="FROC: lesions by their probability of existence",
        ylim=(0, 1.02),
    )
    axes.set_xlim(left=0)
    axes.grid(color=_GREY, alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
