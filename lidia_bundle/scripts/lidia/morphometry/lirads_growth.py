"""Assess the threshold growth of a lesion (LI-RADS v2018)."""

from __future__ import annotations

from typing import NamedTuple

from scripts.lidia.morphometry.lirads_finding import ABSENT, NOT_ASSESSED, PRESENT, Finding


class PreviousSize(NamedTuple):
    """Size of the same lesion in an earlier scan."""

    diameter_mm: float
    """Longest diameter."""
    days: float | None
    """Days between the scans; None if a date is unknown."""


def assess_growth(
    diameter_mm: float, previous: PreviousSize | None, *, growth: float = 0.5, growth_days: float = 183
) -> Finding:
    """Assess threshold growth: a size increase of at least 50 % in at most 6 months.

    Over a longer time, less growth excludes it, and more growth cannot be assessed: the scans do not show
    how fast it was.

    Args:
        diameter_mm: longest diameter.
        previous: the lesion's size in the earlier scan, None if there is none.
        growth: smallest relative increase of the longest diameter.
        growth_days: longest time between the scans.
    """
    if previous is None:
        return Finding(NOT_ASSESSED, "no earlier scan")
    if previous.diameter_mm <= 0 or previous.days is None or previous.days <= 0:
        return Finding(NOT_ASSESSED, "the earlier scan has no size or no date")
    increase = diameter_mm / previous.diameter_mm - 1
    if increase < growth:
        return Finding(ABSENT, "", "", increase, growth)
    if previous.days > growth_days:
        reason = f"the earlier scan is {previous.days:.0f} days old"
        return Finding(NOT_ASSESSED, reason, "", increase, growth)
    return Finding(PRESENT, "", "", increase, growth)
