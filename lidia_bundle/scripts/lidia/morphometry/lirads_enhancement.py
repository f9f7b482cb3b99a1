"""Assess arterial hyperenhancement, washout and delayed central enhancement of a lesion (LI-RADS v2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.morphometry.lesion_zones import LesionZones
from scripts.lidia.morphometry.lirads_finding import ABSENT, NOT_ASSESSED, PRESENT, Finding, decide
from scripts.lidia.morphometry.lirads_thresholds import LiradsThresholds
from scripts.lidia.morphometry.zone_attenuation import PhaseAttenuation

Phases = Mapping[str, PhaseAttenuation]
CONTRAST = ("arterial", "venous", "delayed")
TOO_SMALL = "the lesion is too small to tell its rim and its centre apart"
_NO_ENHANCEMENT = "no part enhances at least like the liver in an earlier phase"


class Pattern(NamedTuple):
    """A feature in its two patterns."""

    central: Finding
    """Nonrim hyperenhancement, nonperipheral washout."""
    peripheral: Finding
    """Rim hyperenhancement, peripheral washout."""


def explain_missing(phase: str, phases: Phases, used: Mapping[str, object]) -> str:
    """Explain why a phase has no measurement; empty if it has one."""
    if phase in phases:
        return ""
    return f"the {phase} phase does not show this place" if phase in used else f"no {phase} phase"


def assess_hyperenhancement(
    phases: Phases, zones: LesionZones, limits: LiradsThresholds, missing: Mapping[str, str]
) -> Pattern:
    """Assess arterial-phase hyperenhancement (APHE), nonrim and rim.

    Nonrim APHE is enhancement in the arterial phase, in whole or in part, unequivocally greater than that of
    the liver. Rim APHE is the subtype that is most pronounced in the periphery. A part is hyperenhancing if
    the brightest `part_share` of the lesion is `hyperenhancement_hu` above the liver. It is a rim if the
    brightest of the outer layers is `rim_contrast_hu` above the liver, brighter than it around most of the
    lesion, and `rim_hu` above the zone below, which is not hyperenhancing.

    Args:
        phases: attenuation by phase.
        zones: zones of the lesion.
        limits: thresholds.
        missing: reason by phase without attenuation.
    """
    if "arterial" not in phases:
        unknown = Finding(NOT_ASSESSED, missing["arterial"])
        return Pattern(unknown, unknown)
    arterial, limit = phases["arterial"], limits.hyperenhancement_hu
    excess = arterial.smooth[zones.whole] - arterial.liver_hu
    part = float(np.quantile(excess, 1 - limits.part_share))
    error = arterial.error(limits.part_share * excess.size, zones.liver.sum())
    finding = decide(part, limit, error, limits.noise_factor, "arterial")
    if zones.radius_mm < limits.rim_radius_mm:
        if finding.state == PRESENT:
            finding = finding._replace(state=NOT_ASSESSED, reason=TOO_SMALL)
        return Pattern(finding, finding)
    below = zones.middle if zones.middle.any() else zones.inner
    layer = max((zone for zone in zones.layers if zone.any()), key=arterial.mean)
    gap = arterial.mean(layer) - arterial.mean(below)
    gap_error = arterial.error(layer.sum(), below.sum())
    rim = decide(gap, limits.rim_hu, gap_error, limits.noise_factor, "arterial")
    bright = float((arterial.smooth[layer] >= arterial.liver_hu).mean())
    is_bright = arterial.contrast(layer) >= limits.rim_contrast_hu and bright >= limits.rim_share
    if not is_bright or arterial.contrast(below) >= limit:
        return Pattern(finding, rim._replace(state=ABSENT, reason=""))
    if rim.state == PRESENT:
        return Pattern(finding._replace(state=ABSENT, reason="the enhancement is that of a rim"), rim)
    return Pattern(finding if rim.state == ABSENT else rim, rim)


def assess_washout(
    phases: Phases, zones: LesionZones, limits: LiradsThresholds, missing: Mapping[str, str]
) -> dict[str, Pattern]:
    """Assess washout in the venous and the delayed phase, nonperipheral and peripheral.

    Washout is a reduction of enhancement, in whole or in part, relative to the liver from an earlier to a
    later phase that ends in hypoenhancement. It is measured in the part of the lesion that enhances at least
    like the liver in an earlier contrast phase: a cyst or a necrotic centre that is dark in every phase has
    none. Peripheral washout is the subtype that is most pronounced in the periphery.

    Args:
        phases: attenuation by phase.
        zones: zones of the lesion.
        limits: thresholds.
        missing: reason by phase without attenuation.

    Returns:
        Pattern by later phase.
    """
    return {phase: _assess_late_phase(phase, phases, zones, limits, missing) for phase in CONTRAST[1:]}


def _assess_late_phase(
    late: str, phases: Phases, zones: LesionZones, limits: LiradsThresholds, missing: Mapping[str, str]
) -> Pattern:
    earlier = [phase for phase in CONTRAST[: CONTRAST.index(late)] if phase in phases]
    if late not in phases or not earlier:
        reason = missing.get(late) or f"no contrast phase before the {late} phase"
        return Pattern(Finding(NOT_ASSESSED, reason), Finding(NOT_ASSESSED, reason))
    early, enhanced = _find_enhanced_part(earlier, phases, zones, limits)
    attenuation = phases[late]
    limit = max(limits.washout_hu, attenuation.liver_hu * (1 - 1 / limits.washout_ratio))

    def measure(zone: NDArray[np.bool_]) -> Finding:
        part = zone & enhanced
        if part.sum() < limits.washout_share * max(zone.sum(), 1):
            return Finding(ABSENT, _NO_ENHANCEMENT, late)
        hypo = -attenuation.contrast(part)
        error = attenuation.error(part.sum(), zones.liver.sum())
        finding = decide(hypo, limit, error, limits.noise_factor, late)
        drop = float(early[part].mean()) + hypo
        return finding._replace(state=ABSENT) if drop < limits.drop_hu else finding

    whole = measure(zones.whole)
    if zones.radius_mm < limits.rim_radius_mm:
        unknown = whole._replace(state=NOT_ASSESSED, reason=TOO_SMALL) if whole.state == PRESENT else whole
        return Pattern(unknown, unknown)
    # A capsule is part of the rim and may be as bright as the rest is dark, so the zones are measured apart
    inner, rim = measure(zones.inner), measure(zones.rim)
    if inner.state == NOT_ASSESSED and whole.state == PRESENT:
        inner = whole  # the inside alone is too small for the noise
    if inner.state != PRESENT:
        return Pattern(inner, rim if inner.state == ABSENT else inner)
    dark, bright = zones.rim & enhanced, zones.inner & enhanced
    gap_error = attenuation.error(dark.sum(), bright.sum())
    gap = decide(
        attenuation.mean(bright) - attenuation.mean(dark), limits.rim_hu, gap_error, limits.noise_factor, late
    )
    if rim.state == PRESENT and gap.state == PRESENT:
        return Pattern(inner._replace(state=ABSENT, reason="the washout is that of the periphery"), rim)
    return Pattern(inner, rim._replace(state=ABSENT, reason="the centre washes out as well"))


def _find_enhanced_part(
    earlier: list[str], phases: Phases, zones: LesionZones, limits: LiradsThresholds
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the part that enhances at least like liver in an earlier phase, and its contrast there."""
    contrasts = np.stack([phases[phase].smooth - np.float32(phases[phase].liver_hu) for phase in earlier])
    enhanced = zones.whole & (contrasts.max(axis=0) >= -limits.isodense_hu)
    if "nc" in phases:
        brightest = np.max([phases[phase].smooth for phase in earlier], axis=0)
        enhanced &= brightest - phases["nc"].smooth >= limits.enhancement_hu / 2
    return contrasts.max(axis=0), enhanced


def assess_central_enhancement(
    phases: Phases, zones: LesionZones, limits: LiradsThresholds, missing: Mapping[str, str]
) -> Finding:
    """Assess delayed central enhancement: a central area that enhances progressively.

    The core must rise by `central_hu` from the arterial to the delayed phase, must not fall from the venous
    to the delayed phase, and must gain on the rim.

    Args:
        phases: attenuation by phase.
        zones: zones of the lesion.
        limits: thresholds.
        missing: reason by phase without attenuation.
    """
    for phase in ("arterial", "delayed"):
        if phase not in phases:
            return Finding(NOT_ASSESSED, missing[phase])
    if zones.radius_mm < limits.rim_radius_mm:
        return Finding(NOT_ASSESSED, TOO_SMALL)
    arterial, delayed = phases["arterial"], phases["delayed"]
    rise = delayed.mean(zones.core) - arterial.mean(zones.core)
    error = float(np.hypot(arterial.error(zones.core.sum()), delayed.error(zones.core.sum())))
    finding = decide(rise, limits.central_hu, error, limits.noise_factor, "delayed")
    if finding.state != PRESENT:
        return finding
    gain = rise - (delayed.mean(zones.rim) - arterial.mean(zones.rim))
    falls = "venous" in phases and phases["venous"].mean(zones.core) > delayed.mean(zones.core) + error
    is_central = gain >= limits.rim_hu and not falls
    return finding if is_central else finding._replace(state=ABSENT, reason="the whole lesion rises alike")


def assess_enhancement(phases: Phases, zones: LesionZones, limits: LiradsThresholds) -> Finding:
    """Assess whether any part of the lesion enhances, against `nc` or between the contrast phases.

    Args:
        phases: attenuation by phase.
        zones: zones of the lesion.
        limits: thresholds.
    """
    used = [phase for phase in CONTRAST if phase in phases]
    if len(phases) < 2 or not used:
        return Finding(NOT_ASSESSED, "one phase alone shows no enhancement")
    base = "nc" if "nc" in phases else used[0]
    rises = {}
    for phase in used:
        rise = (phases[phase].smooth - phases[base].smooth)[zones.whole]
        rises[phase] = float(np.quantile(rise if base == "nc" else np.abs(rise), 1 - limits.part_share))
    best = max(rises, key=lambda phase: rises[phase])
    voxels = limits.part_share * zones.whole.sum()
    error = float(np.hypot(phases[base].error(voxels), phases[best].error(voxels)))
    finding = decide(rises[best], limits.enhancement_hu, error, limits.noise_factor, best)
    if finding.state == ABSENT and base != "nc":
        return finding._replace(state=NOT_ASSESSED, reason="no nc phase to compare with")
    return finding
