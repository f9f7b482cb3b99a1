"""Blood is measured only where a tube before the spine is certainly the aorta."""

from __future__ import annotations

import numpy as np
import pytest
from phase_id.abdomen import AFFINE, TUBE_RAS, body

from scripts.lidia.phase_id.aorta import find_blood_points


@pytest.mark.parametrize("turn", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_places_lie_within_the_tube_in_any_orientation(turn: tuple[int, int, int]) -> None:
    hu, flip = body(300.0), np.diag([*turn, 1.0])
    flip[:3, 3] = [0 if t > 0 else size - 1 for t, size in zip(turn, hu.shape, strict=True)]
    turned = hu[tuple(slice(None, None, t) for t in turn)]
    places = find_blood_points(turned, AFFINE @ flip)
    assert places is not None
    assert np.hypot(places[0] - TUBE_RAS[0], places[1] - TUBE_RAS[1]).max() < 9
    assert len(np.unique(places[2])) > 20


def test_no_tube_is_no_aorta() -> None:
    assert find_blood_points(body(-60.0), AFFINE) is None


def test_a_tube_in_few_slices_is_not_sure() -> None:
    hu = body(300.0)
    hu[:, :, 8:] = body(-60.0)[:, :, 8:]
    assert find_blood_points(hu, AFFINE) is None


def test_a_tube_whose_blood_is_not_one_is_not_sure() -> None:
    hu = body(300.0)
    hu[:, :, ::2] = body(180.0)[:, :, ::2]
    assert find_blood_points(hu, AFFINE) is None


def test_an_empty_volume_is_no_body() -> None:
    assert find_blood_points(np.full((60, 60, 8), -1000.0, np.float32), AFFINE) is None
