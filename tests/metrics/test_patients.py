"""Areas under the curve against scikit-learn, and the classes of patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.metrics.patient_auc import compute_auc, compute_mean_auc, sum_true_volumes


def cohort(seed: int = 0, patients: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(patients) < 0.3
    return np.round(rng.normal(truth, 1.0), 1), truth


def test_areas_with_ties_agree_with_scikit_learn() -> None:
    scores, truth = cohort()
    assert compute_auc(scores, truth)[0] == pytest.approx(roc_auc_score(truth, scores))


def test_weights_are_repeated_patients() -> None:
    scores, truth = cohort()
    weights = np.random.default_rng(1).integers(0, 4, (20, len(scores))).astype(float)
    mine = compute_auc(scores, truth, weights)
    for draw, counts in zip(mine, weights.astype(int), strict=True):
        expected = roc_auc_score(np.repeat(truth, counts), np.repeat(scores, counts))
        assert draw == pytest.approx(expected)


def test_all_tied_is_a_half_and_one_sided_is_nothing() -> None:
    assert compute_auc([1, 1, 1], [True, False, False]) == pytest.approx([0.5])
    assert np.isnan(compute_auc([1, 2], [True, True])).all()
    assert np.isnan(compute_auc([], [])).all()


def test_scores_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"^1 of 3 .* patient 1\b"):
        compute_auc([0.1, np.nan, 0.3], [True, False, True])


def test_a_mean_leaves_out_what_cannot_be_taken() -> None:
    areas = {"a": np.array([0.9, 0.8, np.nan]), "b": np.array([0.5, 0.6, 0.6]), "c": np.full(3, np.nan)}
    assert compute_mean_auc(areas) == pytest.approx([0.7, 0.7, 0.8])
    assert np.isnan(compute_mean_auc({"c": np.full(3, np.nan)})).all()
    areas = {"a": np.array([0.8, 1.0, 0.0]), "b": np.array([1.0, np.nan, np.nan])}
    assert compute_mean_auc(areas) == pytest.approx([0.9, 1.0, 0.1]), "no area is above 1"


def test_volumes_by_type_and_side() -> None:
    classes = np.zeros((20, 12, 6), np.uint8)
    instances = np.zeros(classes.shape, np.int16)
    for number, kind in enumerate((2, 5, 7, 9, 9, 9), 1):
        classes[3 * number - 3 : 3 * number - 1, 2:4, 2:4] = kind
        instances[3 * number - 3 : 3 * number - 1, 2:4, 2:4] = number
    lesions = find_lesions(classes, (2, 2, 2), instances).lesions
    volumes = sum_true_volumes(lesions, {"4": True, "5": False})
    assert volumes["HCC"] == 64 and volumes["others"] == 3 * 64 and volumes["FNH"] == 0
    assert volumes["malignant"] == 128 and volumes["benign"] == 3 * 64
    assert volumes["benign_authors"] == 64 and volumes["unsided"] == 64
    assert sum_true_volumes(lesions)["unsided"] == 3 * 64
