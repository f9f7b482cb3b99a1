"""Draw the enhancement of a lesion over the phases, with liver and aorta: a chart and a table of HU."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from scripts.lidia.report.tables import render_table
from scripts.lidia.vocabulary import PHASES

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340.0, 190.0, 40.0, 12.0, 10.0, 26.0
LEAST_RANGE = 60.0
"""Smallest range of the chart in HU, so that noise does not look like enhancement."""


class Curve(NamedTuple):
    """One line of the chart.

    Attributes:
        name: label of the line.
        style: CSS class of the line, `lesion`, `liver` or `aorta`.
        hu: phase -> HU; unknown phases are absent or NaN.
    """

    name: str
    style: str
    hu: Mapping[str, float]


def draw_chart(curves: Sequence[Curve], title: str) -> Markup:
    """Draw the curves over the phases.

    Lesion and liver define the range; a brighter aorta is cut off at the top.

    Args:
        curves: the lesion first.
        title: description for screen readers.

    Returns:
        An HTML block; a sentence if no HU is known.
    """
    tissues = [curve for curve in curves if curve.style != "aorta"]
    values = [curve.hu[phase] for curve in tissues for phase in PHASES if _is_known(curve, phase)]
    if not values:
        return Markup('<p class="soft">No HU: the lesion lies beyond what was scanned.</p>')
    middle, half = (min(values) + max(values)) / 2, max(max(values) - min(values), LEAST_RANGE) * 0.6
    low, high = middle - half, middle + half
    across = {
        phase: _LEFT + 24 + (_WIDTH - _LEFT - _RIGHT - 48) * index / (len(PHASES) - 1)
        for index, phase in enumerate(PHASES)
    }

    def to_y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for value in _choose_ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{to_y(value):.1f}" y2="{to_y(value):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 5}" y="{to_y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for phase in PHASES:
        style = "" if any(_is_known(curve, phase) for curve in curves) else ' class="none"'
        parts.append(
            f'<text{style} x="{across[phase]:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{phase}</text>'
        )
    for curve in reversed(curves):
        spots = [(across[phase], to_y(curve.hu[phase])) for phase in PHASES if _is_known(curve, phase)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline class="c-{curve.style}" points="{line}"/>')
        parts += [f'<circle class="c-{curve.style}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in spots]
    legend_items = "".join(
        f'<li><svg class="key" viewBox="0 0 30 10" aria-hidden="true"><polyline class="c-{curve.style}" '
        f'points="1,5 29,5"/><circle class="c-{curve.style}" cx="15" cy="5" r="3.5"/></svg>{curve.name}</li>'
        for curve in curves
    )
    return Markup(
        f'<svg class="curves" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{title}, HU by phase; the numbers stand in the table below">{"".join(parts)}</svg>'
        f'<ul class="legend">{legend_items}</ul>'
    )


def render_hu_table(curves: Sequence[Curve]) -> Markup:
    """Render the curves as a table, with the difference of the first and the second."""
    rows = [
        (curve.name, *(f"{curve.hu[phase]:.0f}" if _is_known(curve, phase) else "–" for phase in PHASES))
        for curve in curves
    ]
    lesion, liver = curves[:2]
    gaps = [lesion.hu.get(phase, math.nan) - liver.hu.get(phase, math.nan) for phase in PHASES]
    rows.insert(2, ("difference", *(f"{gap:+.0f}" if math.isfinite(gap) else "–" for gap in gaps)))
    return render_table(("HU", *PHASES), rows, numbers=range(1, 5), label="HU by phase", style="tight")


def _is_known(curve: Curve, phase: str) -> bool:
    return math.isfinite(curve.hu.get(phase, math.nan))


def _choose_ticks(low: float, high: float) -> list[float]:
    step = next(size for size in (10, 20, 50, 100, 200, 500, 1000) if (high - low) / size <= 6)
    first = math.ceil(low / step) * step
    return [float(value) for value in range(first, math.floor(high) + 1, step)]
