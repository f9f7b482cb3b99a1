"""Figures of liver and lesions on small arrays, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.real_ct.lesion_measures import compare_lesions, count_outlined, draw_spheres
from experiments.real_ct.liver_measures import grow, measure_lesions, measure_liver

RAS_2_2_5 = np.diag([2.0, 2.0, 5.0, 1.0])


def box(shape: tuple[int, int, int], *sides: slice) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[sides] = True
    return mask


def test_liver_dice_volume_and_height() -> None:
    reference = box(
        (10, 10, 20), slice(0, 5), slice(0, 4), slice(0, 10)
    )  # 200 voxels of 20 mm3, top at 45 mm
    liver = box((10, 10, 20), slice(0, 5), slice(0, 4), slice(5, 16))  # 220 voxels, 100 shared
    figures = measure_liver(liver, reference, RAS_2_2_5)
    assert figures["dice"] == pytest.approx(200 / 420)
    assert figures["volume_ml"] == pytest.approx(4.4) and figures["reference_ml"] == pytest.approx(4.0)
    assert figures["volume_ratio"] == pytest.approx(1.1)
    # More than 65 mm: slices 14 (70 mm) and 15 (75 mm); slice 13 lies at exactly 65 mm.
    assert figures["voxels_above"] == 2 * 20


def test_height_follows_the_affine() -> None:
    """The same volume stored from superior to inferior."""
    reference = box((4, 4, 20), slice(0, 4), slice(0, 4), slice(10, 20))
    liver = box((4, 4, 20), slice(0, 4), slice(0, 4), slice(4, 20))
    down = np.diag([2.0, 2.0, -5.0, 1.0])
    assert measure_liver(liver, reference, down)["voxels_above"] == 2 * 16
    assert measure_liver(liver, reference, RAS_2_2_5)["voxels_above"] == 0


def test_without_a_liver() -> None:
    reference = box((4, 4, 4), slice(0, 2), slice(0, 2), slice(0, 2))
    nothing = np.zeros((4, 4, 4), bool)
    figures = measure_liver(nothing, reference, RAS_2_2_5)
    assert figures["dice"] == 0 and figures["volume_ratio"] == 0 and figures["voxels_above"] == 0


def test_growth_is_in_millimetres() -> None:
    mask = box((21, 21, 21), slice(10, 11), slice(10, 11), slice(10, 11))
    grown = grow(mask, 10.0, (2.0, 2.0, 5.0))
    assert [int(np.flatnonzero(grown[tuple(line)])[-1]) - 10 for line in LINES] == [5, 5, 2]
    corner = box((8, 8, 8), slice(0, 1), slice(0, 1), slice(0, 1))
    assert grow(corner, 10.0, (2.0, 2.0, 5.0)).any(axis=(1, 2)).sum() == 6


LINES = ([slice(None), 10, 10], [10, slice(None), 10], [10, 10, slice(None)])


def test_lesions_outside_the_liver() -> None:
    reference = box((30, 10, 4), slice(0, 10), slice(0, 10), slice(0, 4))
    instances = np.zeros((30, 10, 4), np.uint16)
    instances[8:12, 0, 0] = 1  # 2 of 4 voxels outside, both within 10 mm (x 10 and 11 are 2 and 4 mm away)
    instances[13:17, 0, 0] = 3  # outside; x 13 and 14 are 8 and 10 mm away, 15 and 16 are 12 and 14 mm away
    figures = measure_lesions(instances, reference, (2.0, 2.0, 5.0))
    assert figures["count"] == 2 and figures["outside"] == 1
    assert figures["volume_ml"] == pytest.approx(8 * 20 / 1000)
    assert figures["outside_share"] == pytest.approx(6 / 8)
    assert figures["outside_grown_share"] == pytest.approx(2 / 8)
    assert figures["outside_shares"] == {1: 0.5, 3: 1.0}


def test_no_lesion_has_no_share() -> None:
    figures = measure_lesions(np.zeros((4, 4, 4), np.uint16), np.ones((4, 4, 4), bool), (1.0, 1.0, 1.0))
    assert figures["count"] == 0 and math.isnan(figures["outside_share"])


def test_labelled_and_reported_lesions() -> None:
    """Voxels of 27 mm3: 5 voxels are 135 mm3 (counted), 20 are 540 mm3 (large), 4 are 108 mm3."""
    truth, classes, instances = (np.zeros((40, 10, 10), kind) for kind in (bool, np.uint8, np.uint16))
    truth[0:20, 0, 0] = True  # large
    truth[22:27, 0, 0] = True  # counted
    truth[30:34, 0, 0] = True  # too small to count
    for number, (kind, x, y) in enumerate(
        [(4, slice(10, 20), 0), (9, slice(26, 28), 0), (7, slice(33, 34), 0), (4, slice(0, 5), 5)], 1
    ):
        classes[x, y, 0], instances[x, y, 0] = kind, number
    figures = compare_lesions(classes, instances, truth, (3.0, 3.0, 3.0))
    # Shared 10 + 1 + 1 of 18 reported and 29 labelled voxels
    assert figures["dice"] == pytest.approx(24 / 47)
    assert figures["labelled"] == 2 and figures["found_any"] == 2
    # Dice 20 / 30 and 2 / 7; IoU 10 / 20 and 1 / 6
    assert figures["found_dice"] == 2 and figures["found_iou"] == 2
    assert figures["large_labelled"] == 1 and figures["large_found_dice"] == 1
    assert figures["reported"] == 4 and figures["reported_real"] == 3
    # From 113 mm3: the first (10 voxels) and the last (5), which is false
    assert figures["reported_counted"] == 2 and figures["reported_real_counted"] == 1


def test_a_slight_overlap_is_found_by_one_rule_only() -> None:
    truth, classes = np.zeros((40, 4, 4), bool), np.zeros((40, 4, 4), np.uint8)
    truth[0:20, 0, 0], classes[19:20, 0, 0] = True, 2  # Dice 2 / 21, IoU 1 / 20
    figures = compare_lesions(classes, (classes > 0).astype(np.uint16), truth, (3.0, 3.0, 3.0))
    assert (figures["found_any"], figures["found_dice"], figures["found_iou"]) == (1, 0, 0)


def test_labelled_lesions_that_touch_at_an_edge_are_two() -> None:
    truth = np.zeros((20, 20, 4), bool)
    truth[0:5, 0, 0], truth[5:10, 1, 0] = True, True
    nothing = np.zeros(truth.shape, np.uint16)
    assert compare_lesions(nothing, nothing, truth, (3.0, 3.0, 3.0))["labelled"] == 2


def test_nothing_reported() -> None:
    truth = box((10, 10, 10), slice(0, 5), slice(0, 5), slice(0, 5))
    empty = np.zeros((10, 10, 10), np.uint16)
    figures = compare_lesions(empty, empty, truth, (3.0, 3.0, 3.0))
    assert figures["dice"] == 0 and figures["labelled"] == 1 and figures["found_any"] == 0
    assert figures["reported"] == figures["reported_real"] == 0


def test_spheres_follow_affine_and_edges() -> None:
    affine = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -4], [0, 0, 5, 100], [0, 0, 0, 1]])
    sphere = {"centre_ras_mm": [4, 0, 105], "radius_mm": 4.0}  # voxel (3, 2, 1)
    mask = draw_spheres([sphere], (8, 8, 4), affine)
    # In the plane of the centre the 13 (dx, dy) with dx2 + dy2 <= 4; the next plane is 5 mm away.
    assert mask.sum() == 13 and mask[3, 2, 1] and mask[5, 2, 1] and not mask[3, 2, 0]
    far = {"centre_ras_mm": [500, 0, 0], "radius_mm": 4.0}
    assert not draw_spheres([far], (8, 8, 4), affine).any()


def test_reported_lesions_in_outlines() -> None:
    instances = np.zeros((10, 1, 1), np.uint16)
    instances[0:4, 0, 0], instances[5:9, 0, 0] = 1, 2
    outlines = box((10, 1, 1), slice(2, 6), slice(0, 1), slice(0, 1))  # 2 of 4 and 1 of 4 voxels
    assert count_outlined(instances, outlines) == 1
