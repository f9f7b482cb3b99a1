"""The chart and the table have the same HU."""

from __future__ import annotations

import math
import re

from scripts.lidia.report.enhancement_chart import Curve, draw_chart, render_hu_table

LESION = Curve("lesion 1", "lesion", {"nc": 40.0, "arterial": 120.0, "venous": 90.0})
LIVER = Curve("liver", "liver", {"nc": 55.0, "arterial": 70.0, "venous": 110.0})


def heights(text: str, style: str) -> list[float]:
    return [
        float(y) for y in re.findall(rf'<circle class="c-{style}" cx="[\d.]+" cy="(-?[\d.]+)" r="4"', text)
    ]


def test_more_hu_is_higher() -> None:
    lesion, liver = (
        heights(draw_chart([LESION, LIVER], "Enhancement"), style) for style in ("lesion", "liver")
    )
    assert len(lesion) == len(liver) == 3
    assert lesion[0] > liver[0] and lesion[1] < liver[1] and lesion[2] > liver[2]


def test_noise_does_not_fill_the_chart() -> None:
    flat = Curve("lesion", "lesion", {"nc": 50.0, "venous": 52.0})
    low, high = heights(draw_chart([flat, LIVER._replace(hu={"nc": 50.0})], ""), "lesion")
    assert 0 < low - high < 8


def test_a_bright_aorta_does_not_flatten_the_lesion_s_curve() -> None:
    aorta = Curve("aorta", "aorta", {"nc": 45.0, "arterial": 330.0, "venous": 150.0})
    assert heights(draw_chart([LESION, LIVER, aorta], ""), "lesion") == heights(
        draw_chart([LESION, LIVER], ""), "lesion"
    )


def test_the_table_has_the_difference_and_dashes_for_what_was_not_scanned() -> None:
    rows = [
        re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)
        for row in render_hu_table([LESION, LIVER]).split("<tr>")[2:]
    ]
    assert rows == [
        ["lesion 1", "40", "120", "90", "–"],
        ["liver", "55", "70", "110", "–"],
        ["difference", "-15", "+50", "-20", "–"],
    ]


def test_a_chart_without_measured_lesion_has_a_remark() -> None:
    nothing = Curve("lesion", "lesion", {"nc": math.nan})
    assert "beyond what was scanned" in draw_chart([nothing, nothing._replace(style="liver")], "")
