"""The plane between the lobes, computed by hand, for any storage order of the axes."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.morphometry.lobes import MIDDLE_MM, assign_lobe, find_lobe_plane


def bar() -> tuple[np.ndarray, np.ndarray]:
    """A liver of 90 voxels of 2 mm from left to right, at y = 0: x from 0 to 178 mm."""
    return np.ones((90, 1, 1), bool), np.diag([2.0, 2.0, 2.0, 1.0])


def test_a_third_of_the_liver_is_left() -> None:
    plane = find_lobe_plane(*bar())
    # the third of 0..178 mm is 59.33 mm, seen along the plane's normal, 30 degrees off the x axis
    assert plane == pytest.approx(59.333 * np.cos(np.pi / 6), abs=0.01)
    assert assign_lobe((120, 0, 0), plane) == "right"
    assert assign_lobe((10, 0, 0), plane) == "left"
    assert assign_lobe((60, 0, 0), plane) == "middle"


def test_the_plane_s_front_end_leans_to_the_right() -> None:
    plane = find_lobe_plane(*bar())
    assert plane is not None
    assert assign_lobe((80, -60, 0), plane) == "right"
    assert assign_lobe((80, 100, 0), plane) == "left"


def test_the_undecided_strip_has_its_stated_width() -> None:
    normal = np.array([np.cos(np.pi / 6), -0.5, 0])
    assert assign_lobe(normal * (MIDDLE_MM - 0.1), 0.0) == "middle"
    assert assign_lobe(normal * (MIDDLE_MM + 0.1), 0.0) == "right"
    assert assign_lobe(normal * -(MIDDLE_MM + 0.1), 0.0) == "left"


def test_a_volume_stored_the_other_way_round_gives_the_same_plane() -> None:
    liver, affine = bar()
    liver[70:] = False
    other = affine.copy()
    other[0, 0], other[0, 3] = -2, 178
    assert find_lobe_plane(liver[::-1], other) == pytest.approx(find_lobe_plane(liver, affine))


def test_without_a_liver_there_is_no_plane() -> None:
    assert find_lobe_plane(np.zeros((3, 3, 3)), np.eye(4)) is None
