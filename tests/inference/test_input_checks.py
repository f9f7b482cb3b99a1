"""Inputs unlike the training patients have a warning; usual inputs have none."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.inference.input_checks import (
    check_liver,
    check_phase_order,
    check_region_border,
    check_unseen_liver,
    find_reached_ends,
)
from scripts.lidia.vocabulary import PHASES

AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])
WINDOW = (-200.0, 400.0)


def image(hu: dict[str, float]) -> np.ndarray:
    result = np.full((4, 10, 10, 10), np.nan, np.float32)
    for channel, phase in enumerate(PHASES):
        if phase in hu:
            result[channel] = (hu[phase] + 200) / 300 - 1
    return result


def test_phases_in_the_wrong_place_are_named() -> None:
    liver = np.ones((10, 10, 10), bool)
    usual = {"nc": 55.0, "arterial": 70.0, "venous": 110.0, "delayed": 90.0}
    assert check_phase_order(image(usual), liver, WINDOW) == []
    (warning,) = check_phase_order(image({**usual, "nc": 110.0, "venous": 55.0}), liver, WINDOW)
    assert "venous 55 HU, nc 110 HU" in warning
    assert check_phase_order(image({"venous": 55.0}), liver, WINDOW) == []
    assert check_phase_order(image({"nc": 110.0, "venous": 55.0}), np.zeros_like(liver), WINDOW) == []


def test_livers_of_unlikely_size_or_cut() -> None:
    liver = np.zeros((60, 60, 40), bool)
    liver[10:50, 10:50, 5:35] = True  # 960 ml
    assert check_liver(liver, AFFINE) == []
    (small,) = check_liver(liver & (np.arange(60) < 20)[:, None, None], AFFINE)
    assert "240 ml" in small
    liver[10:50, 10:50, :] = True
    (cut,) = check_liver(liver, AFFINE)
    assert "edge of the scan" in cut
    assert "inferior, superior" in cut
    turned = AFFINE[:, [2, 0, 1, 3]]
    assert check_liver(np.moveaxis(liver, 2, 0), turned) == [cut], "whatever the order of axes"
    assert check_liver(np.zeros_like(liver), AFFINE) == []


@pytest.mark.parametrize(("step", "warned"), [(5.0, False), (7.0, True)])
def test_thick_slices(step: float, warned: bool) -> None:
    record = check_liver(np.zeros((4, 4, 4), bool), np.diag([1.0, 1.0, step, 1.0]))
    assert any("slices of 7.0 mm" in entry for entry in record) == warned


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (np.s_[:3, 5:9, 5:9], "right"),  # the first axis runs from right to left
        (np.s_[-3:, 5:9, 5:9], "left"),
        (np.s_[5:9, :3, 5:9], "anterior"),
        (np.s_[5:9, -3:, 5:9], "posterior"),
        (np.s_[5:9, 5:9, :3], "inferior"),
        (np.s_[5:9, 5:9, -3:], "superior"),
    ],
)
def test_sides_of_a_scan_have_anatomical_names(part: tuple[slice, ...], name: str) -> None:
    liver = np.zeros((20, 20, 20), bool)
    liver[part] = True
    assert find_reached_ends(liver, AFFINE) == {name}
    assert find_reached_ends(liver[5:-5, 5:-5, 5:-5], AFFINE) == set()


def examined(box: tuple[slice, ...]) -> np.ndarray:
    """Probability of background where the network looked at a box alone."""
    background = np.ones((40, 40, 40), np.float32)
    background[box] = 0.99
    return background


def test_a_liver_cut_by_the_examined_region_has_a_warning() -> None:
    affine = np.diag([2.5, 2.5, 2.5, 1.0])
    liver = np.zeros((40, 40, 40), bool)
    liver[10:30, 10:30, 10:30] = True
    assert check_region_border(liver, examined(np.s_[5:35, 5:35, 5:35]), affine, 2.0) == []
    (warning,) = check_region_border(liver, examined(np.s_[5:35, 5:35, 5:30]), affine, 2.0)
    assert "superior (25 cm2)" in warning, "20 x 20 voxels of 6.25 mm2"
    (both,) = check_region_border(liver, examined(np.s_[10:35, 5:35, 5:30]), affine, 2.0)
    assert "left (25 cm2), superior (25 cm2)" in both
    assert check_region_border(liver, examined(np.s_[5:35, 5:35, 5:30]), affine, 25.1) == [], (
        "too small a contact"
    )
    assert (
        check_region_border(liver[..., :30], examined(np.s_[5:35, 5:35, 5:30])[..., :30], affine, 2.0) == []
    ), "a side of the scan"


def test_a_given_liver_outside_the_examined_region_has_a_warning() -> None:
    inputs = np.zeros((40, 40, 40), np.uint8)
    inputs[10:30, 10:30, 10:30] = 1
    assert check_unseen_liver(inputs, examined(np.s_[10:30, 10:30, 10:29]), 8.0) == [], "a twentieth"
    (warning,) = check_unseen_liver(inputs, examined(np.s_[10:30, 10:30, 10:25]), 8.0)
    assert "16 ml" in warning, "5 x 400 voxels of 8 mm3"
