"""Draw the longest diameters of the lesions over time as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from scripts.lidia.report.palette import TYPE_COLOURS

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640.0, 260.0, 46.0, 40.0, 12.0, 34.0
_GREY = "#777777"
LABEL_GAP = 12.0
"""Smallest distance between the numbers of two lesions, in units of the chart."""
LEAST_MM = 10.0
"""Smallest range of the axis in mm."""


def draw_diameters(record: Mapping[str, Any]) -> Markup:
    """Draw one line for each lesion; a date that shows it as absent is 0, an uncovered date is a gap.

    Args:
        record: content of the patient's JSON.
    """
    studies = record["studies"]
    days = [study["days"] for study in studies]
    if any(day is None for day in days):
        days = list(range(len(studies)))
    lines = {lesion["lesion"]: _make_points(lesion, days) for lesion in record["lesions"]}
    highest = max([LEAST_MM, *(value for points in lines.values() for _, value in points)]) * 1.08
    span = max(days[-1] - days[0], 1)

    def to_x(day: float) -> float:
        return _LEFT + 10 + (_WIDTH - _LEFT - _RIGHT - 20) * (day - days[0]) / span

    def to_y(value: float) -> float:
        return _TOP + (highest - value) / highest * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    step = next(size for size in (2, 5, 10, 20, 50, 100) if highest / size <= 7)
    for value in range(0, int(highest) + 1, step):
        at = f"{to_y(value):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{to_y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for study, day in zip(studies, days, strict=True):
        label = escape(study["date"] or study["id"])
        anchor = "start" if day == days[0] else "end" if day == days[-1] else "middle"
        parts.append(f'<text x="{to_x(day):.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}">{label}</text>')
    ends = {lesion: to_y(points[-1][1]) for lesion, points in lines.items() if points}
    heights = spread_labels(ends)
    for lesion in record["lesions"]:
        colour = TYPE_COLOURS.get(lesion["types"][-1], _GREY)
        colour = _GREY if colour == "#FFFFFF" else colour  # white is invisible on paper
        spots = [(to_x(day), to_y(value)) for day, value in lines[lesion["lesion"]]]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in spots]
        if spots:
            x, height = spots[-1][0], heights[lesion["lesion"]]
            parts.append(f'<text x="{x + 8:.1f}" y="{height + 4:.1f}">{lesion["lesion"]}</text>')
    return Markup(
        f'<figure><svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="Longest diameter of '
        f'each lesion in mm over time; the numbers are in the table of lesions">{"".join(parts)}</svg>'
        "<figcaption>Longest axial diameter (mm) of each lesion, by its number.</figcaption></figure>"
    )


def spread_labels(heights: Mapping[int, float]) -> dict[int, float]:
    """Spread the numbers at the ends of the lines, so that they do not cover each other.

    Args:
        heights: lesion -> height of the end of its line, from the top.

    Returns:
        Lesion -> height of its number, in the same order, at least `LABEL_GAP` apart.
    """
    placed: dict[int, float] = {}
    below = float("inf")
    for lesion, height in sorted(heights.items(), key=lambda entry: (-entry[1], -entry[0])):
        below = placed[lesion] = min(height, below - LABEL_GAP)
    return placed


def _make_points(lesion: Mapping[str, Any], days: Sequence[float]) -> list[tuple[float, float]]:
    """Make (day, mm) of the dates that show the lesion, or show that it is absent."""
    points = []
    for measurement, day in zip(lesion["measurements"], days, strict=True):
        if measurement["longest_mm"] is not None:
            points.append((day, float(measurement["longest_mm"])))
        elif measurement["state"] == "absent":
            points.append((day, 0.0))
    return points
