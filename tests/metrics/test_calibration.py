"""Calibration against scikit-learn and against results known by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from scripts.lidia.metrics.platt_scaling import (
    Platt,
    PlattCovariance,
    apply_platt,
    compute_brier_score_and_skill,
    compute_calibration_error,
    compute_logit,
    compute_platt_interval,
    compute_slope_interval,
    estimate_platt_covariance,
    fit_platt,
)

ONCE = np.ones((1, 2000))


def world(slope: float, intercept: float, patients: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose truth follows a known line."""
    rng = np.random.default_rng(0)
    scores = rng.random(patients)
    return scores, rng.random(patients) < apply_platt(scores, Platt(slope, intercept))


def test_the_line_is_that_of_scikit_learn() -> None:
    scores, truth = world(0.6, -1.0)
    line = fit_platt(scores, truth, smooth=False)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(compute_logit(scores)[:, None], truth)
    assert line == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=1e-4)
    assert line == pytest.approx((0.6, -1.0), abs=0.15)
    assert fit_platt(scores, truth) == pytest.approx(line, abs=0.02)


def test_platt_s_targets_keep_a_perfect_score_finite() -> None:
    scores = np.array([0.0, 0.1, 0.2, 0.9, 1.0])
    line = fit_platt(scores, scores > 0.5)
    assert 0 < line.slope < 10 and np.isfinite(line.intercept)
    flat = fit_platt(np.full(6, 0.5), np.array([1, 0, 0, 1, 0, 0], bool))
    assert apply_platt([0.5], flat) == pytest.approx([(2 * 3 / 4 + 4 / 6) / 6], abs=1e-4)
    with pytest.raises(ValueError, match="0.* 2"):
        fit_platt([0.1, 0.2], [False, False])


def test_scaling_corrects_miscalibrated_scores() -> None:
    scores, truth = world(0.4, -1.5)
    before = compute_calibration_error(scores, truth, ONCE)[0]
    after = compute_calibration_error(apply_platt(scores, fit_platt(scores, truth)), truth, ONCE)[0]
    assert before > 0.2 and after < 0.03


def test_expected_error_by_hand() -> None:
    chances, truth = np.array([0.1, 0.1, 0.6, 0.6]), np.array([0, 0, 1, 0], bool)
    assert compute_calibration_error(chances, truth, np.ones((1, 4)), bins=2) == pytest.approx([
        (0.2 + 0.2) / 4
    ])
    weights = np.array([[0.0, 0, 2, 1]])
    assert compute_calibration_error(chances, truth, weights, bins=2) == pytest.approx([0.2 / 3])
    both = np.concatenate([np.ones((1, 4)), weights])
    assert compute_calibration_error(chances, truth, both, bins=2) == pytest.approx([0.1, 0.2 / 3])


def test_brier_and_its_skill() -> None:
    scores, truth = world(1.0, 0.0)
    score, skill = compute_brier_score_and_skill(scores, truth, ONCE)
    assert score[0] == pytest.approx(brier_score_loss(truth, scores))
    assert skill[0] == pytest.approx(1 - score[0] / (truth.mean() * (1 - truth.mean())))
    assert compute_brier_score_and_skill(np.full(2000, truth.mean()), truth, ONCE)[1] == pytest.approx([0])
    assert np.isnan(compute_brier_score_and_skill([0.2, 0.3], [False, False], np.ones((1, 2)))[1]).all()


def test_the_spread_is_that_of_refitted_lines() -> None:
    """Many cohorts drawn from one truth: their lines scatter as the spread of any one of them says."""
    true, rng = Platt(0.8, -0.5), np.random.default_rng(1)
    fits = []
    for _ in range(300):
        scores = rng.random(400)
        fits.append(fit_platt(scores, rng.random(400) < apply_platt(scores, true)))
    spread = estimate_platt_covariance(rng.random(400), true)
    result = np.cov(np.array(fits).T)
    assert spread.slope_variance == pytest.approx(result[0, 0], rel=0.35)
    assert spread.intercept_variance == pytest.approx(result[1, 1], rel=0.35)
    assert spread.covariance == pytest.approx(result[0, 1], abs=0.3 * np.sqrt(result[0, 0] * result[1, 1]))
    chance = apply_platt(0.9, true)
    hits = [
        low <= chance <= high
        for line in fits
        for low, high in [compute_platt_interval(0.9, line, estimate_platt_covariance(rng.random(400), line))]
    ]
    assert 0.9 < np.mean(hits) <= 0.99, "a 95 % interval holds the truth about that often"
    slopes = [compute_slope_interval(line, spread) for line in fits]
    assert 0.9 < np.mean([low <= true.slope <= high for low, high in slopes]) <= 0.99


def test_a_flat_line_has_the_spread_of_a_proportion() -> None:
    spread = estimate_platt_covariance(np.full(100, 0.3), Platt(0.0, float(np.log(0.2 / 0.8))))
    assert spread == pytest.approx((0, 0, 1 / (100 * 0.2 * 0.8)))


def test_log_odds_and_lines_by_hand() -> None:
    assert compute_logit([0.75, 0.5]) == pytest.approx([np.log(3), 0])
    assert compute_logit([0.0, 1.0]) == pytest.approx([np.log(1e-6), -np.log(1e-6)], rel=1e-6)
    assert apply_platt([0.75], Platt(2.0, -1.0)) == pytest.approx([9 / (9 + np.e)])


def test_smoothed_targets_are_shares_of_patients_to_scikit_learn() -> None:
    """With 3 of 7: a positive counts 4/5 as one, a negative 1/6."""
    scores = np.array([0.1, 0.6, 0.4, 0.8, 0.3, 0.2, 0.9])
    truth = np.array([0, 0, 0, 1, 0, 1, 1], bool)
    shares = np.where(truth, 4 / 5, 1 / 6)
    model = LogisticRegression(C=np.inf, tol=1e-12).fit(
        np.tile(compute_logit(scores), 2)[:, None], np.repeat([1, 0], 7), np.concatenate([shares, 1 - shares])
    )
    assert fit_platt(scores, truth) == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=1e-4)


def test_the_spread_is_the_inverse_of_the_likelihood_s_second_derivatives() -> None:
    scores, line = np.array([0.1, 0.3, 0.35, 0.6, 0.8]), Platt(0.7, -0.4)
    x = torch.from_numpy(compute_logit(scores))
    # The second derivatives of a logistic likelihood do not depend on what was observed.
    hessian = torch.autograd.functional.hessian(
        lambda at: torch.nn.functional.softplus(at[0] * x + at[1]).sum(), torch.tensor(line).double()
    )
    expected = torch.linalg.inv(hessian)
    result = estimate_platt_covariance(scores, line)
    assert result == pytest.approx(expected[[0, 0, 1], [0, 1, 1]].tolist(), rel=1e-4)


def test_intervals_of_a_line_and_of_a_probability_by_hand() -> None:
    line, spread = Platt(1.5, -0.5), PlattCovariance(0.04, -0.01, 0.09)
    assert compute_slope_interval(line, spread) == pytest.approx((1.5 - 1.959964 * 0.2, 1.5 + 1.959964 * 0.2))
    x = np.log(3)  # of a score of 0.75
    half = 1.959964 * np.sqrt(0.04 * x**2 - 0.02 * x + 0.09)
    expected = [1 / (1 + np.exp(-(1.5 * x - 0.5 + side * half))) for side in (-1, 1)]
    assert compute_platt_interval(0.75, line, spread) == pytest.approx(expected, rel=1e-6)
    sure = float(apply_platt(0.75, line))
    assert compute_platt_interval(0.75, line, PlattCovariance(0.0, 0.0, 0.0)) == pytest.approx((sure, sure))


def test_scores_that_are_not_finite_have_no_line() -> None:
    with pytest.raises(ValueError, match="not finite"):
        fit_platt([0.2, np.nan, 0.4], [True, False, True])


def test_weighted_brier_is_that_of_repeated_patients() -> None:
    chances, truth, weights = [0.2, 0.9, 0.6], np.array([0, 1, 0], bool), np.array([[1.0, 1, 1], [0, 2, 1]])
    score, skill = compute_brier_score_and_skill(chances, truth, weights)
    assert score == pytest.approx([(0.04 + 0.01 + 0.36) / 3, (2 * 0.01 + 0.36) / 3])
    assert skill == pytest.approx([1 - score[0] / (1 / 3 * 2 / 3), 1 - score[1] / (2 / 3 * 1 / 3)])


def test_ten_bins_hold_a_tenth_of_the_patients_each() -> None:
    """All of a bin have the type or none has, in turn: what lies above in one bin lies below in the next."""
    chances, truth = np.linspace(0.025, 0.975, 20), np.arange(20) // 2 % 2 == 1
    pairs = (chances - truth).reshape(10, 2).sum(axis=1)
    assert compute_calibration_error(chances, truth, np.ones((1, 20))) == pytest.approx([
        np.abs(pairs).sum() / 20
    ])
