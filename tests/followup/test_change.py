"""Numbers of a change, and the response by RECIST 1.1, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.diameter import measure_diameter_mm
from scripts.lidia.followup.lesion_change import (
    ChangeLimits,
    GrowthLimits,
    Size,
    compute_doubling_days,
    describe_change,
    name_change,
)
from scripts.lidia.followup.recist import Observation, RecistLimits, assess_response, choose_targets
from scripts.lidia.morphometry.lesion_axes import measure_axes_mm

CHANGE = ChangeLimits(grown_percent=20, grown_mm=5, shrunk_percent=30)
GROWTH = GrowthLimits(growth_percent=50, growth_days=183)
RECIST = RecistLimits(2, 10, 30, 20, 5, ("HCC", "metastasis"))
REPEATABILITY = {"longest_mm": 4.0, "volume_percent": 30.0}


def size(longest: float) -> Size:
    return Size(longest, longest / 2, longest**3)


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [(20, 25, "grown"), (10, 14, "stable"), (40, 46, "stable"), (20, 14, "shrunk"), (20, 15, "stable")],
)
def test_names_need_the_relative_and_the_absolute_limit(before: float, after: float, name: str) -> None:
    assert name_change(size(before), size(after), CHANGE) == name


def test_doubling_time() -> None:
    assert compute_doubling_days(1000, 2000, 90) == pytest.approx(90)
    assert compute_doubling_days(1000, 8000, 90) == pytest.approx(30)
    assert compute_doubling_days(1000, 900, 90) is None and compute_doubling_days(1, 2, None) is None


def test_description_of_a_change() -> None:
    change = describe_change(size(20), size(30), 180, CHANGE, GROWTH, REPEATABILITY)
    assert change["change"] == "grown" and change["longest_mm"] == 10 and change["longest_percent"] == 50
    assert change["threshold_growth"] is True and change["exceeds_repeatability"] is True
    assert change["volume_percent"] == pytest.approx(237.5) and change["short_mm"] == 5
    later = describe_change(size(20), size(30), 184, CHANGE, GROWTH, REPEATABILITY)
    assert later["threshold_growth"] is None, "more than six months"
    small = describe_change(size(20), size(21), 30, CHANGE, GROWTH, REPEATABILITY)
    assert small["exceeds_repeatability"] is False and small["threshold_growth"] is False
    shrunk = describe_change(Size(20, 9, 1000), Size(18, 8, 760), 30, CHANGE, GROWTH, REPEATABILITY)
    assert shrunk["exceeds_repeatability"] is True, "1000 / 760 is more than 1.3"


def test_targets_are_the_largest_measurable_lesions_of_the_disease() -> None:
    baseline = {1: ("HCC", 12.0), 2: ("cyst", 60.0), 3: ("HCC", 30.0), 4: ("HCC", 9.9), 5: ("HCC", 14.0)}
    assert choose_targets(baseline, RECIST) == [3, 5]


def follow(*sums: float, new: list[list[int]] | None = None, others: list[str] | None = None) -> list[str]:
    """Responses of one target with these diameters; non-target 9 with these states."""
    dates = []
    for number, value in enumerate(sums):
        state = "present" if value > 0 else "absent" if value == 0 else "not covered"
        observations = {1: Observation(state, max(value, 0))}
        if others:
            observations[9] = Observation(others[number], 8.0)
        dates.append(observations)
    rows = assess_response([1], [9] if others else [], dates, new or [[] for _ in sums], RECIST)
    return [row["response"] for row in rows][1:]


def test_response_by_the_sum() -> None:
    assert follow(50, 35) == ["PR"], "30 % less"
    assert follow(50, 35.1, 60) == ["SD", "PD"], "60 is 20 % and 5 mm above 35.1"
    assert follow(50, 60) == ["PD"] and follow(50, 59.9) == ["SD"]
    assert follow(20, 24.5) == ["SD"], "22 % but less than 5 mm"
    assert follow(50, 20, 26) == ["PR", "PD"], "30 % above the smallest sum"
    assert follow(50, 0) == ["CR"] and follow(50, 0, 6) == ["CR", "PD"]
    assert follow(50, -1, 50) == ["NE", "SD"], "a target outside the field of view"


def test_new_lesions_and_non_targets() -> None:
    assert follow(50, 20, new=[[], [2]]) == ["PD"]
    assert follow(50, 20, 20, new=[[], [2], []]) == ["PD", "PD"], "a new lesion stays new"
    assert follow(50, 0, others=["present", "present"]) == ["PR"]
    assert follow(50, 0, others=["present", "absent"]) == ["CR"]
    assert follow(50, 0, others=["present", "not covered"]) == ["PR"]
    observations = [{9: Observation("present", 8.0)}, {9: Observation("absent")}]
    (_, row) = assess_response([], [9], observations, [[], []], RECIST)
    assert row["response"] == "CR" and row["target_response"] is None
    (_, row) = assess_response([], [], [{}, {}], [[], []], RECIST)
    assert row["response"] is None


def test_numbers_of_the_response() -> None:
    dates = [{1: Observation("present", value)} for value in (50.0, 30.0, 45.0)]
    rows = assess_response([1], [], dates, [[], [], []], RECIST)
    assert [row["sum_mm"] for row in rows] == [50, 30, 45]
    assert rows[2]["from_baseline_percent"] == -10 and rows[2]["from_nadir_percent"] == 50
    assert rows[2]["from_nadir_mm"] == 15 and rows[2]["response"] == "PD"


def test_axes_of_a_box() -> None:
    mask = np.zeros((30, 20, 8), bool)
    mask[5:25, 5:8, 3] = True  # 20 x 3 voxels of 1 x 2 mm
    mask[5:9, 5:8, 4] = True
    longest, short = measure_axes_mm(mask, (1.0, 2.0, 5.0))
    assert longest == pytest.approx(measure_diameter_mm(mask, (1.0, 2.0, 5.0)))
    assert longest == pytest.approx(np.hypot(20, 4)), "between the outer faces of the first and last column"
    assert short == pytest.approx(2 * (4 * 9.5 + 20 * 3) / np.hypot(20, 4)), "the other corners"
    assert measure_axes_mm(np.zeros((3, 3, 3)), (1, 1, 1)) == (0.0, 0.0)


def test_the_short_axis_is_perpendicular() -> None:
    grid = np.indices((61, 61, 3)) - np.array([30, 30, 1]).reshape(3, 1, 1, 1)
    turned = (grid[0] + grid[1]) / np.sqrt(2), (grid[0] - grid[1]) / np.sqrt(2)
    ellipse = (turned[0] / 20) ** 2 + (turned[1] / 8) ** 2 <= 1
    longest, short = measure_axes_mm(ellipse, (1.0, 1.0, 3.0))
    assert longest == pytest.approx(40, abs=1.5) and short == pytest.approx(16, abs=1.5)
