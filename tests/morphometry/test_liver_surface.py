"""Distances to the liver's surface against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.morphometry.liver_surface import LiverSurface


def block(start: tuple[int, int, int], stop: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((12, 12, 12), bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


LIVER = block((1, 1, 1), (11, 11, 11))


def test_a_lesion_at_the_surface_is_0_mm_away() -> None:
    assert LiverSurface(LIVER, (2.0, 3.0, 5.0)).distance_mm(block((1, 5, 5), (3, 7, 7))) == 0


def test_each_voxel_of_liver_between_counts_as_thick_as_it_is() -> None:
    # three voxels of 2 mm are left along x; along y four of 3 mm, along z four of 5 mm
    assert LiverSurface(LIVER, (2.0, 3.0, 5.0)).distance_mm(block((4, 5, 5), (7, 7, 7))) == pytest.approx(6)
    # along y two of 3 mm
    assert LiverSurface(LIVER, (2.0, 3.0, 5.0)).distance_mm(block((5, 3, 5), (7, 7, 7))) == pytest.approx(6)


def test_the_box_of_a_lesion_gives_what_the_whole_volume_gives() -> None:
    capsule, lesion = LiverSurface(LIVER, (1.0, 1.0, 1.0)), block((4, 6, 5), (5, 8, 7))
    assert capsule.distance_mm(lesion[4:5, 6:8, 5:7], (4, 6, 5)) == capsule.distance_mm(lesion) == 3


def test_where_the_scan_ends_there_is_no_surface() -> None:
    cut = block((1, 1, 0), (11, 11, 11))
    lesion = block((5, 5, 0), (7, 7, 2))
    assert LiverSurface(cut, (1.0, 1.0, 1.0)).distance_mm(lesion) == pytest.approx(4)


def test_without_liver_or_lesion_there_is_no_distance() -> None:
    nothing = np.zeros((4, 4, 4), bool)
    assert LiverSurface(nothing, (1, 1, 1)).distance_mm(~nothing) is None
    assert LiverSurface(np.ones((4, 4, 4)), (1, 1, 1)).distance_mm(~nothing) is None
    assert LiverSurface(LIVER, (1, 1, 1)).distance_mm(np.zeros((12, 12, 12))) is None
