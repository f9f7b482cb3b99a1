"""Assess the enhancing capsule of a lesion (LI-RADS v2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.lesion_zones import LesionZones
from scripts.lidia.morphometry.lirads_enhancement import Phases
from scripts.lidia.morphometry.lirads_finding import ABSENT, NOT_ASSESSED, PRESENT, Finding, decide
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds
from scripts.lidia.morphometry.zone_attenuation import PhaseAttenuation

LATE = ("venous", "delayed")
LEAST_DIRECTIONS = 13
"""Number of the 26 directions in which the surface must face liver."""


def assess_capsule(
    phases: Phases,
    zones: LesionZones,
    spacing: Sequence[float],
    limits: LiradsThresholds,
    missing: Mapping[str, str],
) -> dict[str, Finding]:
    """Assess the enhancing capsule in the venous and the delayed phase.

    It is a smooth, uniform border around most or all of a lesion that is visible as an enhancing rim in the
    venous or delayed phase. The layer at the surface must be brighter than the lesion inside and the liver
    outside by `capsule_hu`, and brighter than both in `capsule_share` of the directions.

    Args:
        phases: attenuation by phase.
        zones: zones of the lesion.
        spacing: mm per voxel along X, Y, Z.
        limits: thresholds.
        missing: reason by phase without attenuation.

    Returns:
        Finding by phase.
    """
    findings = {}
    for phase in LATE:
        if phase not in phases:
            findings[phase] = Finding(NOT_ASSESSED, missing[phase])
        elif zones.radius_mm < limits.capsule_radius_mm or not zones.inside.any():
            findings[phase] = Finding(NOT_ASSESSED, "the lesion is too small to show a capsule")
        elif not zones.outside.any():
            findings[phase] = Finding(NOT_ASSESSED, "no liver around the lesion")
        else:
            findings[phase] = _assess_phase(phase, phases[phase], zones, spacing, limits)
    return findings


def _assess_phase(
    phase: str,
    attenuation: PhaseAttenuation,
    zones: LesionZones,
    spacing: Sequence[float],
    limits: LiradsThresholds,
) -> Finding:
    hu = attenuation.hu
    side = max(attenuation.mean(zones.inside), float(np.median(hu[zones.outside])))
    value = attenuation.mean(zones.capsule) - side
    error = attenuation.error(zones.capsule.sum(), min(zones.inside.sum(), zones.outside.sum()))
    finding = decide(value, limits.capsule_hu, error, limits.noise_factor, phase)
    if finding.state != PRESENT:
        return finding
    sectors = _find_sectors(zones.whole, zones.capsule, spacing)
    values = [float(hu[zones.capsule][sectors == sector].mean()) for sector in np.unique(sectors)]
    if len(values) < LEAST_DIRECTIONS:
        return finding._replace(state=NOT_ASSESSED, reason="most of the lesion's surface faces no liver")
    share = float(np.mean([value > side for value in values]))
    if share < limits.capsule_share:
        return finding._replace(state=ABSENT, reason=f"visible in {share:.0%} of the directions")
    return finding


def _find_sectors(
    lesion: NDArray[np.bool_], layer: NDArray[np.bool_], spacing: Sequence[float]
) -> NDArray[np.intp]:
    """Assign each voxel of a layer to one of 26 directions from the lesion's centre."""
    steps = np.asarray(spacing)
    centre = np.argwhere(lesion).mean(axis=0)
    ways = (np.argwhere(layer) - centre) * steps
    grid = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    directions = grid[(grid != 0).any(axis=1)].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    nearest: NDArray[np.intp] = (ways @ directions.T).argmax(axis=1)
    return nearest
