"""Operating points of lesions, and the logistic regression behind their probability."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from scripts.lidia.metrics.froc import MISSED, Detections
from scripts.lidia.metrics.lesion_points import choose_lesion_points
from scripts.lidia.metrics.logistic_regression import fit_logistic


def make_detections(truths: list[float], false: list[float], patients: int) -> Detections:
    return Detections(
        np.array(truths), np.zeros(len(truths), int), np.array(false), np.zeros(len(false), int), patients
    )


def test_points_by_hand() -> None:
    """Ten patients: 0.9 true, 0.8 false, 0.7 true true, 0.5 false false, 0.4 true, 0.2 false x 8."""
    detections = make_detections([0.9, 0.7, 0.7, 0.4, MISSED], [0.8, 0.5, 0.5, *[0.2] * 8], 10)
    points = choose_lesion_points(detections, sensitive_false=1.0, specific_false=0.05)
    # F1 at 0.7: 2 * 3 / (5 + 4) = 0.67; at 0.4: 2 * 4 / (5 + 7) = 0.67; the first is taken
    assert points == pytest.approx({"sensitive": 0.3, "balanced": 0.6, "specific": 0.85})
    # 0.2 false lesions per patient: the point at 0.7 has 0.1, the next 0.3
    points = choose_lesion_points(detections, sensitive_false=0.2, specific_false=0.2)
    assert points == pytest.approx({"sensitive": 0.6, "balanced": 0.6, "specific": 0.6})


def test_no_true_lesion_is_an_error() -> None:
    with pytest.raises(ValueError, match="true lesions"):
        choose_lesion_points(make_detections([], [0.5], 3))


def test_the_regression_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3)) * [1.0, 4.0, 0.2] + [0.0, 3.0, 1.0]
    truth = rng.random(200) < 1 / (1 + np.exp(-(features @ [1.0, -0.5, 2.0])))
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(scaled, truth)
    weights = fit_logistic(features, truth)
    expected = reference.predict_proba(scaled)[:, 1]
    assert 1 / (1 + np.exp(-(features @ weights[:-1] + weights[-1]))) == pytest.approx(expected, abs=1e-5)


def test_separable_classes_and_a_constant_feature_stay_finite() -> None:
    weights = fit_logistic([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]], [False, False, True])
    assert np.isfinite(weights).all() and weights[0] > 0 and weights[1] == 0
    with pytest.raises(ValueError, match="positive and negative"):
        fit_logistic([[0.0], [1.0]], [True, True])
