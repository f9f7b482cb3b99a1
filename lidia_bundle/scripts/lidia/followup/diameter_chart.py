"""Draw the longest diameters of the lesions over time as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from scripts.lidia.followup.diameter_layout import (
    CAPTION,
    CHART_HEIGHT,
    CHART_WIDTH,
    Course,
    GridLine,
    Label,
    lay_out_diameters,
)


def draw_diameters(record: Mapping[str, Any]) -> Markup:
    """Draw one line for each lesion.

    Args:
        record: content of the patient's JSON.
    """
    drawn = "".join(map(_draw_element, lay_out_diameters(record)))
    return Markup(
        f'<figure><svg viewBox="0 0 {CHART_WIDTH:.0f} {CHART_HEIGHT:.0f}" role="img" aria-label="Longest '
        f'diameter of each lesion in mm over time; the numbers are in the table of lesions">{drawn}</svg>'
        f"<figcaption>{CAPTION}</figcaption></figure>"
    )


def _draw_element(element: GridLine | Label | Course) -> str:
    if isinstance(element, GridLine):
        ends = f'x1="{element.left:.1f}" x2="{element.right:.1f}"'
        return f'<line class="grid" {ends} y1="{element.y:.1f}" y2="{element.y:.1f}"/>'
    if isinstance(element, Label):
        place = f'x="{element.x:.1f}" y="{element.y:.1f}" text-anchor="{element.anchor}"'
        return f"<text {place}>{escape(element.text)}</text>"
    colour, points = element
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>{circles}'
