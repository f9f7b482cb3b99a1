"""The liver region on volumes small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from scripts.lidia.postprocess.liver_region import compute_liver_region, limit_length


def volume() -> np.ndarray:
    """A liver of 8x8x8 with a lesion on its rim, a vessel hole inside, and a spleen-like island."""
    classes = np.zeros((24, 20, 16), np.uint8)
    classes[4:12, 4:12, 4:12] = 1
    classes[12:14, 6:8, 6:8] = 2
    classes[7:9, 7:9, 7:9] = 0
    classes[20:22, 15:18, 10:12] = 1
    return classes


def test_lesions_belong_holes_are_filled_islands_are_not() -> None:
    region = compute_liver_region(volume(), (2, 2, 2), grow_mm=0.0)
    assert region.sum() == 8**3 + 2 * 2 * 2
    assert region[13, 7, 7] and region[8, 8, 8] and not region[21, 16, 11]


def test_growth_is_a_ball_of_millimetres() -> None:
    spacing = (1.0, 1.5, 2.5)
    liver = compute_liver_region(volume(), spacing, grow_mm=0.0)
    distance = distance_transform_edt(~liver, sampling=spacing)
    for grow in (0.9, 1.0, 3.0, 5.0):
        assert np.array_equal(compute_liver_region(volume(), spacing, grow_mm=grow), distance <= grow + 1e-6)


def test_growth_stops_at_the_border_of_the_volume() -> None:
    classes = np.ones((3, 3, 3), np.uint8)
    assert compute_liver_region(classes, (1, 1, 1), grow_mm=3.0).all()


def test_a_given_mask_takes_the_place_of_class_one() -> None:
    inputs = np.zeros_like(volume())
    inputs[10:12, 6:8, 6:8] = 1
    classes = volume()
    classes[20:22, 2:4, 2:4] = 3
    region = compute_liver_region(classes, (2, 2, 2), grow_mm=0.0, user_liver=inputs)
    assert region.sum() == 2 * 2 * 2 + 2 * 2 * 2, "the mask and the lesion that touches it"
    assert not region[21, 3, 3] and not region[5, 5, 5]


def test_a_given_mask_has_the_image_s_shape() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 2\)"):
        compute_liver_region(volume(), (1, 1, 1), user_liver=np.ones((2, 2, 2)))


def test_nothing_found_is_an_empty_region() -> None:
    assert not compute_liver_region(np.zeros((5, 5, 5)), (1, 1, 1)).any()
    assert not compute_liver_region(np.zeros((5, 5, 5)), (1, 1, 1), user_liver=np.zeros((5, 5, 5))).any()


def joined_balls(bridge: int) -> tuple[np.ndarray, np.ndarray]:
    """Two balls of radii 12 and 9 with a plate between them, 89 voxels in all, and the larger ball."""
    x, y, z = np.indices((31, 31, 100))
    first = (x - 15) ** 2 + (y - 15) ** 2 + (z - 20) ** 2 <= 144
    second = (x - 15) ** 2 + (y - 15) ** 2 + (z - 80) ** 2 <= 81
    plate = (abs(x - 15) < 6) & (y >= 15) & (y < 15 + bridge) & (z >= 20) & (z < 80)
    return first | second | plate, first


def test_a_region_longer_than_a_liver_loses_what_hangs_on_it_by_a_bridge() -> None:
    both, ball = joined_balls(bridge=3)
    cut = limit_length(both, (5.0, 5.0, 5.0), longest_mm=300.0)
    assert (cut & ball).sum() > 0.97 * ball.sum()
    assert not cut[:, :, 60:].any() and (cut & ~both).sum() == 0


def test_a_region_no_longer_than_a_liver_stays_as_it_is() -> None:
    both, _ = joined_balls(bridge=3)
    np.testing.assert_array_equal(limit_length(both, (3.0, 3.0, 3.0), longest_mm=300.0), both)


def test_a_region_that_no_cut_shortens_is_kept_in_part() -> None:
    bar = np.zeros((9, 9, 100), bool)
    bar[2:7, 2:7, 5:95] = True
    remaining = limit_length(bar, (5.0, 5.0, 5.0), longest_mm=300.0)
    assert remaining.any() and (remaining & ~bar).sum() == 0


def test_no_region_has_no_length() -> None:
    assert not limit_length(np.zeros((4, 4, 4), bool), (5.0, 5.0, 5.0), longest_mm=10.0).any()
