"""Charts have their numbers, and accept missing ones."""

from __future__ import annotations

import math

from scripts.lidia.report.line_charts import draw_curve
from scripts.lidia.report.palette import COLOURS
from scripts.lidia.report.tables import format_interval


def test_a_curve_leaves_out_what_is_not_finite() -> None:
    text = draw_curve([(0, 2.0), (1, math.nan), (2, math.inf), (3, 1.0)], "loss")
    assert "nan" not in text and "inf" not in text
    assert "2 at the start, 1 at the end" in text


def test_a_flat_curve_and_a_lone_point() -> None:
    assert "<svg" in draw_curve([(0, 1.0), (1, 1.0)], "loss")
    assert "fewer than two" in draw_curve([(0, 1.0)], "loss")


def test_an_interval_as_far_as_it_is_known() -> None:
    assert format_interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.500 (0.25 to 0.75)"
    assert format_interval({"value": 0.5, "low": None, "high": None}) == "0.500"
    assert format_interval({"value": None, "low": None, "high": None}) == "-"


def test_colours_differ_in_lightness_or_hue() -> None:
    assert len(set(COLOURS.values())) == 8
