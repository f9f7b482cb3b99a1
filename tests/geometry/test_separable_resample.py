"""Axis by axis gives what smoothing and sampling of the whole volume give, in any orientation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from scripts.lidia.geometry.grid import resample, smooth_for_spacing
from scripts.lidia.geometry.separable_resample import resample_axis_aligned

SPACING = (2.5, 2.5, 3.0)
SHAPE = (18, 16, 14)
GRID = np.diag([*SPACING, 1.0])
GRID[:3, 3] = (-21.3, -18.2, -13.7)


def volume_of(axes: tuple[int, ...], signs: tuple[int, ...]) -> MetaTensor:
    """Noise of 60 x 50 x 40 voxels round the origin, stored with its axes in this order and direction."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.9, 1.1, 1.3]) @ np.diag(signs) @ np.eye(3)[:, axes]
    size = np.array([60, 50, 40])[list(axes)]
    affine[:3, 3] = -affine[:3, :3] @ (size - 1) / 2
    hu = torch.as_tensor(np.random.default_rng(0).normal(0, 100, size), dtype=torch.float32)
    return MetaTensor(hu[None], affine=torch.as_tensor(affine))


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("spacing", [SPACING, None])
def test_equal_to_the_long_way(axes: tuple[int, ...], spacing: tuple[float, ...] | None) -> None:
    volume = volume_of(axes, (-1, 1, -1))
    found = resample_axis_aligned(volume, GRID, SHAPE, spacing=spacing, outside=-1024.0)
    upright = Orientation(axcodes="RAS", labels=None)(volume)
    if spacing is not None:
        upright = smooth_for_spacing(upright, spacing)
    wanted = resample(upright, torch.as_tensor(GRID), SHAPE, outside=-1024.0)
    assert found is not None and found.shape == (1, *SHAPE) and found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0)


def test_what_was_not_scanned_is_outside() -> None:
    moved = GRID.copy()
    moved[0, 3] -= 20
    found = resample_axis_aligned(
        volume_of((0, 1, 2), (1, 1, 1)), moved, SHAPE, spacing=None, outside=-1024.0
    )
    assert found is not None
    edge = -0.9 * 59.5 / 2 - 0.45
    beyond = moved[0, 3] + 2.5 * np.arange(SHAPE[0]) < edge
    assert beyond.any() and ((found[0] == -1024).all(dim=(1, 2)).numpy() == beyond).all()


def test_a_turned_grid_has_to_go_the_long_way() -> None:
    turn = np.deg2rad(2)
    grid = np.array([
        [np.cos(turn), -np.sin(turn), 0, 0],
        [np.sin(turn), np.cos(turn), 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ])
    volume = volume_of((0, 1, 2), (1, 1, 1))
    assert resample_axis_aligned(volume, grid @ GRID, SHAPE, spacing=None, outside=0.0) is None


def test_a_single_slice() -> None:
    volume = volume_of((0, 1, 2), (1, 1, 1))[..., :1]
    found = resample_axis_aligned(volume, GRID, SHAPE, spacing=SPACING, outside=-1024.0)
    assert found is not None and torch.isfinite(found).all()
