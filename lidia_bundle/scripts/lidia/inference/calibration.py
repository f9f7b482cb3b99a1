"""Reads the calibration that belongs to the weights in use, and applies it to the scores of a patient."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ignite.engine import Engine, Events

from scripts.lidia.inference.lesion_calibration import LesionCalibration, parse_lesion_calibration
from scripts.lidia.metrics.operating_points import OperatingPoint, apply_operating_point
from scripts.lidia.metrics.platt_scaling import (
    Calibration,
    Platt,
    PlattCovariance,
    apply_platt,
    compute_platt_interval,
)
from scripts.lidia.runtime.weights import (
    WeightsError,
    fingerprint_weights,
    hash_weight_files,
    list_weight_files,
)
from scripts.lidia.vocabulary import PHASES


class StoredCalibration(NamedTuple):
    """Content of a calibration file."""

    patients: Calibration
    lesions: LesionCalibration | None
    """None in a file of an earlier release."""


def read_calibration(path: str, weights: str | Sequence[str]) -> StoredCalibration | None:
    """Reads the calibration of these weights, or of exactly this ensemble.

    Args:
        path: `calibration.json`.
        weights: file or files of the weights in use.

    Returns:
        The calibration; None if there is no file, or (with a warning) if it belongs to other weights.

    Raises:
        WeightsError: the file is not a calibration.
    """
    file = Path(path)
    if not file.is_file() or "none" in hash_weight_files(weights):
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        calibration = StoredCalibration(_parse_calibration(content), parse_lesion_calibration(content))
        fitted_for = content["weights_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise WeightsError(f"{file} is no calibration ({problem}): fit it again, or remove it.") from problem
    if fitted_for != fingerprint_weights(weights):
        logging.getLogger(__name__).warning(
            "%s was fitted for other weights than %s and is not used: run evaluate.json with calibrate.yaml",
            file,
            ", ".join(list_weight_files(weights)),
        )
        return None
    return calibration


class CalibrationFile:
    """Calibration of the weights in use, which is read at its first use.

    Args:
        path: `calibration.json`.
        weights: file or files of the weights in use.
    """

    def __init__(self, path: str, weights: str | Sequence[str]) -> None:
        self.path, self.weights = path, weights
        self._calibration: StoredCalibration | None = None
        self._is_read = False

    def read(self) -> None:
        """Reads the file, see `read_calibration`.

        Raises:
            WeightsError: the file is not a calibration.
        """
        self._calibration, self._is_read = read_calibration(self.path, self.weights), True

    def get(self) -> StoredCalibration | None:
        """Returns the calibration; None if there is none for these weights."""
        if not self._is_read:
            self.read()
        return self._calibration


CalibrationSource = Calibration | StoredCalibration | CalibrationFile | None


def get_calibration(source: CalibrationSource) -> Calibration | None:
    """Returns the calibration of the patient scores."""
    stored = source.get() if isinstance(source, CalibrationFile) else source
    return stored.patients if isinstance(stored, StoredCalibration) else stored


def get_lesion_calibration(source: CalibrationSource) -> LesionCalibration | None:
    """Returns the calibration of lesions; None if the source has none."""
    stored = source.get() if isinstance(source, CalibrationFile) else source
    return stored.lesions if isinstance(stored, StoredCalibration) else None


def get_lesion_points(source: CalibrationSource, uncalibrated: Mapping[str, float]) -> dict[str, float]:
    """Returns the threshold of each operating point of lesions.

    Args:
        source: the calibration.
        uncalibrated: thresholds without a calibration.
    """
    lesions = get_lesion_calibration(source)
    if lesions is None:
        return dict(uncalibrated)
    return {name: point.threshold for name, point in lesions.points.items()}


class LoadCalibration:
    """Handler that reads the calibration when the run starts; a fault in it ends the run before any work.

    Args:
        calibration: the file; with None nothing is read.
    """

    def __init__(self, *, calibration: CalibrationFile | None) -> None:
        self.calibration = calibration

    def attach(self, engine: Engine) -> None:
        """Reads when the run starts; attach it after the handler that loads the weights."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Reads the calibration."""
        if isinstance(self.calibration, CalibrationFile):
            self.calibration.read()


def _parse_calibration(content: Mapping[str, Any]) -> Calibration:
    """Parses the content of a calibration file.

    Raises:
        ValueError: a number is missing or not finite (also KeyError, TypeError, AttributeError).
    """
    lines = {name: Platt(*map(float, line)) for name, line in content["lines"].items()}
    spreads = {
        name: PlattCovariance(*map(float, spread)) for name, spread in content.get("spreads", {}).items()
    }
    points = {name: OperatingPoint(*map(float, point)) for name, point in content.get("points", {}).items()}
    measured = content.get("subsets", {})
    subsets = {str(name): float(value) for name, value in measured.get("auc8", {}).items()}
    parts = (*lines.values(), *spreads.values(), *points.values())
    numbers = [value for part in parts for value in part]
    if not lines or not np.isfinite([*numbers, *subsets.values()]).all():
        raise ValueError("no lines, or a number that is not finite")
    return Calibration(lines, spreads, points, subsets, int(measured.get("patients", 0)))


def apply_calibration(
    scores: Mapping[str, float], lines: Mapping[str, Platt] | None
) -> tuple[dict[str, float], bool]:
    """Applies the lines to scores; a score without a line is not changed.

    Args:
        scores: LiverMax by type and group.
        lines: Platt lines of a calibration.

    Returns:
        Scores, and whether every score had a line.
    """
    known_lines = lines or {}
    calibrated = {
        name: float(apply_platt(score, known_lines[name])) if name in known_lines else score
        for name, score in scores.items()
    }
    return calibrated, all(name in known_lines for name in scores)


def describe_certainty(
    scores: Mapping[str, float], phases: tuple[str, ...], calibration: Calibration | None
) -> dict[str, Any]:
    """Describes the reliability of a patient's probabilities for the JSON; unknown entries are omitted.

    Args:
        scores: LiverMax by type and group, before the lines.
        phases: phases in use.
        calibration: calibration of the weights in use.

    Returns:
        `intervals` {name: [low, high]}, `triage` {name: word} and, if a phase is missing, `missing`
        {phases, auc8, auc8_all, patients}.
    """
    description: dict[str, Any] = {}
    if calibration is None:
        return description
    lines, spreads, points, subsets, patients = calibration
    names = [name for name in scores if name in spreads]
    if names:
        description["intervals"] = {
            name: list(compute_platt_interval(scores[name], lines[name], spreads[name])) for name in names
        }
    if points:
        description["triage"] = {
            name: apply_operating_point(float(apply_platt(scores[name], lines[name])), points[name])
            for name in scores
            if name in points
        }
    absent = [phase for phase in PHASES if phase not in phases]
    auc8, auc8_all = subsets.get("+".join(phases)), subsets.get("+".join(PHASES))
    if absent and auc8 is not None and auc8_all is not None:
        description["missing"] = {
            "phases": absent,
            "auc8": auc8,
            "auc8_all": auc8_all,
            "patients": patients,
        }
    return description
