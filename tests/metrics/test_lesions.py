"""Matching of lesions against numbers worked by hand, and against panoptica where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.metrics.lesion_matching import (
    count_shared_voxels,
    cross_tabulate_types,
    find_lesions,
    match_lesions,
)
from scripts.lidia.metrics.one_to_one_matching import match_one_to_one

SPACING = (2.0, 2.0, 2.0)
SHAPE = (40, 30, 20)


def volume(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """Cubes `(class, x, y, z, edge)`."""
    classes = np.ones(SHAPE, np.uint8)
    for kind, x, y, z, edge in boxes:
        classes[x : x + edge, y : y + edge, z : z + edge] = kind
    return classes


def matched(predicted: np.ndarray, truth: np.ndarray, **thresholds: float):
    return match_lesions(find_lesions(predicted, SPACING), find_lesions(truth, SPACING), **thresholds)


def outcomes(match) -> list[str]:
    return [guess.outcome for guess in match.predictions]


def make_three_lesions() -> tuple[np.ndarray, np.ndarray]:
    """True: HCC, cyst, metastasis. Predicted: the HCC, the cyst as hemangioma, a false ICC."""
    truth = volume((2, 2, 2, 2, 5), (7, 12, 2, 2, 5), (4, 22, 2, 2, 5))
    predicted = volume((2, 3, 2, 2, 5), (5, 12, 3, 2, 5), (3, 32, 20, 10, 5))
    return predicted, truth


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.int64])
def test_how_a_map_is_stored_changes_nothing(kind: type) -> None:
    predicted, truth = make_three_lesions()
    samples = np.where(truth > 1, 7, 0).astype(kind)
    assert find_lesions(predicted.astype(kind), SPACING).lesions == find_lesions(predicted, SPACING).lesions
    entry = find_lesions(truth.astype(kind), SPACING, samples)
    assert entry.lesions == find_lesions(truth, SPACING, samples.astype(np.uint8)).lesions
    assert [lesion.number for lesion in entry.lesions] == [7]


def test_a_lesion_keeps_its_place_in_the_volume() -> None:
    [lesion] = find_lesions(volume((2, 12, 7, 9, 5)), SPACING).lesions
    assert lesion.component.centre == (14.0, 9.0, 11.0) and lesion.component.box == np.s_[12:17, 7:12, 9:14]


def test_numbers_are_those_of_the_whole_volume_and_of_a_box_in_it() -> None:
    lesions = find_lesions(volume((2, 12, 7, 9, 5), (4, 30, 20, 0, 1)), SPACING)
    expected = np.zeros(SHAPE, np.uint32)
    expected[12:17, 7:12, 9:14] = 1
    assert np.array_equal(lesions.numbers, expected), "a single voxel is noise"
    assert np.array_equal(lesions.crop(np.s_[14:20, 8:10, 9:12]), expected[14:20, 8:10, 9:12])
    assert not find_lesions(volume(), SPACING).numbers.any()


def test_nan_is_not_a_lesion() -> None:
    classes = volume((2, 12, 7, 9, 5)).astype(np.float32)
    expected = find_lesions(classes, SPACING).lesions
    classes[12, 0, 0] = classes[20, 20, 12] = np.nan
    assert find_lesions(classes, SPACING).lesions == expected


def test_the_hand_case() -> None:
    match = matched(*make_three_lesions())
    assert outcomes(match) == ["true", "true", "false"]
    assert [truth.hit for truth in match.truths] == [True, True, False]
    assert [guess.kind for guess in match.predictions] == [2, 7, 0]
    table = cross_tabulate_types(match)
    assert table[0, 0] == 1 and table[5, 3] == 1 and table[8, 1] == 1 and table[2, 8] == 1
    assert table.sum() == 4
    predicted, truth = (find_lesions(entry, SPACING) for entry in make_three_lesions())
    assert match_one_to_one(predicted, truth, iou=0.1) == (2, 1, 1)
    assert match_one_to_one(predicted, truth, iou=0.7) == (0, 3, 3), "IoU of both pairs is 2/3"


def test_the_small_are_dropped_ignored_or_not_counted() -> None:
    truth = volume((2, 2, 2, 2, 1), (3, 12, 2, 2, 2), (4, 22, 2, 2, 3))
    predicted = volume((2, 2, 2, 2, 3), (3, 12, 2, 2, 3), (4, 22, 2, 2, 2))
    match = matched(predicted, truth)
    assert [entry.lesion.kind for entry in match.truths] == [3, 4], "8 mm3 is noise of the drawing"
    assert [entry.ignored for entry in match.truths] == [True, False]
    assert outcomes(match) == ["false", "ignored", "small"]
    assert not match.truths[1].hit, "216 mm3 found by 64 mm3 only"
    assert [guess.kind for guess in match.predictions] == [0, 0, 0]
    assert match_one_to_one(find_lesions(predicted, SPACING), find_lesions(truth, SPACING), iou=0.1) == (
        0,
        1,
        1,
    )


def test_one_prediction_over_two_truths_and_two_over_one() -> None:
    truth = volume((2, 2, 2, 2, 4), (3, 6, 2, 2, 4))
    joined = np.where(truth > 1, 2, 1)
    match = matched(joined, truth)
    assert outcomes(match) == ["true"] and all(entry.hit for entry in match.truths)
    lesions, real = find_lesions(joined, SPACING), find_lesions(truth, SPACING)
    assert match_one_to_one(lesions, real, iou=0.1) == (1, 0, 1)
    match = matched(truth, joined)
    assert sorted(outcomes(match)) == ["ignored", "true"]
    assert [entry.hit for entry in match.truths] == [True]
    assert cross_tabulate_types(match)[0, :2].tolist() == [1, 1], "both are typed against the one truth"
    assert match_one_to_one(real, lesions, iou=0.1) == (1, 1, 0)


def test_a_match_needs_dice_of_a_fifth() -> None:
    truth, predicted = volume((2, 2, 2, 2, 5)), volume((2, 6, 2, 2, 5))
    match = matched(predicted, truth)
    assert match.predictions[0].dice == pytest.approx(0.2) and outcomes(match) == ["true"]
    assert outcomes(matched(predicted, truth, overlap=0.21)) == ["false"]
    assert not matched(predicted, truth, overlap=0.21).truths[0].hit


def test_drawn_instances_part_touching_lesions_of_one_type() -> None:
    truth = volume((2, 2, 2, 2, 4), (2, 6, 2, 2, 4), (5, 20, 20, 10, 4))
    instances = np.zeros(SHAPE, np.int16)
    instances[2:6, 2:6, 2:6], instances[6:10, 2:6, 2:6] = 7, 3
    lesions = find_lesions(truth, SPACING, instances)
    assert [(entry.number, entry.kind) for entry in lesions.lesions] == [(3, 2), (7, 2), (8, 5)]
    assert len(find_lesions(truth, SPACING).lesions) == 2


def row(*strips: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """HCCs `(first, behind the last)` along X, five voxels wide; each with a number of its own."""
    classes, numbers = np.ones((60, 5, 5), np.uint8), np.zeros((60, 5, 5), np.int16)
    for number, (start, stop) in enumerate(strips, 1):
        classes[start:stop], numbers[start:stop] = 2, number
    return classes, numbers


def test_as_many_pairs_as_possible_come_before_the_best_pairs() -> None:
    """Each prediction has an IoU of 2/18 with its own truth, and of 8/12 with the next one."""
    predicted = [row((10 * k + 8, 10 * k + 18))[0] for k in range(4)]
    numbers = sum((k + 1) * (entry == 2).astype(np.int16) for k, entry in enumerate(predicted))
    joined = np.maximum.reduce(predicted)
    lesions = find_lesions(joined, SPACING, numbers)
    classes, samples = row(*((10 * k, 10 * k + 10) for k in range(4)))
    truth = find_lesions(classes, SPACING, samples)
    assert match_one_to_one(lesions, truth, iou=0.1) == (4, 0, 0)
    assert match_one_to_one(lesions, truth, iou=0.5) == (3, 1, 1)
    assert match_one_to_one(lesions, truth, iou=8 / 12) == (3, 1, 1), "an IoU of just that counts"


def test_a_number_that_spills_over_into_the_liver_is_only_the_lesion() -> None:
    truth = volume((4, 2, 2, 2, 4), (7, 20, 2, 2, 4))
    instances = np.zeros(SHAPE, np.int16)
    instances[1:8, 2:6, 2:6], instances[19:30, 2:6, 2:6] = 1, 2
    lesions = find_lesions(truth, SPACING, instances)
    assert [(entry.kind, entry.component.voxels) for entry in lesions.lesions] == [(4, 64), (7, 64)]
    assert (lesions.numbers > 0).sum() == 128


def test_a_lesion_has_the_class_of_most_of_its_voxels() -> None:
    truth, instances = volume((9, 2, 2, 2, 4), (3, 5, 2, 2, 1)), np.zeros(SHAPE, np.int16)
    instances[2:6, 2:6, 2:6] = 4
    assert [(entry.number, entry.kind) for entry in find_lesions(truth, SPACING, instances).lesions] == [
        (4, 9)
    ]


def test_the_best_match_of_a_truth_is_among_the_predictions_that_count() -> None:
    """27 voxels are too few to be counted from 300 mm3; the larger prediction overlaps less."""
    truth = volume((2, 4, 4, 4, 4))
    numbers = np.zeros(SHAPE, np.int16)
    numbers[4:7, 4:7, 4:7], numbers[7:12, 4:8, 4:8] = 3, 6
    predicted = np.where(numbers > 0, 2, 1)
    match = match_lesions(
        find_lesions(predicted, SPACING, numbers), find_lesions(truth, SPACING), counted_mm3=300.0
    )
    assert match.truths[0].best == 6 and match.truths[0].dice == pytest.approx(2 * 16 / (64 + 80))
    assert [(entry.best, round(entry.dice, 6)) for entry in match.predictions] == [
        (1, round(2 * 27 / (27 + 64), 6)),
        (1, round(32 / 144, 6)),
    ]
    assert outcomes(match) == ["small", "true"]


def test_a_lesion_without_overlap_has_no_best_match() -> None:
    match = matched(volume((2, 2, 2, 2, 4)), volume((3, 20, 20, 10, 4)))
    assert (match.truths[0].best, match.truths[0].dice) == (0, 0.0)
    assert (match.predictions[0].best, match.predictions[0].dice, match.predictions[0].kind) == (0, 0.0, 0)


def test_predictions_are_read_from_the_best_match_downwards() -> None:
    """Both hit the truth; the first in the list overlaps less, so it is the one that is ignored."""
    truth = row((10, 30))
    classes, numbers = row((5, 16), (16, 30))
    match = match_lesions(find_lesions(classes, SPACING, numbers), find_lesions(truth[0], SPACING, truth[1]))
    assert outcomes(match) == ["ignored", "true"] and match.truths[0].best == 2


def test_empty_sides() -> None:
    empty, full = volume(), make_three_lesions()[1]
    nothing = matched(empty, empty)
    assert nothing.truths == [] and nothing.predictions == [] and cross_tabulate_types(nothing).sum() == 0
    missed = matched(empty, full)
    assert [entry.hit for entry in missed.truths] == [False] * 3 and cross_tabulate_types(missed)[
        :, 8
    ].sum() == 3
    false = matched(full, empty)
    assert outcomes(false) == ["false"] * 3 and cross_tabulate_types(false)[8].sum() == 3
    for predicted, truth, counts in (
        (empty, empty, (0, 0, 0)),
        (empty, full, (0, 0, 3)),
        (full, empty, (0, 3, 0)),
    ):
        assert (
            match_one_to_one(find_lesions(predicted, SPACING), find_lesions(truth, SPACING), iou=0.5)
            == counts
        )


def scattered(seed: int) -> np.ndarray:
    """Cubes of one class at random places of a lattice, so that none touch."""
    rng = np.random.default_rng(seed)
    places = [(x, y, z) for x in (2, 12, 22, 32) for y in (2, 12, 22) for z in (2, 12)]
    return volume(*[
        (2, *(at + rng.integers(0, 3, 3)), int(rng.integers(3, 6)))
        for at in np.array(places)
        if rng.random() < 0.6
    ])


def greedy(predicted, truth, iou: float) -> int:
    """An independent count: pairs by falling IoU, each side once."""
    shared = count_shared_voxels(predicted, truth).astype(float)
    for row, entry in enumerate(predicted.lesions):
        for column, other in enumerate(truth.lesions):
            shared[row, column] /= entry.component.voxels + other.component.voxels - shared[row, column]
    hits = 0
    while shared.size and shared.max() >= iou:
        row, column = np.unravel_index(shared.argmax(), shared.shape)
        shared[row], shared[:, column], hits = 0, 0, hits + 1
    return hits


@pytest.mark.parametrize("seed", range(5))
def test_one_to_one_agrees_with_a_greedy_count(seed: int) -> None:
    predicted = find_lesions(scattered(seed), SPACING)
    truth = find_lesions(scattered(seed + 100), SPACING)
    for iou in (0.1, 0.5):
        hits, false, missed = match_one_to_one(predicted, truth, iou=iou)
        assert hits == greedy(predicted, truth, iou)
        assert hits + false == len(predicted.lesions) and hits + missed == len(truth.lesions)


@pytest.mark.parametrize("seed", range(3))
def test_one_to_one_agrees_with_panoptica(seed: int) -> None:
    panoptica = pytest.importorskip("panoptica")
    evaluator = panoptica.Panoptica_Evaluator(
        expected_input=panoptica.InputType.SEMANTIC,
        instance_approximator=panoptica.ConnectedComponentsInstanceApproximator(),
        instance_matcher=panoptica.NaiveThresholdMatching(matching_threshold=0.1),
    )
    masks = [(scattered(entry) > 1).astype(np.uint8) for entry in (seed, seed + 100)]
    (result,) = evaluator.evaluate(*masks, verbose=False).values()
    mine = match_one_to_one(*(find_lesions(2 * mask, SPACING) for mask in masks), iou=0.1)
    assert mine == (result.tp, result.fp, result.fn)
