"""The FROC curve against MONAI's, and against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from monai.metrics import compute_froc_curve_data, compute_froc_score

from scripts.lidia.metrics.detection_pairs import pair_detections
from scripts.lidia.metrics.froc import (
    MISSED,
    RATES,
    Detections,
    compute_froc,
    compute_sensitivity_at,
    measure_threshold,
)
from scripts.lidia.metrics.lesion_matching import find_lesions


def make_detections(truths: list[float], false: list[float], patients: int) -> Detections:
    index = np.arange(max(len(truths), len(false))) % patients
    return Detections(np.array(truths), index[: len(truths)], np.array(false), index[: len(false)], patients)


def test_points_by_hand() -> None:
    curve = compute_froc(make_detections([0.9, 0.6, 0.6, MISSED], [0.8, 0.6, 0.3], 2))
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.6, 0.3]
    assert curve.sensitivity.tolist() == [0, 0.25, 0.25, 0.75, 0.75]
    assert curve.false_per_patient.tolist() == [0, 0, 0.5, 1.0, 1.5]


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_and_its_score_are_those_of_monai(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, false = rng.random(40).round(6), rng.random(90).round(6)
    detections = make_detections([*found, MISSED, MISSED, MISSED], list(false), 9)
    rates, sensitivity = compute_froc_curve_data(false, found, num_targets=43, num_images=9)
    curve = compute_froc(detections)
    # MONAI leaves out the last point, at which everything is reported.
    cut = curve._replace(**{name: values[:-1] for name, values in curve._asdict().items()})
    ours = np.interp(RATES, cut.false_per_patient, cut.sensitivity)
    assert ours == pytest.approx(np.interp(RATES, rates[::-1], sensitivity[::-1]))
    low = RATES[:-1]  # these rates lie before MONAI's end of the curve
    score = compute_froc_score(rates, sensitivity, low)
    values = compute_sensitivity_at(detections, np.ones((1, 9)), low)
    assert values[0] == pytest.approx(ours[:-1]) and values[0].mean() == pytest.approx(score)


def test_a_draw_counts_each_patient_as_often_as_it_was_drawn() -> None:
    detections = make_detections([0.9, 0.2, 0.7, 0.4], [0.5, 0.8, 0.3], 4)
    weights = np.array([[2.0, 0, 1, 1]])
    repeated = Detections(
        np.array([0.9, 0.9, 0.7, 0.4]),
        np.array([0, 1, 2, 3]),
        np.array([0.5, 0.5, 0.3]),
        np.array([0, 1, 2]),
        4,
    )
    expected = compute_sensitivity_at(repeated, np.ones((1, 4)))
    assert compute_sensitivity_at(detections, weights) == pytest.approx(expected)


def test_without_truths_or_candidates() -> None:
    nothing = make_detections([], [0.5], 3)
    assert np.isnan(compute_sensitivity_at(nothing, np.ones((2, 3)))).all()
    silent = make_detections([MISSED], [], 3)
    assert compute_sensitivity_at(silent, np.ones((1, 3))).tolist() == [[0.0] * len(RATES)]
    assert np.isnan(measure_threshold(silent, 0.5).precision)


def test_rates_of_a_threshold() -> None:
    rates = measure_threshold(make_detections([0.9, 0.5, 0.4, MISSED], [0.8, 0.5, 0.1], 10), 0.5)
    assert rates == pytest.approx((0.5, 0.2, 0.5))


def test_pairs_contain_every_lesion_and_every_match() -> None:
    truth, candidates = np.zeros((12, 4, 4), np.uint8), np.zeros((12, 4, 4), np.uint8)
    truth[0:2], truth[6:8] = 2, 3
    candidates[1:3], candidates[10:11] = 2, 4
    pairs = pair_detections(*(find_lesions(volume, (3, 3, 3)) for volume in (candidates, truth)))
    kinds = [tuple(None if lesion is None else lesion.kind for lesion in pair[:2]) for pair in pairs]
    assert kinds == [(2, 2), (4, None), (None, 3)]
    assert pairs[0].dice == pytest.approx(0.5)
