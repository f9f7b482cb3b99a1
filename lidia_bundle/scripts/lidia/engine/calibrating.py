"""The file of the calibration: fitted on validation, bound to the weights that it belongs to."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events

from scripts.lidia.atomic import write_json
from scripts.lidia.engine.scores import PatientScores, Rows
from scripts.lidia.engine.subsets import SubsetScores
from scripts.lidia.engine.weights import WeightsError, digests, fingerprint, weight_files
from scripts.lidia.metrics.calibration import (
    Calibration,
    Platt,
    Spread,
    apply_platt,
    fit_platt,
    platt_interval,
    platt_spread,
)
from scripts.lidia.metrics.triage import OperatingPoint, choose_point, decide
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

NAMES = (*LESION_TYPES, "malignant", "benign")
"""Scores that get a line."""


def fit_calibration(rows: Rows, present_mm3: float) -> Calibration:
    """A line and an operating point for every score that patients on both sides allow.

    A score that falls where the type is present knows nothing of it: its line is flat, at the prevalence,
    and it decides nothing.

    Args:
        rows: patients of the validation section.
        present_mm3: a patient has a type with more than this volume of it.
    """
    lines: dict[str, Platt] = {}
    spreads: dict[str, Spread] = {}
    points: dict[str, OperatingPoint] = {}
    for name in NAMES:
        truth, scores = rows.columns[f"mm3_{name}"] > present_mm3, rows.columns[f"livermax_{name}"]
        if truth.all() or not truth.any():
            continue
        line = fit_platt(scores, truth)
        if line.slope > 0:
            points[name] = choose_point(apply_platt(scores, line), truth)
        else:
            line = Platt(0.0, float(np.log(truth.mean() / (1 - truth.mean()))))
        lines[name], spreads[name] = line, platt_spread(scores, line)
    return Calibration(lines, spreads, points)


def read_calibration(path: str, weights: str | Sequence[str]) -> Calibration | None:
    """What belongs to these weights, or to exactly this ensemble of weights.

    Args:
        path: `calibration.json`.
        weights: file or files of the weights in use.

    Returns:
        The calibration; None where there is no file, or it belongs to other weights (with a warning).

    Raises:
        WeightsError: the file is there and is no calibration.
    """
    file = Path(path)
    if not file.is_file() or "none" in digests(weights):
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        known, fitted_for = _calibration(found), found["weights_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise WeightsError(f"{file} is no calibration ({problem}): fit it again, or remove it.") from problem
    if fitted_for != fingerprint(weights):
        logging.getLogger(__name__).warning(
            "%s was fitted for other weights than %s and is not used: run evaluate.json with calibrate.yaml",
            file,
            ", ".join(weight_files(weights)),
        )
        return None
    return known


def _calibration(found: Mapping[str, Any]) -> Calibration:
    """What stands in a file.

    Raises:
        ValueError: a number is missing or not finite; so do KeyError, TypeError and AttributeError tell.
    """
    lines = {name: Platt(*map(float, line)) for name, line in found["lines"].items()}
    spreads = {name: Spread(*map(float, spread)) for name, spread in found.get("spreads", {}).items()}
    points = {name: OperatingPoint(*map(float, point)) for name, point in found.get("points", {}).items()}
    subsets = {str(name): float(value) for name, value in found.get("subsets", {}).get("auc8", {}).items()}
    parts = (*lines.values(), *spreads.values(), *points.values())
    numbers = [value for part in parts for value in part]
    if not lines or not np.isfinite([*numbers, *subsets.values()]).all():
        raise ValueError("no lines, or a number that is not finite")
    return Calibration(lines, spreads, points, subsets)


def calibrated(
    scores: Mapping[str, float], lines: Mapping[str, Platt] | None
) -> tuple[dict[str, float], bool]:
    """Scores after their lines, and whether every one had a line; those without stay as they are.

    Args:
        scores: LiverMax by type and group.
        lines: of a calibration.
    """
    known = lines or {}
    mended = {
        name: float(apply_platt(score, known[name])) if name in known else score
        for name, score in scores.items()
    }
    return mended, all(name in known for name in scores)


def certainty(
    scores: Mapping[str, float], phases: tuple[str, ...], calibration: Calibration | None
) -> dict[str, Any]:
    """What a patient's JSON says of how far to trust his probabilities; what is not known is not there.

    Args:
        scores: LiverMax by type and group, before the lines.
        phases: that were seen.
        calibration: of the weights in use.

    Returns:
        `intervals` {name: [low, high]}, `triage` {name: word} and, where a phase is missing, `missing`
        {phases, auc8, auc8_all}.
    """
    told: dict[str, Any] = {}
    if calibration is None:
        return told
    lines, spreads, points, subsets = calibration
    known = [name for name in scores if name in spreads]
    if known:
        told["intervals"] = {
            name: list(platt_interval(scores[name], lines[name], spreads[name])) for name in known
        }
    if points:
        told["triage"] = {
            name: decide(float(apply_platt(scores[name], lines[name])), points[name])
            for name in scores
            if name in points
        }
    absent = [phase for phase in PHASES if phase not in phases]
    here, everything = subsets.get("+".join(phases)), subsets.get("+".join(PHASES))
    if absent and here is not None and everything is not None:
        told["missing"] = {"phases": absent, "auc8": here, "auc8_all": everything}
    return told


class FitCalibration:
    """Handler that fits the calibration on the patients of an evaluation; the first process writes the file.

    Args:
        scores: the object that measures the patients.
        path: `calibration.json`.
        weights: file or files of the weights in use.
        subsets: measured every subset of phases on some of the patients; None leaves that out.
    """

    def __init__(
        self,
        *,
        scores: PatientScores,
        path: str,
        weights: str | Sequence[str],
        subsets: SubsetScores | None = None,
    ) -> None:
        self.scores, self.path, self.weights, self.subsets = scores, Path(path), weights, subsets

    def attach(self, engine: Engine) -> None:
        """Fits when the evaluation is over."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Fits and writes."""
        rows = self.scores.rows()
        if idist.get_rank():
            return
        present = self.scores.protocol.present_mm3
        fitted = fit_calibration(rows, present)
        content: dict[str, Any] = {
            "method": "platt",
            "weights_sha256": fingerprint(self.weights),
            "patients": len(rows.ids),
            "lines": {name: list(line) for name, line in fitted.lines.items()},
            "spreads": {name: list(spread) for name, spread in fitted.spreads.items()},
            "points": {name: list(point) for name, point in fitted.points.items()},
            "without": [name for name in NAMES if name not in fitted.lines],
        }
        if self.subsets is not None:
            content["subsets"] = self.subsets.areas(rows, present)
        write_json(self.path, content, indent=4)
