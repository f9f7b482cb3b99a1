"""Uncertain lesions: a component is kept if one of its voxels is certainly a lesion."""

from __future__ import annotations

import numpy as np
import pytest
from postprocess.class_maps import AFFINE, SPACING, liver, one_hot

from scripts.lidia.postprocess.confidence_filter import (
    compute_mean_binary_entropy,
    drop_low_confidence_lesions,
)
from scripts.lidia.postprocess.diagnosis import diagnose


def two_lesions() -> tuple[np.ndarray, np.ndarray]:
    """A sure HCC and, at the liver's edge and beyond it, a metastasis that wins by a hair."""
    classes = liver()
    classes[6:10, 6:10, 6:10] = 2
    classes[20:28, 6:10, 6:10] = 4
    maps = one_hot(classes)
    maps[:, classes == 4] = np.array([0.1, 0.1, 0.05, 0.1, 0.4, 0.05, 0.05, 0.05, 0.05, 0.05])[:, None]
    maps[1, 20:24, 6:10, 6:10] += 0.05
    return classes, maps


def test_a_doubtful_component_goes_to_the_likelier_of_background_and_liver() -> None:
    classes, maps = two_lesions()
    remaining = drop_low_confidence_lesions(classes, maps, 0.85)
    assert (remaining[20:24, 6:10, 6:10] == 1).all() and (remaining[24:28, 6:10, 6:10] == 0).all()
    elsewhere = classes != 4
    assert np.array_equal(remaining[elsewhere], classes[elsewhere]) and (classes == 4).sum() == 8 * 16


def test_one_sure_voxel_keeps_the_whole_component() -> None:
    classes, maps = two_lesions()
    maps[4, 22, 7, 7] = 0.5  # lesion types sum to 0.9 there
    assert np.array_equal(drop_low_confidence_lesions(classes, maps, 0.85), classes)


def test_the_first_type_is_a_lesion_like_the_others_and_each_component_has_its_own_voxels() -> None:
    """Two doubtful HCC and a sure one: only what is sure stays, whatever its number."""
    classes = np.ones((12, 3, 3), np.uint8)
    classes[1:3], classes[5:7], classes[9:11] = 2, 2, 2
    maps = one_hot(classes, sure=0.5)
    maps[2, 5:7], maps[1, 5:7] = 0.95, 0.0
    remaining = drop_low_confidence_lesions(classes, maps, 0.96)
    assert (remaining[5:7] == 2).all() and (remaining[[1, 2, 9, 10]] != 2).all()
    assert np.array_equal(drop_low_confidence_lesions(classes, maps, 0.0), classes)
    surest = float(maps[2:, 5, 0, 0].sum())
    assert (drop_low_confidence_lesions(classes, maps, surest)[5:7] == 2).all(), (
        "just as sure as asked for is enough"
    )


def test_a_map_without_lesions_stays() -> None:
    classes = liver()
    assert np.array_equal(drop_low_confidence_lesions(classes, one_hot(classes), 0.9), classes)


def test_a_tie_of_background_and_liver_is_background() -> None:
    classes = np.full((2, 1, 1), 3, np.uint8)
    maps = np.full((10, 2, 1, 1), 0.1, np.float32)
    maps[1, 1] = 0.2
    assert drop_low_confidence_lesions(classes, maps, 0.99).ravel().tolist() == [0, 1]


@pytest.mark.parametrize(("confidence", "names"), [(0.0, {"HCC", "metastasis"}), (0.85, {"HCC"})])
def test_the_confidence_filter_changes_the_diagnosis(confidence: float, names: set[str]) -> None:
    _, maps = two_lesions()
    diagnosis = diagnose(maps, SPACING, AFFINE, confidence=confidence)
    assert {record["type"] for record in diagnosis.records} == names
    assert diagnosis.liver[22, 7, 7] and diagnosis.liver[26, 7, 7] == ("metastasis" in names)
    # The patient's score reads the map, not the lesions.
    assert diagnosis.livermax["metastasis"] == pytest.approx(0.4)


def test_entropy_is_one_bit_in_the_middle_and_none_at_the_ends() -> None:
    assert compute_mean_binary_entropy([0.5] * 8) == pytest.approx(1.0)
    assert compute_mean_binary_entropy([0.0, 1.0]) == pytest.approx(0.0, abs=1e-6)
    assert compute_mean_binary_entropy([0.25]) == pytest.approx(2 - 0.75 * np.log2(3))
    assert compute_mean_binary_entropy([0.1, 0.4]) == pytest.approx(compute_mean_binary_entropy([0.9, 0.6]))
