"""How a lesion enhances over the phases, against the liver and the aorta: a chart and its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.lidia.report.tables import table
from scripts.lidia.vocabulary import PHASES

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340.0, 190.0, 40.0, 12.0, 10.0, 26.0
LEAST_RANGE = 60.0
"""HU that the chart's height spans at least, so that noise does not look like enhancement."""


class Curve(NamedTuple):
    """One line of the chart.

    Attributes:
        name: what it is.
        style: class of the line in the style sheet, `lesion`, `liver` or `aorta`.
        hu: phase -> HU; phases that are not known are left out or NaN.
    """

    name: str
    style: str
    hu: Mapping[str, float]


def chart(curves: Sequence[Curve], what: str) -> str:
    """The curves over the phases.

    The range is that of lesion and liver; an aorta that is brighter leaves the chart at its top.

    Args:
        curves: lesion first.
        what: what is shown, in words.

    Returns:
        An HTML block; a sentence where nothing is known.
    """
    known = [
        curve.hu[phase]
        for curve in curves
        if curve.style != "aorta"
        for phase in PHASES
        if _known(curve, phase)
    ]
    if not known:
        return '<p class="soft">No HU: the lesion lies beyond what was scanned.</p>'
    middle, half = (min(known) + max(known)) / 2, max(max(known) - min(known), LEAST_RANGE) * 0.6
    low, high = middle - half, middle + half
    across = {
        phase: _LEFT + 24 + (_WIDTH - _LEFT - _RIGHT - 48) * at / (len(PHASES) - 1)
        for at, phase in enumerate(PHASES)
    }

    def up(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for value in _ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{up(value):.1f}" y2="{up(value):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 5}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for phase in PHASES:
        style = "" if any(_known(curve, phase) for curve in curves) else ' class="none"'
        parts.append(
            f'<text{style} x="{across[phase]:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{phase}</text>'
        )
    for curve in reversed(curves):
        spots = [(across[phase], up(curve.hu[phase])) for phase in PHASES if _known(curve, phase)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="c-{curve.style}" points="{line}"/>')
        parts += [f'<circle class="c-{curve.style}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in spots]
    keys = "".join(
        f'<li><svg class="key" viewBox="0 0 30 10" aria-hidden="true"><polyline class="c-{curve.style}" '
        f'points="1,5 29,5"/><circle class="c-{curve.style}" cx="15" cy="5" r="3.5"/></svg>{curve.name}</li>'
        for curve in curves
    )
    return (
        f'<svg class="curves" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{what}, HU by phase; the numbers stand in the table below">{"".join(parts)}</svg>'
        f'<ul class="legend">{keys}</ul>'
    )


def numbers(curves: Sequence[Curve]) -> str:
    """The curves as a table, with the difference of the first to the second."""
    rows = [
        (curve.name, *(f"{curve.hu[phase]:.0f}" if _known(curve, phase) else "–" for phase in PHASES))
        for curve in curves
    ]
    lesion, liver = curves[:2]
    gaps = [
        f"{lesion.hu[phase] - liver.hu[phase]:+.0f}"
        if _known(lesion, phase) and _known(liver, phase)
        else "–"
        for phase in PHASES
    ]
    rows.insert(2, ("difference", *gaps))
    return table(("HU", *PHASES), rows, numbers=range(1, 5), words="HU by phase", style="tight")


def _known(curve: Curve, phase: str) -> bool:
    return math.isfinite(curve.hu.get(phase, math.nan))


def _ticks(low: float, high: float) -> list[float]:
    step = next(size for size in (10, 20, 50, 100, 200, 500, 1000) if (high - low) / size <= 6)
    first = math.ceil(low / step) * step
    return [float(value) for value in range(first, math.floor(high) + 1, step)]
