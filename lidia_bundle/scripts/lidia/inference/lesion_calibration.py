"""The part of a calibration that concerns lesions: existence, operating points, types and sets of types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from scripts.lidia.inference.type_sets import TypeSets, parse_type_sets
from scripts.lidia.postprocess.lesion_existence import ExistenceModel
from scripts.lidia.postprocess.type_scaling import TypeScaling
from scripts.lidia.vocabulary import LESION_TYPES

LESION_POINTS: Mapping[str, float] = MappingProxyType({"sensitive": 0.4, "balanced": 0.7, "specific": 0.9})
"""Uncalibrated probability of existence from which a lesion is reported, by operating point."""
POINT_NAMES = tuple(LESION_POINTS)


class LesionPoint(NamedTuple):
    """An operating point, with its rates on the calibration patients."""

    threshold: float
    """Lesions with at least this probability of existence are reported."""
    sensitivity: float
    false_per_patient: float
    precision: float


class LesionCalibration(NamedTuple):
    """Calibration of lesions, fitted on validation patients."""

    existence: ExistenceModel
    points: Mapping[str, LesionPoint]
    """By the names of POINT_NAMES."""
    sets: TypeSets | None = None
    """Thresholds of the sets of types."""
    types: TypeScaling | None = None
    """Scaling of the type probabilities."""


def parse_lesion_calibration(content: Mapping[str, Any]) -> LesionCalibration | None:
    """Parses the part of a calibration file that concerns lesions; None if the file has none.

    Args:
        content: content of `calibration.json`.

    Raises:
        ValueError: a number is missing or not finite (also KeyError, TypeError, AttributeError).
    """
    if "existence" not in content:
        return None
    existence = ExistenceModel(**{key: float(value) for key, value in content["existence"].items()})
    points = {
        name: LesionPoint(**{key: float(value) for key, value in content["lesion_points"][name].items()})
        for name in POINT_NAMES
    }
    if not np.isfinite([*existence, *(value for point in points.values() for value in point)]).all():
        raise ValueError("a coefficient of `existence` or a rate of `lesion_points` is not finite")
    sets = parse_type_sets(content["conformal"]) if "conformal" in content else None
    return LesionCalibration(existence, points, sets, _parse_type_scaling(content.get("lesion_types")))


def _parse_type_scaling(content: Mapping[str, Any] | None) -> TypeScaling | None:
    """Parses `lesion_types`; None if the file has none.

    Raises:
        ValueError: a number is not finite, or the slope is not positive (also KeyError, TypeError).
    """
    if content is None:
        return None
    bias = tuple(float(content["bias"][name]) for name in LESION_TYPES)
    slope = float(content["slope"])
    if not np.isfinite([slope, *bias]).all() or slope <= 0:
        raise ValueError("`lesion_types` needs finite numbers and a positive slope")
    return TypeScaling(slope, bias)


def select_operating_point(
    name: str | None, uncalibrated: Mapping[str, float], calibration: LesionCalibration | None
) -> dict[str, Any]:
    """Selects the operating point of a run.

    Args:
        name: name of POINT_NAMES; None reports every candidate.
        uncalibrated: thresholds on the uncalibrated value, without a calibration.
        calibration: calibration of the weights in use.

    Returns:
        JSON-ready `name`, `threshold`, `calibrated` and, with a calibration, `rates`.

    Raises:
        ValueError: `name` is not an operating point.
    """
    if name is None:
        return {"name": None, "threshold": 0.0, "calibrated": calibration is not None}
    if name not in POINT_NAMES:
        raise ValueError(f"operating_point is {name!r}: choose one of {', '.join(POINT_NAMES)}")
    if calibration is None:
        return {"name": name, "threshold": float(uncalibrated[name]), "calibrated": False}
    threshold, *rates = calibration.points[name]
    names = LesionPoint._fields[1:]
    return {
        "name": name,
        "threshold": threshold,
        "calibrated": True,
        "rates": dict(zip(names, rates, strict=True)),
    }
