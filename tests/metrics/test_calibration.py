"""Calibration against scikit-learn and against what is known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from scripts.lidia.metrics.calibration import (
    Platt,
    apply_platt,
    brier,
    expected_error,
    fit_platt,
    logit,
    platt_interval,
    platt_spread,
    slope_interval,
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
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(scores)[:, None], truth)
    assert line == pytest.approx((model.coef_[0, 0], model.intercept_[0]), abs=1e-4)
    assert line == pytest.approx((0.6, -1.0), abs=0.15)
    assert fit_platt(scores, truth) == pytest.approx(line, abs=0.02)


def test_platt_s_targets_keep_a_perfect_score_finite() -> None:
    scores = np.array([0.0, 0.1, 0.2, 0.9, 1.0])
    line = fit_platt(scores, scores > 0.5)
    assert 0 < line.slope < 10 and np.isfinite(line.intercept)
    flat = fit_platt(np.full(6, 0.5), np.array([1, 0, 0, 1, 0, 0], bool))
    assert apply_platt([0.5], flat) == pytest.approx([(2 * 3 / 4 + 4 / 6) / 6], abs=1e-4)
    with pytest.raises(ValueError, match="here are 0 and 2"):
        fit_platt([0.1, 0.2], [False, False])


def test_scaling_mends_what_is_wrong() -> None:
    scores, truth = world(0.4, -1.5)
    before = expected_error(scores, truth, ONCE)[0]
    after = expected_error(apply_platt(scores, fit_platt(scores, truth)), truth, ONCE)[0]
    assert before > 0.2 and after < 0.03


def test_expected_error_by_hand() -> None:
    chances, truth = np.array([0.1, 0.1, 0.6, 0.6]), np.array([0, 0, 1, 0], bool)
    assert expected_error(chances, truth, np.ones((1, 4)), bins=2) == pytest.approx([(0.2 + 0.2) / 4])
    weights = np.array([[0.0, 0, 2, 1]])
    assert expected_error(chances, truth, weights, bins=2) == pytest.approx([0.2 / 3])


def test_brier_and_its_skill() -> None:
    scores, truth = world(1.0, 0.0)
    score, skill = brier(scores, truth, ONCE)
    assert score[0] == pytest.approx(brier_score_loss(truth, scores))
    assert skill[0] == pytest.approx(1 - score[0] / (truth.mean() * (1 - truth.mean())))
    assert brier(np.full(2000, truth.mean()), truth, ONCE)[1] == pytest.approx([0])
    assert np.isnan(brier([0.2, 0.3], [False, False], np.ones((1, 2)))[1]).all()


def test_the_spread_is_that_of_refitted_lines() -> None:
    """Many cohorts drawn from one truth: their lines scatter as the spread of any one of them says."""
    true, rng = Platt(0.8, -0.5), np.random.default_rng(1)
    fits = []
    for _ in range(300):
        scores = rng.random(400)
        fits.append(fit_platt(scores, rng.random(400) < apply_platt(scores, true)))
    said = platt_spread(rng.random(400), true)
    found = np.cov(np.array(fits).T)
    assert said.slope == pytest.approx(found[0, 0], rel=0.35)
    assert said.intercept == pytest.approx(found[1, 1], rel=0.35)
    assert said.both == pytest.approx(found[0, 1], abs=0.3 * np.sqrt(found[0, 0] * found[1, 1]))
    chance = apply_platt(0.9, true)
    hits = [
        low <= chance <= high
        for line in fits
        for low, high in [platt_interval(0.9, line, platt_spread(rng.random(400), line))]
    ]
    assert 0.9 < np.mean(hits) <= 0.99, "a 95 % interval holds the truth about that often"
    slopes = [slope_interval(line, said) for line in fits]
    assert 0.9 < np.mean([low <= true.slope <= high for low, high in slopes]) <= 0.99


def test_a_flat_line_has_the_spread_of_a_proportion() -> None:
    spread = platt_spread(np.full(100, 0.3), Platt(0.0, float(np.log(0.2 / 0.8))))
    assert spread == pytest.approx((0, 0, 1 / (100 * 0.2 * 0.8)))
