"""Reads the calibration that belongs to the weights in use, and applies it to the scores of a patient."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lidia.metrics.operating_points import OperatingPoint, apply_operating_point
from scripts.lidia.metrics.platt_scaling import (
    Calibration,
    Platt,
    PlattCovariance,
    apply_platt,
    platt_interval,
)
from scripts.lidia.runtime.weights import (
    WeightsError,
    fingerprint_weights,
    hash_weight_files,
    list_weight_files,
)
from scripts.lidia.vocabulary import PHASES


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
    if not file.is_file() or "none" in hash_weight_files(weights):
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        known, fitted_for = _parse_calibration(found), found["weights_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise WeightsError(f"{file} is no calibration ({problem}): fit it again, or remove it.") from problem
    if fitted_for != fingerprint_weights(weights):
        logging.getLogger(__name__).warning(
            "%s was fitted for other weights than %s and is not used: run evaluate.json with calibrate.yaml",
            file,
            ", ".join(list_weight_files(weights)),
        )
        return None
    return known


def _parse_calibration(found: Mapping[str, Any]) -> Calibration:
    """What stands in a file.

    Raises:
        ValueError: a number is missing or not finite; so do KeyError, TypeError and AttributeError tell.
    """
    lines = {name: Platt(*map(float, line)) for name, line in found["lines"].items()}
    spreads = {
        name: PlattCovariance(*map(float, spread)) for name, spread in found.get("spreads", {}).items()
    }
    points = {name: OperatingPoint(*map(float, point)) for name, point in found.get("points", {}).items()}
    subsets = {str(name): float(value) for name, value in found.get("subsets", {}).get("auc8", {}).items()}
    parts = (*lines.values(), *spreads.values(), *points.values())
    numbers = [value for part in parts for value in part]
    if not lines or not np.isfinite([*numbers, *subsets.values()]).all():
        raise ValueError("no lines, or a number that is not finite")
    return Calibration(lines, spreads, points, subsets)


def apply_calibration(
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


def describe_certainty(
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
            name: apply_operating_point(float(apply_platt(scores[name], lines[name])), points[name])
            for name in scores
            if name in points
        }
    absent = [phase for phase in PHASES if phase not in phases]
    here, everything = subsets.get("+".join(phases)), subsets.get("+".join(PHASES))
    if absent and here is not None and everything is not None:
        told["missing"] = {"phases": absent, "auc8": here, "auc8_all": everything}
    return told
