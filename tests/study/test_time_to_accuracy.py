"""Steps and hours until a level, by hand."""

from __future__ import annotations

import pytest

from experiments.study.curve import STORED, Curve, Round, cut_curve, find_end
from experiments.study.flatness import FlatnessRule
from experiments.study.row_plan import RoundLength, read_round_lengths
from experiments.study.systems import read_systems
from experiments.study.time_to_accuracy import Arrival, compare_with_rival, find_arrival, tabulate_arrivals


def make_curve(areas: list[float | None], hours: float, dice: float = 0.65) -> Curve:
    """A curve whose rounds take 100 steps and `hours` CPU hours each."""
    rounds = [
        Round(
            number,
            number,
            100 * number,
            3600 * hours * number,
            dict.fromkeys(STORED) | {"auc8": area, "pixelcount_auc8": 0.5, "dice": dice},
        )
        for number, area in enumerate(areas, 1)
    ]
    return Curve("key", "", None, "a", 3.0, None, None, tuple(rounds))


LIDIA = make_curve([0.70, 0.86, 0.84, 0.91, 0.92], 0.2)
RIVAL = make_curve([0.60, None, 0.86, 0.89, 0.85], 0.5)


def test_a_level_is_reached_at_the_first_evaluation_at_or_above_it() -> None:
    assert find_arrival(LIDIA, "auc8", 0.85, "livermax") == Arrival(200, pytest.approx(0.4))
    assert find_arrival(LIDIA, "auc8", 0.92, "livermax") == Arrival(500, pytest.approx(1.0))
    assert find_arrival(LIDIA, "auc8", 0.93, "livermax") is None
    assert find_arrival(LIDIA, "auc8", 0.6, "pixelcount") is None
    assert find_arrival(RIVAL, "auc8", 0.85, "livermax") == Arrival(300, pytest.approx(1.5))


def test_the_table_says_what_is_not_reached() -> None:
    table = tabulate_arrivals({"lidia": LIDIA}, {"auc8": [0.9, 0.93], "dice": [0.6, 0.7]}, "livermax")
    assert table["lidia"]["auc8"] == {"0.9": {"steps": 400, "cpu_hours": pytest.approx(0.8)}, "0.93": None}
    assert table["lidia"]["dice"] == {"0.6": {"steps": 100, "cpu_hours": pytest.approx(0.2)}, "0.7": None}


def test_the_hours_to_the_final_area_of_the_rival() -> None:
    # (0.86 + 0.89 + 0.85) / 3 = 0.8667: the rival has it at 0.89 after 2 h, LIDIA at 0.91 after 0.8 h
    comparison = compare_with_rival(LIDIA, RIVAL, "unet", score="livermax", window=3)
    assert comparison is not None and comparison.level == pytest.approx(2.6 / 3)
    assert (comparison.rival_hours, comparison.reference_hours) == (pytest.approx(2.0), pytest.approx(0.8))
    assert comparison.rival_total_hours == pytest.approx(2.5)
    reverse = compare_with_rival(RIVAL, LIDIA, "lidia", score="livermax", window=1)
    assert reverse is not None and reverse.reference_hours is None, "0.92 is not reached by the rival"


def test_a_further_round_begins_only_under_the_cap() -> None:
    options = {"schedule_epochs": None, "score": "livermax", "rule": FlatnessRule(), "next_epochs": 4}
    curve = make_curve([0.1, 0.2, 0.3], 0.5)  # 1.5 h, a round of one epoch takes 0.5 h
    assert find_end(curve, cap_hours=2.0, **options) is None
    assert find_end(curve, cap_hours=1.9, **options) == "cap"
    assert find_end(curve, cap_hours=2.4, **options | {"next_epochs": 5}) == "cap"
    assert find_end(curve, cap_hours=2.5, **options | {"next_epochs": 5}) is None
    assert find_end(curve._replace(rounds=()), cap_hours=0.1, **options) is None
    assert len(cut_curve(curve, 1.2).rounds) == 2 and len(cut_curve(curve, 0.1).rounds) == 1
    # Its own schedule ends a training, flat or not
    flat, options = make_curve([0.9] * 9, 0.1), options | {"next_epochs": 10}
    assert find_end(flat, cap_hours=3.0, **options) == "rule"
    assert find_end(flat, cap_hours=3.0, **options | {"schedule_epochs": 10}) is None
    assert find_end(flat, cap_hours=3.0, **options | {"schedule_epochs": 9}) == "schedule"


def test_the_first_round_has_parts() -> None:
    length = RoundLength(epochs=10, first_parts=3, schedule_epochs=35)
    assert [length.count_epochs(number) for number in range(1, 8)] == [3, 6, 10, 20, 30, 35, 35]
    assert [RoundLength(4).count_epochs(number) for number in (1, 2, 3)] == [4, 8, 12]
    systems = read_systems({"lidia": {}})
    assert read_round_lengths(systems, {"lidia": {"epochs": 3, "first_parts": 3}})["lidia"].epochs == 3
    for rounds in (
        {},
        {"lidia": {"epochs": 2}, "unet": {"epochs": 2}},
        {"lidia": {"epochs": 0}},
        {"lidia": {"epochs": 2, "parts": 2}},
        {"lidia": {"epochs": 2, "first_parts": 3}},
    ):
        with pytest.raises(ValueError, match="round_lengths"):
            read_round_lengths(systems, rounds)
