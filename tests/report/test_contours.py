"""Contours are at their voxels, in radiological orientation."""

from __future__ import annotations

import re

import numpy as np

from scripts.lidia.report.contours import find_label_position, orient_for_display, trace_outline


def corners(path: str) -> list[tuple[int, int]]:
    """Every corner of a path of one piece."""
    start, tail = re.fullmatch(r"M(-?\d+ -?\d+)l(.*)z", path).groups()  # type: ignore[union-attr]
    points = np.array([start.split(), *np.array(tail.split()).reshape(-1, 2)], int)
    return [tuple(point) for point in points.cumsum(axis=0).tolist()]


def test_the_patient_s_right_is_left_and_anterior_is_at_the_top() -> None:
    plane = np.zeros((4, 3), int)
    plane[3, 2] = 7
    assert orient_for_display(plane)[0, 0] == 7


def test_a_voxel_is_a_diamond_around_its_centre() -> None:
    mask = np.zeros((4, 3), bool)
    mask[3, 2] = True
    # the voxel is shown at the top left; its centre is one half voxel from both edges
    assert sorted(corners(trace_outline(mask))) == [(0, 1), (1, 0), (1, 2), (2, 1)]


def test_straight_sides_have_two_ends_only() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:12, 5:15] = True
    result = corners(trace_outline(mask))
    assert len(result) == 8
    assert (min(x for x, _ in result), max(x for x, _ in result)) == (2 * 20 - 2 * 12, 2 * 20 - 2 * 2)
    assert (min(y for _, y in result), max(y for _, y in result)) == (2 * 20 - 2 * 15, 2 * 20 - 2 * 5)


def test_two_pieces_and_none() -> None:
    mask = np.zeros((9, 9), bool)
    assert trace_outline(mask) == ""
    mask[1, 1] = mask[7, 7] = True
    assert trace_outline(mask).count("M") == 2


def test_a_name_is_above_the_middle() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:12, 5:15] = True
    assert find_label_position(mask) == (26, 10)
