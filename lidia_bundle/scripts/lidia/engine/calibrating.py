"""The file of calibration lines: fitted on validation, bound to the weights they belong to."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from scripts.lidia.engine.atomic import replacing
from scripts.lidia.engine.scores import PatientScores, Rows
from scripts.lidia.engine.weights import digest
from scripts.lidia.metrics.calibration import Platt, apply_platt, fit_platt
from scripts.lidia.vocabulary import LESION_TYPES

NAMES = (*LESION_TYPES, "malignant", "benign")
"""Scores that get a line."""


def fit_lines(rows: Rows, present_mm3: float) -> dict[str, Platt]:
    """A line for every score that patients on both sides allow.

    A score that falls where the type is present knows nothing of it; its line is flat, at the prevalence.

    Args:
        rows: patients of the validation section.
        present_mm3: a patient has a type with more than this volume of it.
    """
    lines = {}
    for name in NAMES:
        truth = rows.columns[f"mm3_{name}"] > present_mm3
        if truth.all() or not truth.any():
            continue
        line = fit_platt(rows.columns[f"livermax_{name}"], truth)
        lines[name] = line if line.slope > 0 else Platt(0.0, float(np.log(truth.mean() / (1 - truth.mean()))))
    return lines


def read_calibration(path: str, weights: str) -> dict[str, Platt] | None:
    """The lines that belong to these weights.

    Args:
        path: `calibration.json`.
        weights: file of the weights in use.

    Returns:
        A line a score; None where there is no file, or it belongs to other weights (with a warning).
    """
    file = Path(path)
    if not file.is_file() or not Path(weights).is_file():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    if found["weights_sha256"] != digest(weights):
        logging.getLogger(__name__).warning(
            "%s was fitted for other weights than %s and is not used: run evaluate.json with calibrate.yaml",
            file,
            weights,
        )
        return None
    return {name: Platt(*line) for name, line in found["lines"].items()}


def calibrated(
    scores: Mapping[str, float], lines: Mapping[str, Platt] | None
) -> tuple[dict[str, float], bool]:
    """Scores after their lines, and whether every one had a line; those without stay as they are.

    Args:
        scores: LiverMax by type and group.
        lines: of `read_calibration`.
    """
    known = lines or {}
    mended = {
        name: float(apply_platt(score, known[name])) if name in known else score
        for name, score in scores.items()
    }
    return mended, all(name in known for name in scores)


class FitCalibration:
    """Handler that fits the lines on the patients of an evaluation; the first process writes the file.

    Args:
        scores: the object that measures the patients.
        path: `calibration.json`.
        weights: file of the weights in use.
    """

    def __init__(self, *, scores: PatientScores, path: str, weights: str) -> None:
        self.scores, self.path, self.weights = scores, Path(path), weights

    def attach(self, engine: Engine) -> None:
        """Fits when the evaluation is over."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Fits and writes."""
        rows = self.scores.rows()
        if idist.get_rank():
            return
        lines = fit_lines(rows, self.scores.protocol.present_mm3)
        content = {
            "method": "platt",
            "weights_sha256": digest(self.weights),
            "patients": len(rows.ids),
            "lines": {name: list(line) for name, line in lines.items()},
            "without": [name for name in NAMES if name not in lines],
        }
        with replacing(self.path) as beside:
            beside.write_text(json.dumps(content, indent=4, allow_nan=False) + "\n", encoding="utf-8")
