"""Name and measure the change of a lesion between two dates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.lidia.morphometry.lirads_finding import NOT_ASSESSED, PRESENT, Finding
from scripts.lidia.morphometry.lirads_growth import PreviousSize, assess_growth


class Size(NamedTuple):
    """Size of a lesion at one date.

    Attributes:
        longest_mm: longest axial diameter.
        short_mm: short axis in the same plane.
        volume_mm3: volume.
    """

    longest_mm: float
    short_mm: float
    volume_mm3: float


class ChangeLimits(NamedTuple):
    """Limits from which a lesion has grown or shrunk.

    Attributes:
        grown_percent: relative increase of the longest diameter.
        grown_mm: absolute increase; both must be reached.
        shrunk_percent: relative decrease of the longest diameter.
    """

    grown_percent: float
    grown_mm: float
    shrunk_percent: float


class GrowthLimits(NamedTuple):
    """Threshold growth of LI-RADS CT/MRI v2018: a size increase of at least 50 % in at most 6 months.

    Attributes:
        growth_percent: smallest relative increase of the longest diameter.
        growth_days: longest time between the dates.
    """

    growth_percent: float
    growth_days: float


def name_change(before: Size, after: Size, limits: ChangeLimits) -> str:
    """Name the change of a lesion that both dates show: `grown`, `shrunk` or `stable`."""
    gain = after.longest_mm - before.longest_mm
    percent = compute_percent(before.longest_mm, after.longest_mm)
    if gain >= limits.grown_mm and percent >= limits.grown_percent:
        return "grown"
    return "shrunk" if percent <= -limits.shrunk_percent else "stable"


def compute_percent(before: float, after: float) -> float:
    """Compute the relative change in percent; `before` must be positive."""
    return 100 * (after / before - 1)


def compute_doubling_days(before_mm3: float, after_mm3: float, days: float | None) -> float | None:
    """Compute the volume doubling time in days (Schwartz 1961: t ln 2 / ln(V2 / V1)).

    Returns:
        None if the volume did not grow or the time is unknown.
    """
    if not days or days < 0 or before_mm3 <= 0 or after_mm3 <= before_mm3:
        return None
    return days * math.log(2) / math.log(after_mm3 / before_mm3)


def assess_threshold_growth(before: Size, after: Size, days: float | None, limits: GrowthLimits) -> Finding:
    """Assess threshold growth between two dates, see `assess_growth`."""
    previous = PreviousSize(before.longest_mm, days)
    share = limits.growth_percent / 100
    return assess_growth(after.longest_mm, previous, growth=share, growth_days=limits.growth_days)


def to_flag(growth: Finding) -> bool | None:
    """Convert a finding to a flag; None if it cannot be assessed."""
    return None if growth.state == NOT_ASSESSED else growth.state == PRESENT


def describe_change(
    before: Size,
    after: Size,
    days: float | None,
    change: ChangeLimits,
    growth: GrowthLimits,
    repeatability: Mapping[str, float],
) -> dict[str, Any]:
    """Describe the change of a lesion that both dates show, for JSON.

    Args:
        before: size at the earlier date.
        after: size at the later date.
        days: days between them; None if a date is unknown.
        change: limits of grown and shrunk.
        growth: limits of threshold growth.
        repeatability: `longest_mm` and `volume_percent`, the limits of agreement of two scans of an unchanged
            patient; a smaller change may be measurement error.
    """
    percent = compute_percent(before.volume_mm3, after.volume_mm3)
    difference = after.longest_mm - before.longest_mm
    real = abs(difference) > repeatability["longest_mm"] or _exceeds(percent, repeatability["volume_percent"])
    doubling = compute_doubling_days(before.volume_mm3, after.volume_mm3, days)
    return {
        "change": name_change(before, after, change),
        "longest_mm": round(difference, 2),
        "longest_percent": round(compute_percent(before.longest_mm, after.longest_mm), 1),
        "short_mm": round(after.short_mm - before.short_mm, 2),
        "volume_mm3": round(after.volume_mm3 - before.volume_mm3, 1),
        "volume_percent": round(percent, 1),
        "doubling_days": None if doubling is None else round(doubling, 1),
        "threshold_growth": to_flag(assess_threshold_growth(before, after, days, growth)),
        "exceeds_repeatability": bool(real),
    }


def _exceeds(percent: float, limit: float) -> bool:
    """Check a relative change against a limit for increase; a decrease is compared by its inverse ratio."""
    ratio = 1 + percent / 100
    return max(ratio, 1 / ratio) > 1 + limit / 100
