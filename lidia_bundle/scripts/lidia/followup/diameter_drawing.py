"""Draw the longest diameters of the lesions over time as vectors of the PDF, by reportlab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportlab.graphics.shapes import Circle, Drawing, Group, Line, PolyLine, Shape, String
from reportlab.lib.colors import HexColor
from reportlab.platypus import Flowable

from scripts.lidia.followup.diameter_layout import (
    CHART_HEIGHT,
    CHART_WIDTH,
    Course,
    GridLine,
    Label,
    lay_out_diameters,
)
from scripts.lidia.report.pdf_document import FONT, LINE, SOFT, WIDTH, register_fonts, to_text

LETTERS = 10.5
"""Size of the letters in units of the chart."""


def make_diameter_drawing(record: Mapping[str, Any]) -> Flowable:
    """Make a drawing with one line for each lesion, in the width of the page.

    Args:
        record: content of the patient's JSON.
    """
    register_fonts()
    scale = WIDTH / CHART_WIDTH
    drawing = Drawing(WIDTH, CHART_HEIGHT * scale)
    shapes = [shape for element in lay_out_diameters(record) for shape in _make_shapes(element)]
    # The chart counts y from the top, reportlab from the bottom; the letters must not be mirrored
    drawing.add(Group(*shapes, transform=(scale, 0, 0, scale, 0, CHART_HEIGHT * scale)))
    return drawing


def _make_shapes(element: GridLine | Label | Course) -> list[Shape]:
    if isinstance(element, GridLine):
        return [Line(element.left, -element.y, element.right, -element.y, strokeColor=LINE, strokeWidth=0.6)]
    if isinstance(element, Label):
        return [
            String(
                element.x, -element.y, to_text(element.text),
                textAnchor=element.anchor, fontName=FONT, fontSize=LETTERS, fillColor=SOFT,
            )
        ]  # fmt: skip
    colour = HexColor(element.colour)
    corners = [number for x, y in element.points for number in (x, -y)]
    line = [PolyLine(corners, strokeColor=colour, strokeWidth=2)] if len(element.points) > 1 else []
    circles = [Circle(x, -y, 3.5, fillColor=colour, strokeColor=None) for x, y in element.points]
    return [*line, *circles]
