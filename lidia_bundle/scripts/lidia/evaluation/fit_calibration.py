"""Fit the calibration on the validation patients and write `calibration.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from scripts.lidia.atomic import write_json
from scripts.lidia.evaluation.detection_table import DetectionTable
from scripts.lidia.evaluation.fit_lesions import fit_lesions
from scripts.lidia.evaluation.fit_type_scaling import fit_type_scaling
from scripts.lidia.evaluation.fit_type_sets import fit_type_sets, iterate_lesions
from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.evaluation.phase_subset_scores import SubsetScores, compute_subset_areas
from scripts.lidia.metrics.conformal import COVERAGES
from scripts.lidia.metrics.lesion_points import SENSITIVE_FALSE, SPECIFIC_FALSE
from scripts.lidia.metrics.operating_points import OperatingPoint, choose_operating_point
from scripts.lidia.metrics.platt_scaling import (
    Calibration,
    Platt,
    PlattCovariance,
    apply_platt,
    estimate_platt_covariance,
    fit_platt,
)
from scripts.lidia.runtime.weights import fingerprint_weights
from scripts.lidia.vocabulary import LESION_TYPES

NAMES = (*LESION_TYPES, "malignant", "benign")
"""Scores that are calibrated."""


def fit_calibration(rows: PatientRows, present_mm3: float) -> Calibration:
    """Fits a Platt line and an operating point for every score with both positive and negative patients.

    If the fitted slope is not positive, the score carries no information: its line is flat at the
    prevalence, and it has no operating point.

    Args:
        rows: patients of the validation section.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
    """
    lines: dict[str, Platt] = {}
    spreads: dict[str, PlattCovariance] = {}
    points: dict[str, OperatingPoint] = {}
    for name in NAMES:
        truth, scores = rows.columns[f"mm3_{name}"] > present_mm3, rows.columns[f"livermax_{name}"]
        if truth.all() or not truth.any():
            continue
        line = fit_platt(scores, truth)
        if line.slope > 0:
            points[name] = choose_operating_point(apply_platt(scores, line), truth)
        else:
            line = Platt(0.0, float(np.log(truth.mean() / (1 - truth.mean()))))
        lines[name], spreads[name] = line, estimate_platt_covariance(scores, line)
    return Calibration(lines, spreads, points)


class FitCalibration:
    """Handler that fits the calibration on the patients of an evaluation; the first process writes the file.

    The patients must be diagnosed without a calibration.

    Args:
        scores: object that measures the patients.
        path: `calibration.json`.
        weights: file or files of the weights in use.
        subsets: scores of phase subsets on some of the patients; None omits them.
        sensitive_false: largest number of false lesions per patient of the sensitive operating point.
        specific_false: largest number of false lesions per patient of the specific operating point.
        coverages: coverages of the sets of types.
    """

    def __init__(
        self,
        *,
        scores: PatientScores,
        path: str,
        weights: str | Sequence[str],
        subsets: SubsetScores | None = None,
        sensitive_false: float = SENSITIVE_FALSE,
        specific_false: float = SPECIFIC_FALSE,
        coverages: Sequence[float] = COVERAGES,
    ) -> None:
        self.coverages = tuple(coverages)
        self.scores, self.path, self.weights, self.subsets = scores, Path(path), weights, subsets
        self.limits = {"sensitive_false": sensitive_false, "specific_false": specific_false}

    def attach(self, engine: Engine) -> None:
        """Fits when the evaluation is completed."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Fits the calibration and writes the file."""
        rows = self.scores.rows()
        subset_rows = {} if self.subsets is None else self.subsets.collect_rows()
        if idist.get_rank():
            return
        present = self.scores.protocol.present_mm3
        fitted = fit_calibration(rows, present)
        candidates = DetectionTable(rows.ids, rows.detections)
        lesions = fit_lesions(candidates, self.scores.protocol.counted_mm3, **self.limits)
        without = [name for name in NAMES if name not in fitted.lines]
        content: dict[str, Any] = {
            "method": "platt",
            "weights_sha256": fingerprint_weights(self.weights),
            "patients": len(rows.ids),
            "lines": {name: list(line) for name, line in fitted.lines.items()},
            "spreads": {name: list(spread) for name, spread in fitted.spreads.items()},
            "points": {name: list(point) for name, point in fitted.points.items()},
            "without": without if lesions else [*without, "existence"],
            **lesions,
        }
        if lesions:
            matched = list(iterate_lesions(rows))
            types = [true_type for _, _, true_type in matched]
            scaling = fit_type_scaling([shares for _, shares, _ in matched], types)
            if scaling is not None:
                bias = dict(zip(LESION_TYPES, scaling.bias, strict=True))
                content["lesion_types"] = {"slope": scaling.slope, "bias": bias, "lesions": len(types)}
            content["conformal"] = fit_type_sets(rows, subset_rows, present, self.coverages, scaling)
        if self.subsets is not None:
            content["subsets"] = compute_subset_areas(rows, subset_rows, present)
        write_json(self.path, content, indent=4)
