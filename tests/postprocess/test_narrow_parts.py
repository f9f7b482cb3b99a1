"""Parts of the liver behind a narrow bridge."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.postprocess.diagnosis import diagnose
from scripts.lidia.postprocess.narrow_parts import remove_narrow_parts


def draw_liver_with_patch(bridge: int, patch_side: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Draws a cube of 40 voxels and a slab 20 voxels long, joined by a bridge `bridge` voxels wide."""
    liver = np.zeros((80, 50, 50), bool)
    liver[5:45, 5:45, 5:45] = True
    patch = np.zeros_like(liver)
    side = slice(25 - patch_side // 2, 25 + patch_side // 2)
    patch[55:75, side, side] = True
    low = 25 - bridge // 2
    whole = liver | patch
    whole[45:55, low : low + bridge, low : low + bridge] = True
    return whole, patch


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 2.0)])
def test_a_part_behind_a_narrow_bridge_is_removed(spacing: tuple[float, float, float]) -> None:
    whole, patch = draw_liver_with_patch(4)
    kept = remove_narrow_parts(whole, 1.0 - whole, spacing, 6.0)
    assert not kept[60:].any() and kept[5:45, 5:45, 5:45].mean() > 0.98
    assert (kept <= whole).all() and patch[60:].any()


@pytest.mark.parametrize(("probability", "stays"), [(0.85, True), (0.75, False)])
def test_a_lobe_behind_a_narrow_bridge_stays_if_the_network_is_sure_of_it(
    probability: float, stays: bool
) -> None:
    whole, lobe = draw_liver_with_patch(4, patch_side=24)
    assert lobe.sum() > 0.1 * whole.sum()
    background = 1 - np.where(lobe, probability, 0.95 * whole).astype(np.float32)
    kept = remove_narrow_parts(whole, background, (2.0, 2.0, 2.0), 6.0)
    assert (kept[lobe].mean() > 0.98) if stays else not kept[60:].any()


def test_a_part_behind_a_wide_bridge_stays() -> None:
    whole, _ = draw_liver_with_patch(20, patch_side=30)
    assert (remove_narrow_parts(whole, 1.0 - whole, (2.0, 2.0, 2.0), 6.0) == whole).mean() > 0.999


def test_a_mask_without_a_core_and_a_disabled_rule_change_nothing() -> None:
    whole, _ = draw_liver_with_patch(4)
    assert remove_narrow_parts(whole, 1.0 - whole, (2.0, 2.0, 2.0), 0.0) is whole
    thin = np.zeros((30, 30, 30), bool)
    thin[:, 14:16] = True
    assert remove_narrow_parts(thin, 1.0 - thin, (2.0, 2.0, 2.0), 6.0) is thin
    full = np.ones((20, 20, 20), bool)
    assert remove_narrow_parts(full, 1.0 - full, (2.0, 2.0, 2.0), 6.0).all()
    assert not remove_narrow_parts(np.zeros((9, 9, 9), bool), np.ones((9, 9, 9)), (2.0, 2.0, 2.0), 6.0).any()


def test_a_lesion_in_a_removed_part_is_outside_the_liver() -> None:
    whole, _ = draw_liver_with_patch(4)
    maps = np.zeros((10, *whole.shape), np.float32)
    maps[0], maps[1] = ~whole * 0.9, whole * 0.9
    for x in (20, 65):
        maps[:, x : x + 6, 22:28, 22:28] = 0.0
        maps[4, x : x + 6, 22:28, 22:28] = 0.9
    count = {
        radius: len(diagnose(maps, (2.0, 2.0, 2.0), np.eye(4) * 2, opening_mm=radius).records)
        for radius in (0.0, 6.0)
    }
    assert count == {0.0: 2, 6.0: 1}


@pytest.mark.parametrize("patch_side", [14, 2])
def test_a_warning_states_the_volume_of_removed_parts_unless_they_are_small(patch_side: int) -> None:
    whole, patch = draw_liver_with_patch(2, patch_side)
    maps = np.stack([~whole, whole]).astype(np.float32)
    maps = np.concatenate([maps, np.zeros((8, *whole.shape), np.float32)])
    diagnosis = diagnose(maps, (2.0, 2.0, 2.0), np.eye(4) * 2, opening_mm=6.0)
    removed_ml = (whole & ~diagnosis.liver).sum() * 8 / 1000
    assert not diagnosis.liver[patch].any() and removed_ml > 0
    expected = [f"{removed_ml:.0f} ml"] if patch_side == 14 else []
    assert [" ".join(warning.split()[:2]) for warning in diagnosis.warnings] == expected
