"""The chart of diameters: numbers do not cover each other, and no line is white."""

from __future__ import annotations

import io
import re

import pytest
from pypdf import PdfReader

from scripts.lidia.followup.diameter_chart import draw_diameters
from scripts.lidia.followup.diameter_drawing import make_diameter_drawing
from scripts.lidia.followup.diameter_layout import Course, lay_out_diameters, spread_labels
from scripts.lidia.report.pdf_document import render_pdf


def test_numbers_keep_their_order_and_a_distance() -> None:
    placed = spread_labels({1: 100.0, 2: 102.0, 3: 20.0, 4: 101.0})
    assert placed == {2: 102.0, 4: 90.0, 1: 78.0, 3: 20.0}


def test_a_calcification_is_visible_on_paper() -> None:
    measurements = [{"longest_mm": 10.0, "state": "present"}, {"longest_mm": 12.0, "state": "present"}]
    studies = [{"id": "a", "date": "2025-01-10", "days": 0}, {"id": "b", "date": "2025-05-10", "days": 120}]
    lesion = {"lesion": 1, "types": ["calcification"], "measurements": measurements}
    chart = draw_diameters({"studies": studies, "lesions": [lesion]})
    assert "polyline" in chart and "#FFFFFF" not in chart


def make_record() -> dict:
    """Three dates: a lesion that grows from 10 mm to 20 mm, and one that the second date does not cover."""
    studies = [
        {"id": name, "date": f"2025-0{month}-10", "days": days}
        for name, month, days in (("a", 1, 0), ("b", 3, 59), ("c", 5, 120))
    ]
    sizes = {1: (10.0, 15.0, 20.0), 2: (20.0, None, None)}
    states = {1: ("present",) * 3, 2: ("present", "not covered", "absent")}
    lesions = [
        {
            "lesion": number,
            "types": [kind],
            "measurements": [
                {"longest_mm": size, "state": state}
                for size, state in zip(sizes[number], states[number], strict=True)
            ],
        }
        for number, kind in ((1, "HCC"), (2, "cyst"))
    ]
    return {"studies": studies, "lesions": lesions}


def test_heights_and_places_follow_millimetres_and_days() -> None:
    grown, gone = (row for row in lay_out_diameters(make_record()) if isinstance(row, Course))
    (x0, y0), (x1, y1), (x2, y2) = grown.points
    assert y0 - y1 == pytest.approx(y1 - y2) and (x1 - x0) / (x2 - x0) == pytest.approx(59 / 120)
    (first, last) = gone.points
    assert first == (x0, y2), "20 mm at the first date"
    assert last[0] == x2 and last[1] - y0 == pytest.approx(y0 - y2), "0 mm, 10 mm and 20 mm"


def test_the_pdf_has_the_chart_of_the_page_as_vectors() -> None:
    record = make_record()
    content = render_pdf("P", [make_diameter_drawing(record)])
    (page,) = PdfReader(io.BytesIO(content)).pages
    words = page.extract_text().split()
    assert not page.images and {"2025-01-10", "2025-03-10", "2025-05-10", "1", "2"} <= set(words)
    # A line of n points is drawn by one "m" and n - 1 "l" operators, in units of the chart
    stream = page.get_contents().get_data().decode("latin-1")
    lines = re.findall(r"n ([\d.-]+) ([\d.-]+) m ((?:[\d.-]+ [\d.-]+ l\s*){1,2})S", stream)
    courses = [row for row in lay_out_diameters(record) if isinstance(row, Course)]
    drawn = [
        [(float(x), float(y)), *((float(a), float(b)) for a, b in re.findall(r"([\d.-]+) ([\d.-]+) l", tail))]
        for x, y, tail in lines
    ]
    for course in courses:
        assert [(pytest.approx(x), pytest.approx(-y)) for x, y in course.points] in drawn
