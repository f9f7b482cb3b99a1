"""What is measured of a scan, against scans whose noise and blur are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.edge_preserving import TissueShares, denoise
from scripts.lidia.implant.scan_noise import make_noise_tile, measure_noise
from scripts.lidia.implant.scan_sharpness import USUAL, measure_blur

SPACING = (1.0, 1.0, 5.0)


def coloured(shape: tuple[int, int, int], level: float, width: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    for axis in (0, 1):
        noise = gaussian_filter1d(noise, width, axis=axis)
    return noise * level / noise.std()


@pytest.mark.parametrize(("level", "width"), [(8.0, 0.6), (15.0, 1.2)])
def test_noise_is_measured_and_made_again(level: float, width: float) -> None:
    hu = 100 + coloured((80, 80, 12), level, width)
    noise = measure_noise(hu, np.ones(hu.shape, bool), SPACING)
    assert abs(noise.level / level - 1) < 0.05
    middle = tuple(n // 2 for n in noise.correlation.shape)
    truth = np.exp(-1 / (4 * width**2))
    assert abs(noise.correlation[middle[0] + 1, middle[1], middle[2]] - truth) < 0.08
    assert abs(noise.correlation[middle[0], middle[1], middle[2] + 1]) < 0.05
    again = make_noise_tile(noise, seed=1)
    assert abs(np.corrcoef(again[1:].ravel(), again[:-1].ravel())[0, 1] - truth) < 0.08
    assert abs(again.std() - 1) < 1e-3


def test_a_slope_of_the_anatomy_is_no_noise() -> None:
    hu = 100 + coloured((80, 80, 12), 10, 0.8) + np.linspace(0, 60, 80, dtype=np.float32)[:, None, None]
    assert abs(measure_noise(hu, np.ones(hu.shape, bool), SPACING).level / 10 - 1) < 0.1


@pytest.mark.parametrize("blur", [0.7, 1.1, 1.6])
def test_blur_is_measured_at_the_skin(blur: float) -> None:
    x, y = np.meshgrid(np.arange(160), np.arange(160), indexing="ij")
    disc = np.where(np.hypot(x - 80.3, y - 79.6) < 60.4, 20.0, -1000.0).astype(np.float32)
    hu = np.repeat(gaussian_filter1d(gaussian_filter1d(disc, blur, axis=0), blur, axis=1)[:, :, None], 12, 2)
    assert abs(measure_blur(hu, SPACING) - blur) < 0.2
    assert measure_blur(np.full((20, 20, 9), 50, np.float32), SPACING) == USUAL


def test_denoising_keeps_edges_and_returns_the_remaining_noise() -> None:
    step = np.where(np.arange(80) < 40, 100, 250).astype(np.float32)[:, None, None] * np.ones((1, 60, 10))
    hu = step.astype(np.float32) + coloured(step.shape, 10, 0.7)
    clean, remaining = denoise(hu, SPACING, 10.0)
    assert clean[10:30].std() < 5
    assert clean[42].mean() - clean[37].mean() > 140
    assert remaining[10:30].mean() < 0.15 and remaining[39:41].mean() > 0.8


def test_a_voxel_half_of_each_gets_half_of_each() -> None:
    share = np.clip((np.arange(60) - 29.5) / 3 + 0.5, 0, 1).astype(np.float32)
    hu = (-100 + 250 * share)[:, None, None] * np.ones((1, 40, 9), np.float32)
    result = TissueShares(hu, SPACING, 5.0)(hu > 100)[:, 20, 4].astype(np.float32)
    np.testing.assert_allclose(result, share, atol=0.12)


def test_a_phantom_s_levels_and_tissues_are_found(anatomy: Anatomy, healthy) -> None:
    patient = healthy.patient
    assert abs(anatomy.maps.levels.liver - patient.liver[2]) < 4
    assert abs(anatomy.maps.levels.blood - patient.vessels["aorta"][2]) < 25
    assert 0.3 < anatomy.blur < 1.6
    kidney = anatomy.maps.shares[anatomy.maps.names.index("kidney")]
    assert 40 < (kidney > 0.5).sum() * np.prod(anatomy.source.spacing) / 1000 < 500
    x = anatomy.frame.x[np.argwhere(kidney > 0.5)[:, 0]]
    assert (x > 20).any() and (x < -20).any(), "one on each side"
