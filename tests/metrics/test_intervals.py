"""Intervals: DeLong's test vector, Wilson by hand, the bootstrap against a plain loop and against theory."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scripts.lidia.metrics.intervals import (
    compare_by_delong,
    compute_delong,
    compute_delong_interval,
    compute_interval,
    compute_normal_quantile,
    compute_paired_difference,
    compute_wilson_interval,
    draw_patients,
)
from scripts.lidia.metrics.patient_auc import compute_auc

TRUTH = np.array([1] * 5 + [0] * 7, bool)
ONE = np.array([0.9, 0.8, 0.7, 0.55, 0.3, 0.6, 0.55, 0.4, 0.35, 0.2, 0.1, 0.05])
OTHER = np.array([0.6, 0.9, 0.4, 0.5, 0.45, 0.7, 0.3, 0.5, 0.2, 0.25, 0.1, 0.35])


def test_delong_on_its_vector() -> None:
    result = compute_delong([ONE, OTHER], TRUTH)
    assert result.areas == pytest.approx([0.842857, 0.814286], abs=1e-6)
    assert result.covariance == pytest.approx(
        np.array([[0.01619048, 0.00829932], [0.00829932, 0.01829932]]), abs=1e-8
    )
    assert compare_by_delong(ONE, OTHER, TRUTH) == pytest.approx((0.213606, 0.830855), abs=1e-6)
    assert compare_by_delong(ONE, ONE, TRUTH) == (0.0, 1.0)


def test_delong_interval_is_symmetric_in_the_logit() -> None:
    low, high = compute_delong_interval(ONE, TRUTH)
    assert 0 < low < 0.842857 < high < 1
    logits = np.log([value / (1 - value) for value in (low, 0.8428571, high)])
    assert logits[1] - logits[0] == pytest.approx(logits[2] - logits[1], rel=1e-5)
    assert compute_delong_interval(TRUTH.astype(float), TRUTH) is None
    assert compute_delong_interval([1, 2, 3], [True, False, False]) is None
    with pytest.raises(ValueError, match="two positives"):
        compute_delong([1, 2, 3], [True, False, False])


def test_delong_interval_by_hand() -> None:
    """Area 0.842857 of variance 0.0161905: 1.679642 on the logit, of standard error 0.127242 / 0.132449."""
    half = 1.959964 * 0.1272418 / (0.842857 * 0.157143)
    expected = [1 / (1 + np.exp(-(1.679642 + side * half))) for side in (-1, 1)]
    assert compute_delong_interval(ONE, TRUTH) == pytest.approx(expected, abs=1e-5)
    low, high = compute_delong_interval(ONE, TRUTH, level=0.5)
    assert expected[0] < low < 0.842857 < high < expected[1]
    assert compute_delong_interval([0.1, 0.4, 0.3, 0.8], [False, True, False, True]) is None, "an area of 1"
    assert compute_delong_interval([0.1, 0.3, 0.2, 0.8], [False, True, True, False]) is not None, (
        "two of each do"
    )
    assert compute_delong_interval([1, 1, 1, 1], [True, True, False, False]) is None, (
        "a half without any spread"
    )
    for positives in (1, 3):
        with pytest.raises(ValueError, match=f"{positives} and {4 - positives}"):
            compute_delong([1, 2, 3, 4], [number < positives for number in range(4)])
    with pytest.raises(ValueError, match="not finite"):
        compute_delong([1, 2, np.nan, 3], [True, True, False, False])


TWO_SIGMA = 0.954499736103641585600
"""Level of the normal interval from -2 to 2, where Wilson's formula is worked by hand."""


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (0, 6, 0.0, 4 / 10),  # z^2 / (n + z^2)
        (6, 6, 6 / 10, 1.0),
        (8, 10, (1 - 2 * 0.026**0.5) / 1.4, (1 + 2 * 0.026**0.5) / 1.4),
        (6, 12, 0.25, 0.75),  # 1/2 -+ 3/2 * sqrt(1/48 + 1/144)
    ],
)
def test_wilson_at_two_standard_deviations(hits: int, n: int, low: float, high: float) -> None:
    assert compute_wilson_interval(hits, n, TWO_SIGMA) == pytest.approx((low, high), abs=1e-12)


def test_percentiles_by_hand() -> None:
    values = np.concatenate([[40.0], np.arange(101.0)])
    result = compute_interval(values, 7)
    assert (result["value"], result["low"], result["high"], result["n"]) == pytest.approx((40, 2.5, 97.5, 7))
    assert compute_interval(values, 7, level=0.8)["low"] == pytest.approx(10)
    half = np.array([3.0, 1, np.nan, 2, np.nan])
    assert compute_interval(half, 4)["low"] == pytest.approx(1.025), "half of the draws are enough"
    assert compute_interval(np.array([3.0, 1, np.nan, np.nan, np.nan, 2, 4]), 4)["low"] is not None
    assert compute_interval(np.array([3.0, 1, np.nan, np.nan]), 4)["low"] is None


def test_p_is_twice_the_smaller_share_of_draws_beyond_nothing() -> None:
    gaps = np.array([0.5, -2, -1, -1, 1, 2, 3, 4, 5, 6, 7])
    assert compute_paired_difference(gaps, 0 * gaps, 9)["p"] == pytest.approx(2 * 3 / 10)
    assert compute_paired_difference(0 * gaps, gaps, 9)["p"] == pytest.approx(2 * 3 / 10)
    assert compute_paired_difference(abs(gaps), 0 * gaps, 9)["p"] == pytest.approx(2 / 11), "never 0"
    tied = np.array([0.0, -1, 0, 0, 1])
    assert compute_paired_difference(tied, 0 * tied, 9)["p"] == 1
    mostly = np.array([1.0, 0, 1, 2, 3])
    assert compute_paired_difference(mostly, 0 * mostly, 9)["p"] == pytest.approx(2 / 4), (
        "equal counts on both sides"
    )
    assert compute_paired_difference(np.full(3, np.nan), np.zeros(3), 9)["p"] is None


def test_every_patient_is_drawn_once_on_average() -> None:
    weights = draw_patients(8, 4000, seed=2)[1:]
    assert weights.mean(axis=0) == pytest.approx(np.ones(8), abs=0.06)
    assert weights.var(axis=0) == pytest.approx(np.full(8, 7 / 8), abs=0.08), "binomial, of 8 draws"
    assert (draw_patients(8, 0) == 1).all()


def test_deviations_of_a_normal_interval() -> None:
    assert compute_normal_quantile() == pytest.approx(1.959964, abs=1e-6)
    assert compute_normal_quantile(0.9) == pytest.approx(1.644854, abs=1e-6)


def test_wilson_by_hand() -> None:
    assert compute_wilson_interval(8, 10) == pytest.approx((0.490162, 0.943317), abs=1e-5)
    assert compute_wilson_interval(0, 10)[0] == 0 and compute_wilson_interval(10, 10)[1] == pytest.approx(1)
    with pytest.raises(ValueError, match="^n .* 0"):
        compute_wilson_interval(0, 0)


def test_draws_hold_the_cohort_first_and_repeat_by_seed() -> None:
    weights = draw_patients(30, 50, seed=3)
    assert weights.shape == (51, 30)
    assert (weights[0] == 1).all() and (weights.sum(axis=1) == 30).all()
    assert np.array_equal(weights, draw_patients(30, 50, seed=3))
    assert not np.array_equal(weights, draw_patients(30, 50, seed=4))
    assert draw_patients(30, 0).shape == (1, 30) and draw_patients(0, 10).shape == (11, 0)


def test_the_bootstrap_equals_a_loop_of_scikit_learn() -> None:
    weights = draw_patients(len(TRUTH), 200, seed=1)
    mine = compute_auc(ONE, TRUTH, weights)
    for draw, counts in zip(mine, weights.astype(int), strict=True):
        picked = np.repeat(np.arange(len(TRUTH)), counts)
        if TRUTH[picked].all() or not TRUTH[picked].any():
            assert np.isnan(draw)
        else:
            assert draw == pytest.approx(roc_auc_score(TRUTH[picked], ONE[picked]))


def test_the_bootstrap_of_a_mean_agrees_with_theory_and_takes_seconds() -> None:
    values = np.random.default_rng(0).normal(size=400)
    start = time.process_time()
    weights = draw_patients(400)
    result = compute_interval(weights @ values / weights.sum(axis=1), 400)
    compute_auc(values, values > 0.3, weights)
    assert time.process_time() - start < 5
    assert result["value"] == pytest.approx(values.mean()) and result["n"] == 400
    half = 1.96 * values.std() / 20
    assert result["low"] == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert result["high"] == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_intervals_that_cannot_be_computed_are_none() -> None:
    assert compute_interval(np.array([np.nan, 0.5]), 3) == {"value": None, "low": None, "high": None, "n": 3}
    subset = compute_interval(np.array([0.7, 0.6, np.nan, np.nan]), 3)
    assert subset == {"value": 0.7, "low": None, "high": None, "n": 3}
    assert compute_interval(np.array([0.7]), 3)["low"] is None


def test_paired_differences_share_their_draws() -> None:
    weights = draw_patients(len(TRUTH), 500)
    entry, other = (compute_auc(scores, TRUTH, weights) for scores in (ONE, OTHER))
    result = compute_paired_difference(entry, other, len(TRUTH))
    assert result["value"] == pytest.approx(0.028571, abs=1e-6) and result["low"] < 0 < result["high"]
    assert result["p"] > 0.3
    assert compute_paired_difference(entry + 0.5, entry, 12)["p"] < 0.01
    assert compute_paired_difference(entry, entry, 12)["p"] == 1
