"""What is measured of a predicted liver mask, on shapes whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.inference.liver_segmenter import SegmentedLiver
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.mask_quality import (
    compute_dice,
    measure_flat_side,
    measure_hu,
    measure_mask,
    measure_sphericity,
)

SPACING = (2.5, 2.5, 2.5)
SHAPE = (80, 80, 80)


def ball(radius_mm: float, centre: tuple[int, int, int] = (40, 40, 40)) -> np.ndarray:
    places = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1)
    return np.linalg.norm((places - centre) * SPACING, axis=-1) < radius_mm


def segmented(mask: np.ndarray, **changes: object) -> SegmentedLiver:
    affine = np.diag([*SPACING, 1.0])
    parts = {"native": mask, "native_affine": affine, "hu": np.where(mask, 60.0, -100.0), "affine": affine}
    parts |= {"classified": mask, "region": mask, "mirrored_region": mask}
    return SegmentedLiver(**{**parts, "reached_ends": (), "warnings": (), **changes})


def test_a_ball_has_the_numbers_of_a_ball() -> None:
    quantities = measure_mask(segmented(ball(80.0)))
    assert quantities["volume_ml"] == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.01)
    assert quantities["largest_part"] == quantities["agreement"] == 1.0
    assert quantities["holes"] == 0.0
    assert quantities["median_hu"] == pytest.approx(60.0)
    assert quantities["spread_hu"] == pytest.approx(0.0, abs=1e-6) and quantities["unlike"] == 0.0
    for axis in ("right_left_mm", "front_back_mm", "height_mm"):
        assert quantities[axis] == pytest.approx(160.0, abs=3.0)
    assert quantities["sphericity"] == pytest.approx(1.0, abs=0.03)
    # A cap of 2.5 mm of a ball of 80 mm: pi (2 80 2.5 - 2.5^2) = 12.4 cm2; the last layer may be thinner
    assert 4.0 < quantities["flat_side_cm2"] < 13.0
    assert MaskGate().find_reasons(quantities) == []


def test_sphericity_of_a_flat_box() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:70, 10:70, 30:40] = True  # 150 x 150 x 25 mm: V 562500 mm3; faces 60000 mm2, taken for 40000
    assert measure_sphericity(mask, SPACING) == pytest.approx(np.pi ** (1 / 3) * 3375000 ** (2 / 3) / 40000)


def test_a_plane_through_the_mask_is_a_flat_side_but_the_end_of_the_scan_is_none() -> None:
    half = ball(60.0)
    half[:40] = False
    assert measure_flat_side(half, SPACING) == pytest.approx(np.pi * 6.0**2, rel=0.03)
    assert measure_flat_side(half[40:], SPACING) < 13.0


def test_hu_are_those_of_the_interior_without_noise() -> None:
    mask, random = ball(60.0), np.random.default_rng(0)
    hu = np.where(mask, 100.0, -100.0) + random.normal(0, 20, SHAPE)
    values = measure_hu(hu, mask, SPACING)
    assert values["median_hu"] == pytest.approx(100.0, abs=0.5)
    assert values["spread_hu"] < 3.0, "20 HU of noise in a voxel are gone after smoothing over 4 mm"
    stomach = ball(25.0, (50, 40, 40))
    values = measure_hu(np.where(stomach, 20.0, hu), mask, SPACING)
    assert values["unlike"] == pytest.approx(stomach.sum() / mask.sum(), rel=0.5)
    assert values["median_hu"] == pytest.approx(100.0, abs=3.0)


def test_parts_holes_and_agreement() -> None:
    main, second, hole = ball(60.0), ball(30.0, (70, 70, 70)), ball(20.0)
    classified = (main & ~hole) | second
    quantities = measure_mask(
        segmented(main, classified=classified, mirrored_region=ball(60.0, (44, 40, 40)))
    )
    share = (main & ~hole).sum() / classified.sum()
    assert quantities["largest_part"] == pytest.approx(share)
    assert quantities["holes"] == pytest.approx(hole.sum() / main.sum())
    # Two balls whose centres are d apart share 1 - 3d/4r + d3/16r3 of their volume: d 10, r 60
    assert quantities["agreement"] == pytest.approx(1 - 0.125 + 10**3 / (16 * 60**3), abs=0.005)
    assert compute_dice(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)) == 0.0


def test_the_gate_names_every_quantity_outside_its_range() -> None:
    gate = MaskGate()
    good = measure_mask(segmented(ball(80.0)))
    for name, limit in gate.limits.items():
        outside = [limit.low - 1] if limit.low is not None else []
        outside += [limit.high + 1] if limit.high is not None else []
        assert outside, name
        for value in outside:
            (reason,) = gate.find_reasons({**good, name: value})
            assert limit.title in reason
    assert len(gate.find_reasons({**good, "agreement": 0.5, "holes": 0.5})) == 2


def test_an_empty_mask_is_refused() -> None:
    quantities = measure_mask(segmented(np.zeros(SHAPE, bool)))
    assert quantities["volume_ml"] == 0.0 and quantities["median_hu"] is None
    assert MaskGate().find_reasons(quantities) == ["no liver was found"]
    assert all(len(row) == 3 for row in MaskGate().format_quantities(quantities))


def test_a_scan_that_ends_within_the_liver_is_accepted() -> None:
    quantities = measure_mask(segmented(ball(80.0), reached_ends=("superior",)))
    assert quantities["reached_ends"] == ["superior"]
    assert MaskGate().find_reasons(quantities) == []
