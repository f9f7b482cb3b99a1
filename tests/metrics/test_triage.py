"""Operating points by hand, and their guarantees on the cohort that they were chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lidia.metrics.intervals import compute_wilson_interval
from scripts.lidia.metrics.operating_points import (
    OPEN,
    RULED_IN,
    RULED_OUT,
    OperatingPoint,
    apply_operating_point,
    choose_operating_point,
    evaluate_operating_point,
)


def test_the_point_by_hand() -> None:
    """Of 20 with the type one may be ruled out, of 40 without two ruled in."""
    sick, well = np.linspace(0.3, 0.97, 20), np.linspace(0.02, 0.6, 40)
    point = choose_operating_point(np.concatenate([sick, well]), np.repeat([True, False], [20, 40]))
    everybody = np.sort(np.concatenate([sick, well]))
    below, above = everybody[everybody < sick[1]][-1], everybody[everybody > well[-3]][0]
    assert point == pytest.approx(((sick[1] + below) / 2, (well[-3] + above) / 2))
    assert (sick < point.rule_out).sum() == 1 and (well > point.rule_in).sum() == 2


def test_perfect_separation_gives_the_midpoint() -> None:
    point = choose_operating_point([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert point == (0.5, 0.5), "midway: nobody of these is open, and nobody is wrong"
    assert [apply_operating_point(p, point) for p in (0.2, 0.5, 0.8)] == [RULED_OUT, OPEN, RULED_IN]


def test_triage_of_a_cohort_by_hand() -> None:
    chances, truth = np.array([0.1, 0.3, 0.9, 0.1, 0.5, 0.95]), np.array([1, 1, 1, 0, 0, 0], bool)
    result = evaluate_operating_point(chances, truth, OperatingPoint(0.2, 0.8))
    assert result[:2] == (6, 3)
    assert result.sensitivity[0] == result.specificity[0] == pytest.approx(2 / 3)
    assert result.sensitivity[1] < 2 / 3 < result.sensitivity[2]
    assert (result.ruled_out, result.ruled_in) == (pytest.approx(2 / 6), pytest.approx(2 / 6))


def test_shares_have_wilson_s_interval_of_their_own_side() -> None:
    chances, truth = np.array([0.1, 0.3, 0.9, 0.1, 0.5]), np.array([1, 1, 1, 0, 0], bool)
    result = evaluate_operating_point(chances, truth, OperatingPoint(0.2, 0.8))
    assert result.sensitivity == pytest.approx((2 / 3, *compute_wilson_interval(2, 3)))
    assert result.specificity == pytest.approx((1.0, *compute_wilson_interval(2, 2)))
    assert (result.ruled_out, result.ruled_in) == (pytest.approx(2 / 5), pytest.approx(1 / 5))


def test_a_probability_at_the_point_is_undecided() -> None:
    point = OperatingPoint(0.2, 0.8)
    assert [apply_operating_point(p, point) for p in (0.19, 0.2, 0.8, 0.81)] == [
        RULED_OUT,
        OPEN,
        OPEN,
        RULED_IN,
    ]
    result = evaluate_operating_point([0.2, 0.8], [True, False], point)
    assert result.sensitivity[0] == result.specificity[0] == 1 and result.ruled_out == result.ruled_in == 0


def test_the_point_follows_the_allowed_shares() -> None:
    """Of ten with the type three may be lost, of ten without four."""
    chances = np.concatenate([np.linspace(0.05, 0.95, 10), np.linspace(0.0, 0.9, 10)])
    point = choose_operating_point(chances, np.arange(20) < 10, sensitivity=0.7, specificity=0.6)
    assert point == pytest.approx(((0.35 + 0.3) / 2, (0.5 + 0.55) / 2))


def test_a_tenth_of_ten_is_one_whatever_its_last_bit() -> None:
    """1 - 0.9 is a little less than a tenth; one of ten may be lost on either side all the same."""
    chances = np.concatenate([np.linspace(0.05, 0.95, 10), np.linspace(0.0, 0.9, 10)])
    point = choose_operating_point(chances, np.arange(20) < 10, sensitivity=0.9, specificity=0.9)
    assert point == pytest.approx(((0.15 + 0.1) / 2, (0.8 + 0.85) / 2))


def test_the_outermost_points_lie_midway_to_0_and_1() -> None:
    point = choose_operating_point([0.2, 0.3, 0.4, 0.6], [True, True, False, False])
    assert point == pytest.approx(((0.0 + 0.2) / 2, (0.6 + 1.0) / 2))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=60))
def test_both_shares_hold_on_the_cohort_of_the_point(patients: list[tuple[float, bool]]) -> None:
    chances, truth = np.array([p for p, _ in patients]), np.array([t for _, t in patients])
    if truth.all() or not truth.any():
        counts = f"there are {truth.sum()} and {(~truth).sum()}"
        with pytest.raises(ValueError, match=counts):
            choose_operating_point(chances, truth)
        return
    point = choose_operating_point(chances, truth)
    result = evaluate_operating_point(chances, truth, point)
    assert result.sensitivity[0] >= 0.95 and result.specificity[0] >= 0.95
    assert point.rule_out <= point.rule_in
