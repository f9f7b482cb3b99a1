"""Rows of patients and their sums, worked by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, roc_auc_score

from scripts.lidia.metrics.cohort_metrics import summarise_cohort
from scripts.lidia.metrics.intervals import draw_patients
from scripts.lidia.metrics.patient_rows import SCORES, Prediction, Protocol, measure_patient
from scripts.lidia.metrics.platt_scaling import Platt, apply_platt, compute_calibration_error
from scripts.lidia.vocabulary import AUTHORS_BENIGN, BENIGN, LESION_TYPES, MALIGNANT

SPACING = (2.0, 2.0, 2.0)
SHAPE = (40, 16, 12)
GROUPS = {"malignant": MALIGNANT, "benign": BENIGN, "benign_authors": AUTHORS_BENIGN}
PLACES = ((2, 2, 2), (12, 2, 2), (22, 2, 2), (32, 2, 2))


def label(*kinds: int) -> np.ndarray:
    """Cubes of 512 mm3 in a liver, one a class; 0 leaves a place empty."""
    classes = np.ones(SHAPE, np.uint8)
    for kind, (x, y, z) in zip(kinds, PLACES, strict=False):
        classes[x : x + 4, y : y + 4, z : z + 4] = kind or 1
    return classes


def prediction(classes: np.ndarray, **scores: float) -> Prediction:
    lesions = np.where(classes > 1, classes, 0).astype(np.uint8)
    volumes = {name: float((lesions == kind).sum() * 8) for kind, name in enumerate(LESION_TYPES, 2)}
    volumes |= {
        name: sum(volumes[LESION_TYPES[kind - 2]] for kind in kinds) for name, kinds in GROUPS.items()
    }
    livermax = dict.fromkeys(SCORES, 0.05) | scores
    return Prediction(lesions, np.zeros(SHAPE, np.uint16), classes > 0, livermax, volumes)


def patient(predicted: np.ndarray, truth: np.ndarray, flags=None, **scores: float) -> dict[str, float]:
    nothing = np.zeros(SHAPE, np.uint16)
    return measure_patient(prediction(predicted, **scores), truth, nothing, SPACING, malignant=flags).row


def stack(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


def point(rows: list[dict[str, float]]) -> dict[str, float]:
    summary = summarise_cohort(stack(rows), np.ones((1, len(rows))))
    return {name: float(values[0]) for name, values in summary.values.items()}


def four() -> list[dict[str, float]]:
    """An HCC found; a cyst called hemangioma and a metastasis missed; nothing; a false ICC."""
    return [
        patient(label(2), label(2), HCC=0.9, malignant=0.9),
        patient(label(5), label(7, 4), cyst=0.4, hemangioma=0.5, benign=0.9, malignant=0.2),
        patient(label(), label(), cyst=0.5),
        patient(label(3), label(), ICC=0.7, malignant=0.7),
    ]


def test_the_hand_case_over_a_cohort() -> None:
    metrics = point(four())
    assert metrics["precision"] == pytest.approx(2 / 3) and metrics["sensitivity"] == pytest.approx(2 / 3)
    assert metrics["accuracy"] == pytest.approx(1 / 2)
    assert metrics["accuracy_with_missed"] == pytest.approx(1 / 3)
    assert metrics["macro_f1"] == pytest.approx(1 / 3), "HCC 1, hemangioma 0, cyst 0"
    assert metrics["sensitivity_HCC"] == 1 and metrics["sensitivity_metastasis"] == 0
    assert math.isnan(metrics["sensitivity_FNH"])
    assert metrics["precision_iou50"] == pytest.approx(2 / 3)
    assert metrics["dice"] == pytest.approx((1 + 2 / 3 + 0) / 3), "the patient without lesions stands aside"
    assert metrics["liver_dice"] == 1
    assert metrics["sensitivity_under_10mm"] == pytest.approx(2 / 3), "cubes of 512 mm3 are balls of 9.9 mm"


def test_areas_and_excluded_patients() -> None:
    summary = summarise_cohort(stack(four()), np.ones((1, 4)))
    metrics = {name: values[0] for name, values in summary.values.items()}
    assert metrics["auc_HCC"] == 1 and metrics["auc_metastasis"] == pytest.approx(0.5)
    assert metrics["auc_cyst"] == pytest.approx(2 / 3)
    assert math.isnan(metrics["auc_ICC"])
    assert metrics["auc8"] == pytest.approx((1 + 0.5 + 2 / 3) / 3)
    assert summary.notes["auc8"].startswith("left out: auc_ICC (0 with, 4 without), auc_hemangioma")
    assert metrics["auc_malignant"] == pytest.approx(roc_auc_score([1, 1, 0, 0], [0.9, 0.2, 0.05, 0.7]))
    assert metrics["auc2"] == pytest.approx((0.75 + 1) / 2)
    assert metrics["pixelcount_auc_HCC"] == 1 and metrics["pixelcount_auc_cyst"] == 0.5


def test_others_take_the_side_of_their_flag() -> None:
    rows = [
        patient(label(), label(9), {"1": True}, malignant=0.9),
        patient(label(), label(9), {"1": False}, benign=0.9),
        patient(label(), label(9), malignant=0.99, benign=0.99),
        patient(label(), label(9, 7), benign=0.8, benign_authors=0.9),
        patient(label(), label(5), benign=0.7, benign_authors=0.1),
    ]
    summary = summarise_cohort(stack(rows), np.ones((1, 5)))
    metrics = {name: values[0] for name, values in summary.values.items()}
    assert metrics["auc_malignant"] == metrics["auc_benign"] == metrics["auc2"] == 1
    assert summary.counts["auc2"] == 4 and summary.notes["auc2"].startswith("1 patients left out")
    assert math.isnan(metrics["auc_malignant_authors"]), "flags do not count there"
    assert metrics["auc_benign_authors"] == pytest.approx(0.75), "over all five, by its own score"


def test_every_number_agrees_with_scikit_learn_in_every_draw() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(40):
        kinds = rng.choice([0, 2, 4, 5, 7], 4, p=[0.4, 0.15, 0.15, 0.15, 0.15])
        guess = np.where(rng.random(4) < 0.7, kinds, rng.choice([0, 2, 4, 5, 7], 4))
        rows.append(patient(label(*guess), label(*kinds), HCC=float(rng.random()), cyst=float(rng.random())))
    table, weights = stack(rows), draw_patients(40, 30)
    values = summarise_cohort(table, weights).values
    for draw, counts in enumerate(weights.astype(int)):
        picked = np.repeat(np.arange(40), counts)
        truth = (table["mm3_HCC"] > 113)[picked]
        assert values["auc_HCC"][draw] == pytest.approx(roc_auc_score(truth, table["livermax_HCC"][picked]))
        pairs = [
            (name, other)
            for name in LESION_TYPES
            for other in LESION_TYPES
            for _ in range(int(table[f"called_{name}_{other}"][picked].sum()))
        ]
        real, called = zip(*pairs, strict=True)
        assert values["accuracy"][draw] == pytest.approx(accuracy_score(real, called))
        assert values["macro_f1"][draw] == pytest.approx(f1_score(real, called, average="macro"))


def test_every_row_has_the_same_columns() -> None:
    rows = [*four(), patient(label(2, 3, 4, 9), label())]
    assert len({tuple(row) for row in rows}) == 1
    strict = Protocol(ious=(0.3,))
    row = measure_patient(prediction(label(2)), label(2), np.zeros(SHAPE), SPACING, protocol=strict).row
    assert row["hit_iou30"] == 1 and "hit_iou10" not in row


def test_small_truths_are_liver_to_the_liver_and_nothing_to_lesions() -> None:
    truth = label(2)
    truth[30, 10, 10] = 5
    row = patient(label(2), truth)
    assert row["dice_liver"] == 1 and row["dice_lesions"] == 1 and math.isnan(row["dice_hemangioma"])
    assert row["mm3_hemangioma"] == 0 and row["truths_ignored"] == 0


def test_grids_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(\d+, \d+, \d+\).*\(5, \d+, \d+\)"):
        measure_patient(prediction(label()), label()[:5], label()[:5], SPACING)


def test_calibration_is_measured_after_its_lines() -> None:
    rng = np.random.default_rng(1)
    rows = four() * 10
    for row in rows:
        row["livermax_HCC"] = float(rng.random())
    table, lines = stack(rows), {"HCC": Platt(0.5, -2.0)}
    raw, mended = (summarise_cohort(table, np.ones((1, 40)), calibration=entry) for entry in (None, lines))
    assert raw.values["auc8"] == mended.values["auc8"]
    truth, scores, once = table["mm3_HCC"] > 113, table["livermax_HCC"], np.ones((1, 40))
    change = compute_calibration_error(
        apply_platt(scores, lines["HCC"]), truth, once
    ) - compute_calibration_error(scores, truth, once)
    assert mended.values["ece"] - raw.values["ece"] == pytest.approx(change / 3), "one of three types"
    assert "not calibrated" in raw.notes["ece"] and "not" not in mended.notes["ece"]


def test_brier_is_the_mean_over_the_types_that_some_have_and_some_have_not() -> None:
    table = stack(four())
    values = summarise_cohort(table, np.ones((1, 4))).values
    errors = [
        brier_score_loss(table[f"mm3_{name}"] > 113, table[f"livermax_{name}"])
        for name in ("HCC", "metastasis", "cyst")
    ]
    assert values["brier"][0] == pytest.approx(np.mean(errors))
    assert values["brier_skill"][0] == pytest.approx(1 - np.mean(errors) / (1 / 4 * 3 / 4)), "one of four"


def test_an_empty_cohort_has_no_numbers() -> None:
    nobody = {name: values[:0] for name, values in stack(four()).items()}
    summary = summarise_cohort(nobody, draw_patients(0, 5))
    assert all(np.isnan(values).all() for values in summary.values.values())
