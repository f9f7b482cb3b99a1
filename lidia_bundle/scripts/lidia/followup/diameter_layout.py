"""Lay out the chart of the longest diameters over time, for the page and for the PDF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scripts.lidia.report.palette import TYPE_COLOURS

CHART_WIDTH, CHART_HEIGHT = 640.0, 260.0
"""Size of the chart in its own units."""
CAPTION = "Longest axial diameter (mm) of each lesion, by its number."
LABEL_GAP = 12.0
"""Smallest distance between the numbers of two lesions, in units of the chart."""
LEAST_MM = 10.0
"""Smallest range of the axis in mm."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 40.0, 12.0, 34.0
_GREY = "#777777"


class GridLine(NamedTuple):
    """A horizontal line.

    Attributes:
        left: x of its start.
        right: x of its end.
        y: from the top.
    """

    left: float
    right: float
    y: float


class Label(NamedTuple):
    """A text.

    Attributes:
        text: the text.
        x: of its anchor.
        y: of its baseline, from the top.
        anchor: "start", "middle" or "end".
    """

    text: str
    x: float
    y: float
    anchor: str = "start"


class Course(NamedTuple):
    """The diameters of one lesion.

    Attributes:
        colour: #RRGGBB.
        points: (x, y) of each date, y from the top.
    """

    colour: str
    points: list[tuple[float, float]]


def lay_out_diameters(record: Mapping[str, Any]) -> list[GridLine | Label | Course]:
    """Lay out one course for each lesion.

    A date that shows the lesion as absent is 0 mm; a date that does not cover it has no point.

    Args:
        record: content of the patient's JSON.

    Returns:
        The elements in the order in which they are drawn, in units of the chart.
    """
    studies = record["studies"]
    days = [study["days"] for study in studies]
    if any(day is None for day in days):
        days = list(range(len(studies)))
    values = {lesion["lesion"]: _list_values(lesion, days) for lesion in record["lesions"]}
    highest = max([LEAST_MM, *(value for points in values.values() for _, value in points)]) * 1.08
    span = max(days[-1] - days[0], 1)

    def to_x(day: float) -> float:
        return _LEFT + 10 + (CHART_WIDTH - _LEFT - _RIGHT - 20) * (day - days[0]) / span

    def to_y(value: float) -> float:
        return _TOP + (highest - value) / highest * (CHART_HEIGHT - _TOP - _BOTTOM)

    elements: list[GridLine | Label | Course] = []
    step = next(size for size in (2, 5, 10, 20, 50, 100) if highest / size <= 7)
    for value in range(0, int(highest) + 1, step):
        elements.append(GridLine(_LEFT, CHART_WIDTH - _RIGHT, to_y(value)))
        elements.append(Label(str(value), _LEFT - 6, to_y(value) + 4, "end"))
    for study, day in zip(studies, days, strict=True):
        anchor = "start" if day == days[0] else "end" if day == days[-1] else "middle"
        elements.append(Label(study["date"] or study["id"], to_x(day), CHART_HEIGHT - 10, anchor))
    ends = {lesion: to_y(points[-1][1]) for lesion, points in values.items() if points}
    heights = spread_labels(ends)
    for lesion in record["lesions"]:
        number = lesion["lesion"]
        colour = TYPE_COLOURS.get(lesion["types"][-1], _GREY)
        colour = _GREY if colour == "#FFFFFF" else colour  # white is invisible on paper
        points = [(to_x(day), to_y(value)) for day, value in values[number]]
        elements.append(Course(colour, points))
        if points:
            elements.append(Label(str(number), points[-1][0] + 8, heights[number] + 4))
    return elements


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


def _list_values(lesion: Mapping[str, Any], days: Sequence[float]) -> list[tuple[float, float]]:
    """List (day, mm) of the dates that show the lesion, or show that it is absent."""
    points = []
    for measurement, day in zip(lesion["measurements"], days, strict=True):
        if measurement["longest_mm"] is not None:
            points.append((day, float(measurement["longest_mm"])))
        elif measurement["state"] == "absent":
            points.append((day, 0.0))
    return points
