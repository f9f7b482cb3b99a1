"""Grids and volumes: places, boxes, agreement, and sampling at points, by hand-worked numbers."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.geometry.grid import Grid, compute_coverage, crop_affine
from scripts.lidia.geometry.volume import Volume

FLIPPED = np.array([[-2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 5, -30], [0, 0, 0, 1]])
"""2 x 3 x 5 mm, x to the patient's left."""


def test_a_box_stays_where_it_is() -> None:
    box = (slice(1, 4), slice(2, 4), slice(3, 5))
    # 10 - 2 * 1, 20 + 3 * 2, -30 + 5 * 3
    assert crop_affine(FLIPPED, box)[:3, 3].tolist() == [8, 26, -15]
    volume = Volume(np.arange(120).reshape(4, 5, 6), FLIPPED)
    part = volume.crop(box)
    assert part.shape == (3, 2, 2) and part.voxels[0, 0, 0] == volume.voxels[1, 2, 3]
    assert part.grid.crop((slice(-1, 3), slice(-2, 3), slice(-3, 3))).affine.tolist() == FLIPPED.tolist()
    assert part.spacing.tolist() == [2, 3, 5]


def test_points_and_corners_are_voxel_centres() -> None:
    grid = Grid(FLIPPED, (2, 1, 2))
    expected = [[10, 20, -30], [10, 20, -25], [8, 20, -30], [8, 20, -25]]
    assert grid.points().T.tolist() == expected
    assert sorted(map(tuple, grid.corners().T.tolist())) == sorted(2 * [tuple(row) for row in expected])


def test_edge_voxels_are_whole() -> None:
    grid = Grid(FLIPPED, (4, 5, 6))
    x = np.array([11.0, 11.01, 3.0, 2.9])  # from 10 + 1 down to 10 - 3 * 2 - 1
    points = np.stack([x, np.full(4, 20.0), np.full(4, -30.0)])
    assert grid.contains(points).tolist() == [True, False, True, False]
    assert compute_coverage(points, *grid) == 0.5


@pytest.mark.parametrize(("shift_mm", "same"), [(0.019, True), (0.021, False)])
def test_grids_agree_within_a_hundredth_of_a_voxel(shift_mm: float, same: bool) -> None:
    volume = Volume(np.zeros((4, 5, 6)), FLIPPED)
    other = FLIPPED.copy()
    other[0, 3] += shift_mm
    assert volume.same_grid(Grid(other, (4, 5, 6))) is same
    assert not volume.same_grid(Grid(FLIPPED, (4, 5, 7)))


def test_points_are_sampled_linearly() -> None:
    x, y, z = np.indices((4, 5, 6))
    volume = Volume((100 * x + 10 * y + z).astype(np.float32), FLIPPED)
    # indices (0.5, 1, 2), half a voxel below the first slice, and a whole voxel below it
    points = np.array([[9.0, 10, 10], [23.0, 20, 20], [-20.0, -32.5, -35]])
    assert volume.sample_points(points, outside=-7.0).tolist() == [62, 0, -7]
    assert volume.sample_points(points, outside=-7.0, edge=0.0).tolist() == [62, -7, -7]
