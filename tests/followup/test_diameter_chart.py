"""The chart of diameters: numbers do not cover each other, and no line is white."""

from __future__ import annotations

from scripts.lidia.followup.diameter_chart import draw_diameters, spread_labels


def test_numbers_keep_their_order_and_a_distance() -> None:
    placed = spread_labels({1: 100.0, 2: 102.0, 3: 20.0, 4: 101.0})
    assert placed == {2: 102.0, 4: 90.0, 1: 78.0, 3: 20.0}


def test_a_calcification_is_visible_on_paper() -> None:
    measurements = [{"longest_mm": 10.0, "state": "present"}, {"longest_mm": 12.0, "state": "present"}]
    studies = [{"id": "a", "date": "2025-01-10", "days": 0}, {"id": "b", "date": "2025-05-10", "days": 120}]
    lesion = {"lesion": 1, "types": ["calcification"], "measurements": measurements}
    chart = draw_diameters({"studies": studies, "lesions": [lesion]})
    assert "polyline" in chart and "#FFFFFF" not in chart
