"""Distances up to a limit equal those of scipy's distance transform."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from scripts.lidia.morphometry.near_distance import measure_near_distance


def test_short_distances_equal_the_distance_transform() -> None:
    mask = np.random.default_rng(0).random((20, 18, 9)) > 0.02
    spacing = (0.8, 1.1, 2.5)
    expected = distance_transform_edt(mask, sampling=spacing)
    near = measure_near_distance(mask, spacing, 4.0)
    inside = expected <= 4.0
    assert (expected > 2.5).any() and inside.any()
    np.testing.assert_allclose(near[inside], expected[inside], rtol=1e-6)
    assert np.all(near[~inside] > 4.0)


def test_the_border_of_the_volume_is_not_outside() -> None:
    assert np.all(np.isinf(measure_near_distance(np.ones((3, 1, 5), bool), (1.0, 1.0, 1.0), 10.0)))
