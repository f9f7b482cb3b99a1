"""A patient's row: strata of size, thresholds, and the columns of each kind of result."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.metrics.cohort_metrics import summarise_cohort
from scripts.lidia.metrics.patient_rows import SCORES, Prediction, Protocol, measure_patient

SHAPE = (60, 10, 10)
SPACING = (2.0, 2.0, 2.0)


def cubes(*lesions: tuple[int, int, int]) -> np.ndarray:
    """Lesions `(class, first voxel along X, edge)` in a liver."""
    classes = np.ones(SHAPE, np.uint8)
    for kind, x, edge in lesions:
        classes[x : x + edge, 2 : 2 + edge, 2 : 2 + edge] = kind
    return classes


def row(predicted: np.ndarray, truth: np.ndarray, spacing=SPACING, **options) -> dict[str, float]:
    scores = dict.fromkeys(SCORES, 0.0)
    lesions = np.where(predicted > 1, predicted, 0).astype(np.uint8)
    inputs = Prediction(lesions, np.zeros(SHAPE, np.uint16), predicted > 0, scores, scores)
    return measure_patient(inputs, truth, np.zeros(SHAPE, np.uint16), spacing, **options).row


def table(*rows: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.array([entry[name] for entry in rows], float) for name in rows[0]}


@pytest.mark.parametrize(
    ("diameter", "stratum"),
    [
        (9.9, "under_10mm"),
        (10.1, "10_to_20mm"),
        (19.9, "10_to_20mm"),
        (20.1, "over_20mm"),
        (80.0, "over_20mm"),
    ],
)
def test_a_truth_s_size_is_the_diameter_of_the_ball_of_its_volume(diameter: float, stratum: str) -> None:
    edge = (np.pi / 6 * diameter**3 / 64) ** (1 / 3)  # of a voxel; a lesion has 64
    result = row(cubes((3, 4, 4)), cubes((2, 4, 4), (7, 20, 4)), (edge,) * 3)
    names = ("under_10mm", "10_to_20mm", "over_20mm")
    assert [result[f"truths_{name}"] for name in names] == [2 * (name == stratum) for name in names]
    assert [result[f"hits_{name}"] for name in names] == [1 * (name == stratum) for name in names]


def test_each_result_has_its_column() -> None:
    """An HCC called ICC, a cyst missed, a false FNH, and a prediction of 64 mm3."""
    result = row(cubes((3, 2, 4), (6, 20, 4), (8, 30, 2)), cubes((2, 2, 4), (7, 40, 4)))
    assert result["called_HCC_ICC"] == 1 and result["called_ICC_HCC"] == result["called_HCC_HCC"] == 0
    assert result["false_FNH"] == 1 and sum(result[name] for name in result if name.startswith("false_")) == 3
    assert (result["false_iou10"], result["missed_iou10"], result["hit_iou10"]) == (1, 1, 1)
    outcomes = [result[f"predicted_{name}"] for name in ("true", "false", "ignored", "small")]
    assert outcomes == [1, 1, 0, 1]
    assert (result["truths_HCC"], result["hits_HCC"], result["truths_cyst"], result["hits_cyst"]) == (
        1,
        1,
        1,
        0,
    )
    assert result["mm3_HCC"] == 512 and result["mm3_malignant"] == 512 and result["mm3_benign"] == 512


def test_every_threshold_of_the_protocol_is_used() -> None:
    message, truth = cubes((2, 3, 4)), cubes((2, 2, 4), (7, 40, 3))  # Dice 0.75, IoU 0.6
    plain = row(message, truth)
    assert (plain["hits_HCC"], plain["truths_cyst"], plain["truths_ignored"]) == (1, 1, 0)
    assert (plain["hit_iou10"], plain["hit_iou50"]) == (1, 1)
    assert row(message, truth, protocol=Protocol(overlap=0.8))["hits_HCC"] == 0
    large = row(message, truth, protocol=Protocol(counted_mm3=300.0))
    assert (large["truths_cyst"], large["truths_ignored"], large["missed_iou10"]) == (0, 1, 0)
    assert np.isnan(large["dice_cyst"]) and plain["dice_cyst"] == 0
    none = row(message, truth, protocol=Protocol(smallest_mm3=600.0))
    assert none["truths_HCC"] == none["predicted_true"] == 0 and none["mm3_HCC"] == 0
    strict = row(message, truth, protocol=Protocol(ious=(0.59, 0.61)))
    assert (strict["hit_iou59"], strict["hit_iou61"]) == (1, 0)


def test_a_patient_without_lesions_is_negative_for_any_volume() -> None:
    rows = [row(cubes(), cubes()), row(cubes(), cubes((2, 2, 4))), row(cubes(), cubes((9, 2, 4)))]
    summary = summarise_cohort(table(*rows), np.ones((1, 3)), protocol=Protocol(present_mm3=0.0))
    assert summary.counts["auc_malignant"] == 2, "the patient with an unclear lesion alone is left out"
    assert summary.notes["auc_malignant"] == "1 with, 1 without"
    assert summary.notes["auc_HCC"] == "1 with, 2 without" and summary.counts["auc_HCC"] == 3


def test_an_unclear_lesion_beside_a_typed_one_excludes_no_patient() -> None:
    rows = [row(cubes(), cubes((9, 2, 4), (kind, 20, 4))) for kind in (2, 5)]
    summary = summarise_cohort(table(*rows), np.ones((1, 2)))
    assert summary.counts["auc2"] == 2 and "auc2" not in summary.notes


def test_a_type_is_excluded_if_the_cohort_lacks_it_not_if_a_draw_does() -> None:
    rows = [row(cubes(), cubes(*((kind, 6 * kind - 10, 4) for kind in range(2, 10)))), row(cubes(), cubes())]
    summary = summarise_cohort(table(*rows), np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 1.0]]))
    assert "auc8" not in summary.notes and np.isnan(summary.values["auc_HCC"][1])
    assert summary.counts["auc8"] == 2 and summary.counts["ece"] == 2 and summary.counts["brier"] == 2
    assert summary.counts["precision"] == 0 and summary.counts["sensitivity"] == 8


def test_strict_sensitivity_counts_what_was_missed() -> None:
    summary = summarise_cohort(table(row(cubes((2, 2, 4)), cubes((2, 2, 4), (7, 40, 4)))), np.ones((1, 1)))
    assert summary.values["sensitivity_iou50"][0] == 0.5 and summary.values["precision_iou50"][0] == 1
    assert summary.values["dice_HCC"][0] == 1 and summary.values["dice_cyst"][0] == 0
    assert summary.counts["dice_HCC"] == 1 and summary.counts["dice_ICC"] == 0
