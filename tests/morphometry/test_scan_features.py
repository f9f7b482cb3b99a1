"""Features of a scan against a hand-made body."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.morphometry.scan_features import measure_scan_features


def test_features_by_hand() -> None:
    hu = np.full((60, 60, 50), -200, np.float32)
    hu[5:55, 5:55] = -100  # fat
    hu[10:50, 10:50] = 40  # muscle
    liver = np.zeros(hu.shape, bool)
    liver[12:36, 12:36, 10:40] = True
    hu[12:36, 12:36, 10:40] = 110 + np.arange(-11.5, 12)[:, None, None]  # without two voxels: -9.5 to 9.5
    probability = np.where(liver, 0.9, 0.1).astype(np.float32)
    features = measure_scan_features(hu, liver, probability, (2.0, 2.0, 3.0))
    assert features["scan_height_mm"] == 150 and features["liver_height_mm"] == 90
    assert features["liver_ml"] == pytest.approx(24 * 24 * 30 * 12 / 1000)
    assert features["liver_sureness"] == pytest.approx(0.9)
    assert features["liver_hu"] == pytest.approx(110, abs=1)
    assert features["liver_sd_hu"] == pytest.approx(1.4826 * 5, rel=0.1)
    assert features["fat_hu"] == pytest.approx(-100, abs=5)
    assert features["fat_share"] == pytest.approx((50**2 - 40**2) / 50**2, rel=0.01)


def test_what_cannot_be_measured_is_missing() -> None:
    hu = np.full((20, 20, 20), 400, np.float32)
    features = measure_scan_features(hu, np.zeros(hu.shape, bool), np.zeros(hu.shape, np.float32), (2, 2, 2))
    assert features == {"scan_height_mm": 40, "fat_share": 0.0, "liver_ml": 0.0}
