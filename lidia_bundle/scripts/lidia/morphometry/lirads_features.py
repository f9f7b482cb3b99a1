"""Measure the LI-RADS evidence of one lesion: attenuation by zone and phase, and the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.morphometry.lesion_zones import LesionZones, find_zones
from scripts.lidia.morphometry.lirads_capsule import assess_capsule
from scripts.lidia.morphometry.lirads_enhancement import (
    Phases,
    assess_central_enhancement,
    assess_enhancement,
    assess_hyperenhancement,
    assess_washout,
    explain_missing,
)
from scripts.lidia.morphometry.lirads_finding import combine
from scripts.lidia.morphometry.lirads_growth import assess_growth
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds
from scripts.lidia.morphometry.zone_attenuation import measure_phase
from scripts.lidia.vocabulary import PHASES

FEATURES = (
    "nonrim_aphe",
    "rim_aphe",
    "nonperipheral_washout",
    "peripheral_washout",
    "enhancing_capsule",
    "delayed_central_enhancement",
    "threshold_growth",
    "enhancement",
)
"""Features in the order of the results; the last one is no feature of LI-RADS."""
TARGETOID = ("rim_aphe", "peripheral_washout", "delayed_central_enhancement")
"""Features of a targetoid mass on CT (LR-M)."""


def measure_lirads(
    hu: Mapping[str, NDArray[np.floating]],
    lesion: ArrayLike,
    lesions: ArrayLike,
    liver: ArrayLike,
    spacing: Sequence[float],
    *,
    diameter_mm: float,
    limits: LiradsThresholds | None = None,
) -> dict[str, Any]:
    """Measure the LI-RADS evidence of one lesion in one scan; growth needs a comparison with an earlier one.

    Args:
        hu: (X, Y, Z) by phase on the grid of the masks, NaN outside the scan.
        lesion: (X, Y, Z), true inside the lesion.
        lesions: (X, Y, Z), true or positive inside any lesion.
        liver: (X, Y, Z), true inside the liver.
        spacing: mm per voxel along X, Y, Z.
        diameter_mm: longest diameter of the lesion.
        limits: thresholds.

    Returns:
        JSON-ready: `size_mm`, `attenuation` {phase: HU of whole, rim, core, liver, and noise}, `features`
        {feature: finding} and `phases` {feature: {phase: state}} of those that two phases can show.

    Raises:
        ValueError: the lesion is empty.
    """
    limits = limits or LiradsThresholds()
    zones = find_zones(lesion, lesions, liver, spacing)
    measured = {phase: measure_phase(hu[phase], zones, spacing) for phase in PHASES if phase in hu}
    phases = {phase: attenuation for phase, attenuation in measured.items() if attenuation is not None}
    missing = {phase: reason for phase in PHASES if (reason := explain_missing(phase, phases, hu))}
    aphe = assess_hyperenhancement(phases, zones, limits, missing)
    washout = assess_washout(phases, zones, limits, missing)
    capsule = assess_capsule(phases, zones, spacing, limits, missing)
    findings = {
        "nonrim_aphe": aphe.central,
        "rim_aphe": aphe.peripheral,
        "nonperipheral_washout": combine([pattern.central for pattern in washout.values()]),
        "peripheral_washout": combine([pattern.peripheral for pattern in washout.values()]),
        "enhancing_capsule": combine(list(capsule.values())),
        "delayed_central_enhancement": assess_central_enhancement(phases, zones, limits, missing),
        "threshold_growth": assess_growth(diameter_mm, None),
        "enhancement": assess_enhancement(phases, zones, limits),
    }
    return {
        "size_mm": round(float(diameter_mm), 1),
        "attenuation": _list_attenuation(phases, zones),
        "features": {name: findings[name].as_dict() for name in FEATURES},
        "phases": {
            "nonperipheral_washout": {phase: pattern.central.state for phase, pattern in washout.items()},
            "peripheral_washout": {phase: pattern.peripheral.state for phase, pattern in washout.items()},
            "enhancing_capsule": {phase: finding.state for phase, finding in capsule.items()},
        },
    }


def _list_attenuation(phases: Phases, zones: LesionZones) -> dict[str, dict[str, float]]:
    table = {}
    for phase, attenuation in phases.items():
        row = {
            "lesion_hu": attenuation.mean(zones.whole),
            "rim_hu": attenuation.mean(zones.rim),
            "core_hu": attenuation.mean(zones.core),
            "liver_hu": attenuation.liver_hu,
            "noise_hu": attenuation.noise_hu,
            "error_hu": attenuation.error(zones.whole.sum(), zones.liver.sum()),
        }
        table[phase] = {name: round(value, 1) for name, value in row.items() if np.isfinite(value)}
    return table
