"""Components, volumes, diameters and positions against numbers computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.lidia.components import (
    compute_centroid_mm,
    find_axial_axis,
    find_bounding_box,
    is_smaller,
    join_components,
    label_components,
    measure_components,
)
from scripts.lidia.diameter import measure_diameter_mm


def touching() -> np.ndarray:
    """A 2x2x2 cube of class 2 touching one of class 5 across a face, and a lone voxel of class 2."""
    classes = np.zeros((8, 6, 6), np.int16)
    classes[0:2, 0:2, 0:2] = 2
    classes[2:4, 0:2, 0:2] = 5
    classes[7, 5, 5] = 2
    classes[5, 5, 5] = -1
    return classes


def test_touching_classes_stay_apart_or_join() -> None:
    assert label_components(touching()).max() == 3
    assert join_components(touching()).max() == 2
    assert label_components(touching())[5, 5, 5] == 0


def test_corners_touch_with_26_neighbours_only() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert join_components(mask).max() == 1
    assert join_components(mask, connectivity=6).max() == 2


def test_volumes_and_places_in_millimetres() -> None:
    affine = np.diag([-2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = [10, 20, 30]
    first, second, third = measure_components(label_components(touching()), (2.0, 3.0, 4.0))
    assert first.voxels == 8
    assert first.volume_mm3 == pytest.approx(8 * 24)
    assert third.volume_mm3 == pytest.approx(24)
    assert first.centre == pytest.approx((0.5, 0.5, 0.5))
    assert compute_centroid_mm(second, affine) == pytest.approx((10 - 2 * 2.5, 20 + 1.5, 30 + 2.0))
    assert touching()[second.box].shape == (2, 2, 2)


def test_gaps_in_a_drawn_instance_map_are_allowed() -> None:
    samples = np.zeros((4, 4, 4), np.int16)
    samples[0, 0, 0], samples[3, 3, 3] = 7, 900
    assert [part.instance for part in measure_components(samples, (1, 1, 1))] == [7, 900]


def test_a_float32_spacing_does_not_tip_the_limit() -> None:
    assert not is_smaller(25 * float(np.float32(0.99999999)), 25.0)
    assert is_smaller(24.9, 25.0)


def test_empty_volumes() -> None:
    nothing = np.zeros((3, 3, 3))
    assert not label_components(nothing).any()
    assert measure_components(nothing, (1, 1, 1)) == []
    assert measure_diameter_mm(nothing, (1, 1, 1)) == 0


def test_tensors_and_meta_tensors_are_welcome() -> None:
    classes = torch.from_numpy(touching())
    assert np.array_equal(label_components(MetaTensor(classes)), label_components(touching()))
    with pytest.raises(ValueError, match="X Y Z"):
        label_components(classes[None])


def test_diameter_of_a_box_and_a_ball() -> None:
    box = np.ones((4, 2, 5), bool)
    assert measure_diameter_mm(box, (1.0, 1.0, 2.0)) == pytest.approx(np.hypot(4, 1))
    assert measure_diameter_mm(np.ones((1, 1, 1)), (0.7, 0.9, 5.0)) == pytest.approx(0.9)
    grid = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"))
    ball = (grid**2).sum(0) <= 10**2
    assert measure_diameter_mm(ball, (1, 1, 1)) == pytest.approx(20, abs=1.1)


def test_the_axial_plane_follows_the_affine() -> None:
    tall = np.ones((2, 3, 9), bool)
    assert measure_diameter_mm(tall, (1, 1, 1), axial=0) > 9
    sideways = np.zeros((4, 4))
    sideways[0, 2] = sideways[1, 0] = 1.0
    sideways[2, 1], sideways[3, 3] = 5.0, 1.0
    assert find_axial_axis(sideways) == 1


@pytest.mark.parametrize("order", ["C", "F"])
def test_components_are_described_as_by_looking_at_each(order: str) -> None:
    rng = np.random.default_rng(3)
    complete = rng.integers(-1, 4, (9, 7, 5)) * 1000 * (rng.random((9, 7, 5)) < 0.6)
    complete[4] = 2000  # runs through the ends of lines
    for samples in (np.asarray(complete, order=order), np.asarray(complete, order=order)[1:8, ::2, 1:]):
        parts = measure_components(samples, (1.0, 1.0, 2.0))
        assert [part.instance for part in parts] == [1000, 2000, 3000]
        for part in parts:
            at = np.argwhere(samples == part.instance)
            assert part.voxels == len(at) and part.volume_mm3 == 2 * len(at)
            assert part.centre == pytest.approx(at.mean(axis=0))
            assert part.box == tuple(map(slice, at.min(axis=0), at.max(axis=0) + 1))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_a_box_holds_what_is_above_a_value(order: str, kind: type) -> None:
    labels = np.ones((5, 6, 7), kind, order=order)
    assert find_bounding_box(labels, above=1) is None and find_bounding_box(np.zeros((2, 3, 4), bool)) is None
    labels[1, 2:4, 6], labels[3, 5, 0] = 2, 9
    assert find_bounding_box(labels, above=1) == np.s_[1:4, 2:6, 0:7]
    assert find_bounding_box(labels[::-1] > 1) == np.s_[1:4, 2:6, 0:7]
    assert find_bounding_box(labels, above=2) == np.s_[3:4, 5:6, 0:1]


def test_nan_hides_nothing_behind_it() -> None:
    labels = np.zeros((3, 3, 3), np.float32)
    labels[0, 1, 1], labels[2, 1, 1] = np.nan, 3
    assert find_bounding_box(labels) == np.s_[2:3, 1:2, 1:2]
