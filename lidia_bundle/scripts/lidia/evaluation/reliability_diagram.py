"""Draw the reliability diagram and tabulate the operating points of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.lidia.atomic import write_atomically
from scripts.lidia.evaluation.patient_metrics import PatientRows
from scripts.lidia.metrics.intervals import compute_wilson_interval
from scripts.lidia.metrics.operating_points import OperatingPoint, evaluate_operating_point
from scripts.lidia.metrics.platt_scaling import Calibration, apply_platt
from scripts.lidia.vocabulary import LESION_TYPES

BINS = 6
TRIAGE_COLUMNS = (
    *("type", "patients", "with", "rule_out_below", "sensitivity", "sensitivity_low", "sensitivity_high"),
    *("rule_in_above", "specificity", "specificity_low", "specificity_high", "ruled_out", "ruled_in"),
)
_BLUE, _GREY, _INK = "#0072B2", "#9AA3AE", "#22262B"


class ReliabilityBin(NamedTuple):
    """Bin of patients with similar probability."""

    chance: float
    """Mean probability."""
    share: float
    """Share of patients with the type."""
    low: float
    high: float
    """Wilson's interval of `share`."""
    patients: int


def group_scores(
    chances: NDArray[np.float64], truth: NDArray[np.bool_], bins: int = BINS
) -> list[ReliabilityBin]:
    """Group patients into bins of equal mass; equal probabilities share a bin.

    Args:
        chances: `(N,)` probabilities.
        truth: `(N,)` whether the type is present.
        bins: maximum number of bins.
    """
    bin_index = np.searchsorted(np.quantile(chances, np.arange(1, bins) / bins), chances, side="right")
    groups = []
    for number in np.unique(bin_index):
        in_bin = bin_index == number
        hits, count = int(truth[in_bin].sum()), int(in_bin.sum())
        groups.append(
            ReliabilityBin(
                float(chances[in_bin].mean()), hits / count, *compute_wilson_interval(hits, count), count
            )
        )
    return groups


def collect_scores(
    rows: PatientRows, present_mm3: float, calibration: Calibration | None
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Collect name, probabilities and truth of every score with both positive and negative patients.

    Args:
        rows: patients of an evaluation.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        calibration: its lines are applied; None uses plain LiverMax.
    """
    lines = {} if calibration is None else calibration.lines
    for name in (*LESION_TYPES, "malignant", "benign"):
        scores, truth = rows.columns[f"livermax_{name}"], rows.columns[f"mm3_{name}"] > present_mm3
        if truth.any() and not truth.all():
            yield name, apply_platt(scores, lines[name]) if name in lines else scores, truth


def format_triage(
    rows: PatientRows, present_mm3: float, calibration: Calibration
) -> Iterator[dict[str, str]]:
    """Format the rows of `triage.csv`: the result of each operating point on these patients."""
    for name, chances, truth in collect_scores(rows, present_mm3, calibration):
        point = calibration.points.get(name)
        if point is None:
            continue
        triage = evaluate_operating_point(chances, truth, point)
        numbers = (point.rule_out, *triage.sensitivity, point.rule_in, *triage.specificity)
        values = [name, str(triage.patients), str(triage.positives), *(f"{value:.4f}" for value in numbers)]
        values += [f"{triage.ruled_out:.4f}", f"{triage.ruled_in:.4f}"]
        yield dict(zip(TRIAGE_COLUMNS, values, strict=True))


def draw_reliability(
    path: Path, rows: PatientRows, present_mm3: float, calibration: Calibration | None
) -> None:
    """Draw the reliability diagram: share of patients with the type by predicted probability.

    Args:
        path: PNG file.
        rows: patients of an evaluation.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        calibration: calibration of the weights.
    """
    canvas = Figure(figsize=(13, 5.6), layout="constrained")
    panels = canvas.subplots(2, 5, sharex=True, sharey=True)
    points = {} if calibration is None else calibration.points
    scores = {
        name: (chances, truth) for name, chances, truth in collect_scores(rows, present_mm3, calibration)
    }
    for axes, name in zip(panels.flat, (*LESION_TYPES, "malignant", "benign"), strict=True):
        axes.set_title(name, loc="left", fontsize=10, color=_INK)
        if name in scores:
            _draw_panel(axes, *scores[name], points.get(name))
        else:
            axes.text(0.5, 0.5, "all patients on one side", ha="center", color=_GREY, fontsize=8)
    kind = "calibrated probability" if calibration is not None else "LiverMax, not calibrated"
    canvas.supxlabel(f"{kind} (small marks: patients with the type above, without below)", fontsize=10)
    canvas.supylabel("share of patients with the type", fontsize=10)
    with write_atomically(path) as temporary:
        canvas.savefig(temporary, dpi=110, metadata={"Software": None})


def _draw_panel(
    axes: Axes, chances: NDArray[np.float64], truth: NDArray[np.bool_], point: OperatingPoint | None
) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    if point is not None:
        axes.axvspan(0, point.rule_out, color="#56B4E9", alpha=0.22, linewidth=0)
        axes.axvspan(point.rule_in, 1, color="#E69F00", alpha=0.22, linewidth=0)
    bins = group_scores(chances, truth)
    mean_chance, share, low, high = np.array([patients[:4] for patients in bins]).T
    axes.errorbar(
        mean_chance, share, np.clip([share - low, high - share], 0, None), fmt="o-", color=_BLUE, markersize=4
    )
    axes.plot(chances[truth], np.full(truth.sum(), 1.05), "|", color=_INK, markersize=5, alpha=0.4)
    axes.plot(chances[~truth], np.full((~truth).sum(), -0.05), "|", color=_INK, markersize=5, alpha=0.4)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.1, 1.1))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
