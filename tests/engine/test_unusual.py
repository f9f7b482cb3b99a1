"""What is unlike the training patients is said among the warnings, and nothing is said of what is usual."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.lidia.engine.unusual import unusual_input, unusual_liver
from scripts.lidia.vocabulary import PHASES

AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])
WINDOW = (-200.0, 400.0)


def image(hu: dict[str, float]) -> np.ndarray:
    found = np.full((4, 10, 10, 10), np.nan, np.float32)
    for channel, phase in enumerate(PHASES):
        if phase in hu:
            found[channel] = (hu[phase] + 200) / 300 - 1
    return found


def test_phases_in_the_wrong_place_are_named() -> None:
    liver = np.ones((10, 10, 10), bool)
    usual = {"nc": 55.0, "arterial": 70.0, "venous": 110.0, "delayed": 90.0}
    assert unusual_input(image(usual), liver, WINDOW) == []
    (told,) = unusual_input(image({**usual, "nc": 110.0, "venous": 55.0}), liver, WINDOW)
    assert "venous 55 HU, nc 110 HU" in told
    assert unusual_input(image({"venous": 55.0}), liver, WINDOW) == []
    assert unusual_input(image({"nc": 110.0, "venous": 55.0}), np.zeros_like(liver), WINDOW) == []


def test_livers_of_unlikely_size_or_cut() -> None:
    liver = np.zeros((60, 60, 40), bool)
    liver[10:50, 10:50, 5:35] = True  # 960 ml
    assert unusual_liver(liver, AFFINE) == []
    (small,) = unusual_liver(liver & (np.arange(60) < 20)[:, None, None], AFFINE)
    assert "240 ml" in small
    liver[10:50, 10:50, :] = True
    (cut,) = unusual_liver(liver, AFFINE)
    assert "edge of the scan" in cut
    turned = AFFINE[:, [2, 0, 1, 3]]
    assert unusual_liver(np.moveaxis(liver, 2, 0), turned) == [cut], "whatever the order of axes"
    assert unusual_liver(np.zeros_like(liver), AFFINE) == []


@pytest.mark.parametrize(("step", "said"), [(5.0, False), (7.0, True)])
def test_thick_slices(step: float, said: bool) -> None:
    told = unusual_liver(np.zeros((4, 4, 4), bool), np.diag([1.0, 1.0, step, 1.0]))
    assert any("slices of 7.0 mm" in one for one in told) == said
