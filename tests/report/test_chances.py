"""Probabilities have their intervals and triage; missing parts are not printed."""

from __future__ import annotations

import re
from typing import Any

from scripts.lidia.report.probability_bars import (
    format_number,
    format_probability,
    render_bar,
    render_patient_probabilities,
)

RESULT: dict[str, Any] = {"probabilities": {"cyst": 0.2, "HCC": 0.9}, "malignant": 0.8, "benign": 0.1}


def test_groups_come_first_then_types_by_probability() -> None:
    names = re.findall(r"</span>(malignant|benign|cyst|HCC)<", render_patient_probabilities(RESULT, None))
    assert names == ["malignant", "benign", "HCC", "cyst"]


def test_bars_stay_inside_their_track() -> None:
    widths = [
        re.search(r'fill" style="width:([\d.]+)%', render_bar(value, "HCC")) for value in (1.7, -0.2, 0.25)
    ]
    assert [match and match[1] for match in widths] == ["100.0", "0.0", "25.0"]


def test_missing_truth_intervals_and_triage_are_not_printed() -> None:
    text = render_patient_probabilities(RESULT, None)
    assert not re.search(r"truth|triage|interval|reach|>yes<|>no<", text)


def test_intervals_and_triage_are_beside_the_bar() -> None:
    more = RESULT | {"intervals": {"HCC": [0.7, 0.95]}, "triage": {"HCC": "ruled in", "cyst": "ruled out"}}
    text = render_patient_probabilities(
        more, {"HCC": True, "cyst": False, "malignant": True, "benign": False}
    )
    assert "0.90 (0.70 to 0.95)" in text and 'style="left:70.0%;width:25.0%"' in text
    assert '<span class="chip in">ruled in</span>' in text and '<span class="chip out">ruled out' in text
    assert text.count('<span class="truth">yes') == 2
    assert format_probability(more, "cyst") == "0.20"


def test_a_missing_number_is_a_dash() -> None:
    assert [format_number(value, 1) for value in (1, 2.345, None, "1<", float("nan"), True)] == [
        "1.0",
        "2.3",
        *"––––",
    ]


def test_broken_intervals_are_left_out() -> None:
    for broken in ("x", {"HCC": [0.1]}, {"HCC": ["<b>", 2]}, {"HCC": None}, [1]):
        assert "reach" not in render_patient_probabilities(RESULT | {"intervals": broken}, None)
