"""Voxels that represent a lesion and the liver."""

from __future__ import annotations

import numpy as np

from scripts.lidia.morphometry.tissue_samples import MAX_SAMPLES, sample_mask, sample_parenchyma


def test_a_small_mask_is_read_whole_and_of_a_large_one_a_fair_draw() -> None:
    small = np.zeros((4, 4, 4), bool)
    small[1, 2, 3] = small[3, 0, 0] = True
    assert sample_mask(small).tolist() == [[1, 2, 3], [3, 0, 0]]
    large = np.ones((60, 60, 30), bool)
    index = sample_mask(large)
    assert len(np.unique(index, axis=0)) == MAX_SAMPLES
    assert np.array_equal(index, sample_mask(large))
    assert np.abs(index.mean(axis=0) - [29.5, 29.5, 14.5]).max() < 0.5


def test_the_liver_s_own_voxels_keep_their_distance() -> None:
    liver, lesions = np.zeros((20, 20, 10), bool), np.zeros((20, 20, 10), np.int32)
    liver[2:18, 2:18, 1:9] = True
    lesions[8:11, 8:11, 4:6] = 7
    index = sample_parenchyma(liver, lesions, (3.0, 3.0, 3.0))
    assert index.min(axis=0).tolist() == [3, 3, 2] and index.max(axis=0).tolist() == [16, 16, 7]
    near = (np.abs(index - [9, 9, 4.5]) <= [2, 2, 1.5]).all(axis=1)
    assert len(index) and not near.any()


def test_a_fine_grid_is_read_in_steps() -> None:
    liver = np.ones((60, 60, 20), bool)
    index = sample_parenchyma(liver, np.zeros_like(liver), (0.7, 0.7, 3.0))
    assert set(np.unique(np.diff(np.unique(index[:, 0])))) == {4}


def test_a_liver_that_is_too_thin_has_none() -> None:
    liver = np.zeros((9, 9, 9), bool)
    assert len(sample_parenchyma(liver, liver, (2, 2, 2))) == 0
    liver[4] = True
    assert len(sample_parenchyma(liver, np.zeros_like(liver), (2, 2, 2))) == 0
