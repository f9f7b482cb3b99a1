"""Lesions below an operating point: a lesion is kept if one of its voxels is certainly a lesion."""

from __future__ import annotations

import numpy as np
import pytest
from postprocess.class_maps import AFFINE, SPACING, liver, one_hot

from scripts.lidia.postprocess.class_map import clear_lesions
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


def test_a_cleared_lesion_goes_to_the_likelier_of_background_and_liver() -> None:
    classes, maps = two_lesions()
    cleared = clear_lesions(classes, maps, classes == 4)
    assert (cleared[20:24, 6:10, 6:10] == 1).all() and (cleared[24:28, 6:10, 6:10] == 0).all()
    elsewhere = classes != 4
    assert np.array_equal(cleared[elsewhere], classes[elsewhere]) and (classes == 4).sum() == 8 * 16


def test_a_tie_of_background_and_liver_is_background() -> None:
    classes = np.full((2, 1, 1), 3, np.uint8)
    maps = np.full((10, 2, 1, 1), 0.1, np.float32)
    maps[1, 1] = 0.2
    assert clear_lesions(classes, maps, classes == 3).ravel().tolist() == [0, 1]


@pytest.mark.parametrize(("threshold", "names"), [(0.0, {"HCC", "metastasis"}), (0.85, {"HCC"})])
def test_the_threshold_changes_the_diagnosis(threshold: float, names: set[str]) -> None:
    _, maps = two_lesions()
    diagnosis = diagnose(maps, SPACING, AFFINE, min_existence=threshold)
    assert {record["type"] for record in diagnosis.records} == names
    assert diagnosis.liver[22, 7, 7] and diagnosis.liver[26, 7, 7] == ("metastasis" in names)
    # The patient's score reads the map, not the lesions.
    assert diagnosis.livermax["metastasis"] == pytest.approx(0.4)


def test_one_sure_voxel_keeps_the_whole_lesion() -> None:
    _, maps = two_lesions()
    maps[4, 22, 7, 7] = 0.5  # lesion types sum to 0.9 there
    diagnosis = diagnose(maps, SPACING, AFFINE, min_existence=0.85)
    assert (diagnosis.classes == 4).sum() == 8 * 16


def test_each_lesion_has_its_own_voxels_and_the_threshold_itself_is_enough() -> None:
    """Two doubtful HCC and a sure one: only what is sure stays, whatever its number."""
    classes = liver()
    for start in (6, 12, 18):
        classes[start : start + 4, 6:10, 6:10] = 2
    maps = one_hot(classes, sure=0.5)
    maps[2, 12:16, 6:10, 6:10], maps[1, 12:16, 6:10, 6:10] = 0.55, 0.0
    surest = max(record["existence"] for record in diagnose(maps, SPACING, AFFINE).records)
    assert surest == pytest.approx(0.55 + 7 * 0.5 / 9)
    diagnosis = diagnose(maps, SPACING, AFFINE, min_existence=surest)
    assert (diagnosis.classes[12:16, 6:10, 6:10] == 2).all() and (diagnosis.classes > 0).sum() == 64
    assert diagnosis.left_out["doubtful"] == 2


def test_a_map_without_lesions_has_none_above_any_threshold() -> None:
    diagnosis = diagnose(one_hot(liver()), SPACING, AFFINE, min_existence=0.9)
    assert diagnosis.records == [] and diagnosis.left_out["doubtful"] == 0
