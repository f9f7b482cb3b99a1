"""One resampler: equal to smoothing and sampling by scipy in float64, for any orientation of the axes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.ndimage import affine_transform, gaussian_filter1d

from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample, resample_axis_aligned
from scripts.lidia.geometry.volume import Volume

SPACING = (2.5, 2.5, 3.0)
SHAPE = (18, 16, 14)
AFFINE = np.diag([*SPACING, 1.0])
AFFINE[:3, 3] = (-21.3, -18.2, -13.7)
GRID = Grid(AFFINE, SHAPE)


def turn(degrees: float) -> np.ndarray:
    """A rotation about S."""
    matrix = np.eye(4)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix[:2, :2] = [[c, -s], [s, c]]
    return matrix


def volume_of(axes: tuple[int, ...], signs: tuple[int, ...], degrees: float = 0.0) -> Volume:
    """Noise of 60 x 50 x 40 voxels round the origin, stored with its axes in this order and direction."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.9, 1.1, 1.3]) @ np.diag(signs) @ np.eye(3)[:, axes]
    size = np.array([60, 50, 40])[list(axes)]
    affine[:3, 3] = -affine[:3, :3] @ (size - 1) / 2
    hu = np.random.default_rng(0).normal(0, 100, size).astype(np.float32)
    return Volume(hu, turn(degrees) @ affine)


def image_of(volume: Volume) -> MetaTensor:
    return MetaTensor(torch.as_tensor(volume.voxels)[None], affine=torch.as_tensor(volume.affine))


def expect(volume: Volume, grid: Grid, targets: np.ndarray | None, order: int = 1) -> np.ndarray:
    """Smoothing by scikit-image's rule along the volume's own axes, then scipy's sampling in float64."""
    values = volume.voxels.astype(np.float64)
    if targets is not None:
        for axis, (step, target) in enumerate(zip(volume.spacing, targets, strict=True)):
            sigma = (target / step - 1) / 2
            if sigma > 0.2:
                values = gaussian_filter1d(values, sigma, axis, mode="nearest", truncate=3.0)
    chain = np.linalg.inv(volume.affine) @ grid.affine
    return affine_transform(values, chain, output_shape=grid.shape, order=order, mode="nearest")


@pytest.mark.parametrize("axes", list(permutations(range(3))))
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("degrees", [0.0, 7.0])
def test_linear_equals_scipy(axes: tuple[int, ...], antialias: bool, degrees: float) -> None:
    volume = volume_of(axes, (-1, 1, -1), degrees)
    targets = np.array(SPACING)[list(axes)] if antialias else None
    result = volume.resample(GRID, antialias=antialias, outside=None)
    assert result.shape == SHAPE and result.dtype == np.float32
    # HU of 100 (SD): float32 keeps 1e-5 of them; MONAI's indices, which oblique grids need, are float32 too
    np.testing.assert_allclose(result, expect(volume, GRID, targets), atol=1e-2 if degrees else 1e-3)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("degrees", [0.0, 7.0])
def test_nearest_takes_values_of_the_mask_alone(axes: tuple[int, ...], degrees: float) -> None:
    volume = volume_of(axes, (1, -1, 1), degrees)
    mask = Volume(np.rint(volume.voxels / 50), volume.affine)
    shift = np.eye(4)
    shift[:3, 3] = 0.07  # no voxel lies half-way between two others
    grid = Grid(shift @ AFFINE, SHAPE)
    result = mask.resample(grid, nearest=True, outside=-9.0)
    np.testing.assert_array_equal(result, expect(mask, grid, None, order=0))


@pytest.mark.parametrize("degrees", [0.0, 7.0])
def test_beyond_the_field_of_view_is_outside_or_the_edge(degrees: float) -> None:
    volume = volume_of((0, 1, 2), (1, 1, 1), degrees)
    shift = np.eye(4)
    shift[0, 3] = -20
    grid = Grid(shift @ AFFINE, SHAPE)
    index = np.linalg.inv(volume.affine)[:3, :3] @ grid.points() + np.linalg.inv(volume.affine)[:3, 3:]
    size = np.reshape(volume.shape, (3, 1))
    beyond = ((index < -0.5) | (index > size - 0.5)).any(axis=0).reshape(SHAPE)
    assert 0 < beyond.sum() < beyond.size
    for options in ({}, {"nearest": True}, {"antialias": True}):
        result = volume.resample(grid, outside=-1024.0, **options)
        np.testing.assert_array_equal(result == -1024, beyond)
    edge = volume.resample(grid, outside=None)
    np.testing.assert_allclose(edge, expect(volume, grid, None), atol=1e-2)


def test_several_channels_are_sampled_alike() -> None:
    volume = volume_of((2, 0, 1), (1, -1, 1))
    both = torch.as_tensor(np.stack([volume.voxels, -volume.voxels]))
    result = resample(MetaTensor(both, affine=torch.as_tensor(volume.affine)), GRID, outside=None).numpy()
    np.testing.assert_array_equal(result[0], -result[1])
    np.testing.assert_allclose(result[0], expect(volume, GRID, None), atol=1e-2)


def test_only_parallel_axes_are_sampled_axis_by_axis() -> None:
    image = image_of(volume_of((0, 1, 2), (1, 1, 1)))
    grid = Grid(turn(2) @ AFFINE, SHAPE)
    assert resample_axis_aligned(image, grid, antialias=False, outside=0.0) is None
    assert resample_axis_aligned(image, GRID, antialias=False, outside=0.0) is not None


def test_a_single_slice() -> None:
    volume = volume_of((0, 1, 2), (1, 1, 1)).crop((slice(0, 60), slice(0, 50), slice(0, 1)))
    result = volume.resample(GRID, antialias=True, outside=-1024.0)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("degrees", [0.0, 7.0])
def test_each_channel_is_sampled_as_if_it_were_alone(degrees: float) -> None:
    volume = volume_of((2, 0, 1), (-1, 1, -1), degrees)
    channels = torch.stack([torch.as_tensor(volume.voxels) * factor for factor in (1.0, -2.0, 0.0)])
    several = MetaTensor(channels, affine=torch.as_tensor(volume.affine))
    result = resample(several, GRID, outside=-7.0)
    assert result.shape == (3, *SHAPE) and not isinstance(result, MetaTensor)
    for channel, values in zip(result, channels, strict=True):
        alone = resample(MetaTensor(values[None], affine=several.affine), GRID, outside=-7.0)
        assert torch.equal(channel, alone[0])
