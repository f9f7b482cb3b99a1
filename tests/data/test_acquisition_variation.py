"""Variation of the acquisition against hand-worked numbers."""

from __future__ import annotations

import numpy as np
import torch

from scripts.lidia.data.acquisition_variation import (
    RandFieldOfView,
    RandKernel,
    RandOralContrast,
    RandSliceThickness,
)

SHAPE = (12, 10, 20)


class MiddleState(np.random.RandomState):
    """A random state that draws the middle of each range, and ones instead of normal values."""

    def uniform(self, low: float = 0.0, high: float = 1.0, size: None = None) -> float:
        return (low + high) / 2

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: tuple[int, ...] = ()) -> np.ndarray:
        return np.ones(size)


def make_item(value: float = 0.0) -> dict[str, torch.Tensor]:
    image = torch.full((4, *SHAPE), value)
    image[3] = torch.nan
    label = torch.zeros((2, *SHAPE), dtype=torch.int16)
    label[0, 4:9, 3:8, 5:15] = 1
    return {"image": image, "label": label}


def test_thick_slices_average_along_z() -> None:
    """Slices of 4 voxels: a ramp along Z stays a ramp, a single bright voxel becomes a quarter as bright."""
    transform = RandSliceThickness(prob=1.0, thickness_mm=(10.0, 10.0), spacing_mm=2.5, per_phase_prob=0.0)
    transform.set_random_state(0)
    matrix = transform.draw_matrix(20)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)
    ramp = torch.arange(20.0)
    np.testing.assert_allclose((matrix @ ramp)[4:16], ramp[4:16], atol=0.2)
    assert 0.15 < float(matrix[:, 10].max()) <= 0.251
    item = transform(make_item(0.3))
    torch.testing.assert_close(item["image"][:3], torch.full((3, *SHAPE), 0.3))
    assert torch.isnan(item["image"][3]).all()


def test_slices_of_one_voxel_at_its_centre_change_nothing() -> None:
    transform = RandSliceThickness(thickness_mm=(2.5, 2.5), spacing_mm=2.5)
    transform.R = MiddleState()
    np.testing.assert_allclose(transform.draw_matrix(9), np.eye(9), atol=1e-6)


def test_a_sharp_kernel_amplifies_differences_and_keeps_flat_regions() -> None:
    item = make_item(0.2)
    item["image"][0, 6, 5, 10] = 0.65
    transform = RandKernel(prob=1.0, amount=1.0)
    transform.set_random_state(1)
    factor = np.random.RandomState(1)
    factor.rand()
    amount = factor.uniform(0, 1.0)
    image = transform(item)["image"]
    # the mean over nine voxels of the slice is 0.2 + 0.45 / 9 = 0.25
    assert abs(float(image[0, 6, 5, 10]) - (0.65 + amount * (0.65 - 0.25))) < 1e-5
    assert abs(float(image[1].max()) - 0.2) < 1e-6 and torch.isnan(image[3]).all()


def test_the_field_of_view_ends_in_air_without_label() -> None:
    transform = RandFieldOfView(prob=1.0, depth=0.5)
    for seed in range(6):
        transform.set_random_state(seed)
        item = transform(make_item(0.1))
        air = item["image"][0] == -1
        assert torch.equal(air, item["image"][2] == -1) and torch.isnan(item["image"][3]).all()
        assert not item["label"][0][air].any()
        assert 0 <= air.float().mean() <= 0.5


def test_oral_contrast_fills_fluid_outside_the_liver_in_all_phases() -> None:
    # window -200 to 400: 20 HU are -0.267, 100 HU are 0
    item = make_item(0.0)
    item["image"][:3, :, :, :4] = -0.267
    item["image"][:3, 5:8, 4:7, 8:12] = -0.267
    before = item["image"].clone()
    transform = RandOralContrast(prob=1.0, hu=(300.0, 300.0))
    transform.R = MiddleState()
    image = transform(item)["image"]
    change = image - before
    assert (change[0, 2:-2, 2:-2, 1:2] > 0.9).all() and torch.equal(change[0], change[2])
    assert (change[0, 5:8, 4:7, 8:12] == 0).all() and torch.isnan(image[3]).all()
