"""LiverMax and the pixel count: the voxels that count, and those that do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.lidia.postprocess.class_map import classify_voxels
from scripts.lidia.postprocess.diagnosis import NO_LIVER, diagnose
from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.postprocess.livermax import compute_livermax
from scripts.lidia.postprocess.pixel_count import compute_pixel_count
from scripts.lidia.vocabulary import LESION_TYPES

SHAPE = (16, 14, 12)


def background() -> np.ndarray:
    maps = np.zeros((10, *SHAPE), np.float32)
    maps[0] = 1
    maps[:, 3:12, 3:11, 3:10] = 0
    maps[1, 3:12, 3:11, 3:10] = 1
    return maps


def paint(maps: np.ndarray, where: tuple[slice, ...], **types: float) -> None:
    maps[(slice(None), *where)] = 0
    for name, probability in types.items():
        maps[(2 + LESION_TYPES.index(name), *where)] = probability
    maps[(1, *where)] = 1 - sum(types.values())


def voxel(x: int, y: int, z: int) -> tuple[slice, slice, slice]:
    return slice(x, x + 1), slice(y, y + 1), slice(z, z + 1)


def inside(maps: np.ndarray) -> np.ndarray:
    return compute_liver_region(maps.argmax(0), (2, 2, 2))


def test_the_maximum_of_each_type_and_of_the_summed_groups() -> None:
    maps = background()
    paint(maps, voxel(5, 5, 5), HCC=0.4, ICC=0.35)
    paint(maps, voxel(8, 8, 8), metastasis=0.6, cyst=0.3)
    scores = compute_livermax(maps, inside(maps))
    assert list(scores) == [*LESION_TYPES, "malignant", "benign", "benign_authors"]
    assert scores["HCC"] == pytest.approx(0.4) and scores["ICC"] == pytest.approx(0.35)
    assert scores["malignant"] == pytest.approx(0.75), (
        "the sum of one voxel's channels, not of two voxels' maxima"
    )
    assert scores["benign"] == pytest.approx(0.3) and scores["others"] == 0


def test_voxels_outside_the_liver_never_count() -> None:
    maps = background()
    paint(maps, voxel(5, 5, 5), FNH=0.3)
    region = inside(maps)
    before = compute_livermax(maps, region)
    noise = np.random.default_rng(0).random(maps.shape, np.float32)
    noise[:, region] = maps[:, region]
    assert compute_livermax(noise, region) == before
    noise[:, ~region] = np.nan
    assert compute_livermax(noise, region) == before


def test_smoothing_takes_the_mean_of_27_voxels() -> None:
    maps = background()
    paint(maps, voxel(6, 6, 6), HCC=0.9)
    assert compute_livermax(maps, inside(maps), smooth=True)["HCC"] == pytest.approx(0.9 / 27)


def test_tensors_give_the_same_as_arrays() -> None:
    maps = background()
    paint(maps, voxel(5, 5, 5), others=0.7)
    region = inside(maps)
    assert compute_livermax(torch.from_numpy(maps), torch.from_numpy(region)) == compute_livermax(
        maps, region
    )


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_type_are_read(kind: torch.dtype) -> None:
    maps = background()
    paint(maps, voxel(5, 5, 5), others=0.75)
    plain = torch.from_numpy(maps).to(kind).requires_grad_()
    assert compute_livermax(plain, inside(maps))["others"] == 0.75


def test_a_probability_a_hair_above_one_is_one() -> None:
    maps = background()
    paint(maps, voxel(5, 5, 5), cyst=1.0)
    maps[7, 5, 5, 5] = 1.0001
    assert compute_livermax(maps, inside(maps))["cyst"] == 1.0


def test_a_mean_at_the_edge_repeats_the_edge() -> None:
    maps = np.zeros((10, 3, 3, 3), np.float32)
    maps[4, 0, 0, 0] = 0.9
    scores = compute_livermax(maps, np.ones((3, 3, 3)), smooth=True)
    assert scores["metastasis"] == pytest.approx(0.9 * 8 / 27)
    half = compute_livermax(maps.astype(np.float16), np.ones((3, 3, 3)), smooth=True)
    assert half["metastasis"] == pytest.approx(float(np.float16(0.9)) * 8 / 27, rel=1e-6)


def test_the_first_of_equal_classes_wins() -> None:
    maps = np.zeros((10, 1, 1, 3), np.float32)
    maps[[3, 5], 0, 0, 0], maps[[0, 9], 0, 0, 1], maps[9, 0, 0, 2] = 0.5, 0.5, 1.0
    assert classify_voxels(maps).ravel().tolist() == [3, 0, 9]


def test_a_voxel_is_a_lesion_by_the_sum_over_the_types() -> None:
    maps = np.zeros((10, 1, 1, 4), np.float32)
    maps[[0, 2, 3, 4], 0, 0, 0] = 0.4, 0.15, 0.25, 0.2  # background is the most probable single class
    maps[[0, 1, 2], 0, 0, 1] = 0.2, 0.5, 0.3
    maps[[0, 1, 7], 0, 0, 2] = 0.3, 0.2, 0.5
    maps[[0, 1], 0, 0, 3] = 0.3, 0.7
    assert classify_voxels(maps).ravel().tolist() == [3, 1, 0, 1]
    assert classify_voxels(maps, 0.2).ravel().tolist() == [3, 2, 7, 1]
    with pytest.raises(ValueError, match="finite"):
        classify_voxels(np.full((10, 1, 1, 1), np.nan, np.float32))


def test_no_liver_scores_zero_with_a_warning() -> None:
    maps = np.zeros((10, *SHAPE), np.float32)
    maps[0], maps[3] = 0.9, 0.1
    diagnosis = diagnose(maps, (2, 2, 2), np.eye(4))
    assert set(diagnosis.livermax.values()) == {0.0} and diagnosis.warnings == [NO_LIVER]
    assert not diagnosis.liver.any() and diagnosis.records == []


def test_scores_that_are_not_finite_are_an_error() -> None:
    maps = background()
    region = inside(maps)
    maps[4, 5, 5, 5] = np.nan
    with pytest.raises(ValueError, match="metastasis"):
        compute_livermax(maps, region)
    with pytest.raises(ValueError, match="not finite"):
        diagnose(maps, (2, 2, 2), np.eye(4))


def test_a_nan_in_any_channel_is_refused() -> None:
    for channel in (0, 9):
        maps = background()
        maps[channel, 0, 0, 0] = np.nan
        with pytest.raises(ValueError, match="not finite"):
            diagnose(maps, (2, 2, 2), np.eye(4))


def test_wrong_shapes_are_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"\(1, 10, \d+, \d+, \d+\)"):
        compute_livermax(background()[None], np.ones(SHAPE))
    with pytest.raises(ValueError, match=r"\(2, 2, 2\)"):
        compute_livermax(background(), np.ones((2, 2, 2)))


def test_the_pixel_count_is_a_volume() -> None:
    classes = np.zeros(SHAPE, np.uint8)
    classes[:2, :2, :2], classes[5, 5, 5], classes[8, 8, 8] = 2, 4, 7
    classes[10:] = 1
    scores = compute_pixel_count(classes, (1.0, 2.0, 3.0))
    assert scores["HCC"] == 48 and scores["metastasis"] == 6 and scores["cyst"] == 6
    assert scores["malignant"] == 54 and scores["benign"] == 6 and scores["others"] == 0


def test_a_weak_lesion_scores_by_livermax_alone() -> None:
    maps = background()
    paint(maps, (slice(5, 8),) * 3, calcification=0.4, others=0.05)
    diagnosis = diagnose(maps, (2, 2, 2), np.eye(4))
    assert diagnosis.pixelcount["calcification"] == 0
    assert diagnosis.livermax["calcification"] == pytest.approx(0.4)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_scores_are_the_largest_values_inside_whatever_the_order_in_memory(kind: type) -> None:
    rng = np.random.default_rng(0)
    maps = (rng.random((10, 5, 6, 7)) / 10).astype(kind)
    region = rng.random((5, 6, 7)) < 0.3
    values = maps[2:, region].astype(np.float32)
    result = compute_livermax(np.asfortranarray(maps), np.asfortranarray(region), groups={"both": (2, 5)})
    assert list(result.values()) == [*values.max(axis=1).tolist(), float((values[0] + values[3]).max())]
