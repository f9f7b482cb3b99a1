"""A liver cut by the box: contact with its sides, extension across them, and the remaining warning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.lidia.inference.box_sides import (
    SIDES,
    Side,
    cut_beyond_side,
    extend_box,
    find_touched_sides,
    has_liver_hu,
    liver_ends_beyond,
    measure_contact_diameter_mm,
    measure_contact_mm2,
)
from scripts.lidia.inference.liver_window_inferer import WindowInferer
from scripts.lidia.vocabulary import LIVER

SPACING = (2.0, 1.0, 3.0)


def flat_end_cm2(liver: np.ndarray, axis: int, spacing: float) -> float:
    """Largest area that a mask loses from one slice to the next along an axis, blind to any box.

    It counts both ways, and the ends of the volume do not count.
    """
    first = np.moveaxis(liver, axis, 0)
    ends = [first[:-1] & ~first[1:], first[1:] & ~first[:-1]]
    return max(float(end.sum(axis=(1, 2)).max()) for end in ends) * spacing**2 / 100


def test_contact_is_the_area_of_voxels_on_a_side() -> None:
    region = np.zeros((6, 5, 4), bool)
    region[4:, 1:3, 0:2] = True
    assert measure_contact_mm2(region, Side(0, 1), SPACING) == 2 * 2 * (1.0 * 3.0)
    assert measure_contact_mm2(region, Side(2, 0), SPACING) == 2 * 2 * (2.0 * 1.0)
    assert [side for side in SIDES if measure_contact_mm2(region, side, SPACING)] == [Side(0, 1), Side(2, 0)]


def test_sides_of_the_volume_cut_nothing() -> None:
    region = np.ones((10, 10, 10), bool)
    box = [slice(0, 10), slice(5, 15), slice(10, 20)]
    touched = find_touched_sides(region, box, (30, 30, 20), (2.0, 2.0, 2.0), 4.0)
    assert touched == [Side(0, 1), Side(1, 0), Side(1, 1), Side(2, 0)], "100 voxels of 4 mm2 are 4 cm2"
    assert find_touched_sides(region, box, (30, 30, 20), (2.0, 2.0, 2.0), 4.01) == []


def test_a_box_is_extended_within_the_volume() -> None:
    box = [slice(4, 10), slice(5, 15), slice(10, 18)]
    wider = extend_box(box, [Side(0, 0), Side(1, 1), Side(2, 1)], (8, 8, 8), (30, 30, 20))
    assert wider == [slice(0, 10), slice(5, 23), slice(10, 20)]
    assert cut_beyond_side(Side(0, 0), box, wider) == [slice(0, 4), slice(5, 23), slice(10, 20)]
    assert cut_beyond_side(Side(2, 1), box, wider) == [slice(0, 10), slice(5, 23), slice(18, 20)]


def test_a_contact_is_as_wide_as_the_circle_that_fits() -> None:
    region = np.zeros((30, 30, 4), bool)
    region[2:28, 10:14, 3] = True  # a wall of 4 voxels
    assert measure_contact_diameter_mm(region, Side(2, 1), (2.0, 2.0, 2.0)) == pytest.approx(4 * 2.0, abs=2.0)
    region[5:25, 5:25, 3] = True
    assert measure_contact_diameter_mm(region, Side(2, 1), (2.0, 2.0, 2.0)) == pytest.approx(
        20 * 2.0, abs=2.0
    )
    assert measure_contact_diameter_mm(region, Side(2, 0), (2.0, 2.0, 2.0)) == 0.0


def test_a_thin_part_beyond_a_side_is_the_liver_s_end() -> None:
    classes = np.zeros((20, 20, 20), np.uint8)
    classes[5:15, 5:15, :12] = LIVER  # 100 voxels of contact at slice 10, two slices beyond
    beyond, contact = [slice(0, 20), slice(0, 20), slice(10, 20)], 100 * 4.0
    assert liver_ends_beyond(classes, beyond, (2.0, 2.0, 2.0), contact), "4 mm"
    classes[5:15, 5:15, 12] = LIVER
    assert not liver_ends_beyond(classes, beyond, (2.0, 2.0, 2.0), contact), "6 mm"


@pytest.mark.parametrize(("hu", "is_liver"), [(0.30, True), (0.33, True), (0.45, False), (0.10, False)])
def test_the_liver_has_the_liver_s_hu_in_every_phase(hu: float, is_liver: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (4, 30, 30, 40)).astype(np.float32)
    image = 0.3 + noise
    image[3] = np.nan
    image[1, :, :, 20:] += hu - 0.3  # one phase alone differs beyond the side
    classes = np.full((30, 30, 40), LIVER, np.uint8)
    before = classes.copy()
    before[..., 20:] = 0
    beyond = [slice(0, 30), slice(0, 30), slice(20, 40)]
    assert has_liver_hu(image, before, classes, beyond, (2.5, 2.5, 2.5), 0.9) == is_liver


def body(beyond: float) -> torch.Tensor:
    """A liver of 100 x 100 x 150 mm, of which the upper half has other HU if `beyond` is not 0.5.

    The coarse pass of `near_sighted` sees the lower half alone.
    """
    noise = torch.randn(80, 80, 112, generator=torch.Generator().manual_seed(0)) * 0.01
    image = torch.full((1, 4, 80, 80, 112), -1.0)
    image[..., 20:60, 20:60, 20:80] = 0.5 + noise[20:60, 20:60, 20:80]
    image[..., 50:80] += (beyond - 0.5) * (image[..., 50:80] > 0)
    return image


class NearSighted:
    """A network that calls bright voxels liver, but in a coarse pass those of the lower half alone."""

    def __init__(self) -> None:
        self.passes: list[tuple[int, ...]] = []

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        self.passes.append(tuple(image.shape[2:]))
        liver = (image[:, 2:3] > 0).float()
        if len(self.passes) == 1:
            liver[..., 24:] = 0
        return torch.cat([1 - liver, liver, *[torch.zeros_like(liver)] * 8], dim=1)


def test_a_liver_cut_by_the_box_is_examined_again() -> None:
    image, network = body(0.5), NearSighted()
    inferer = WindowInferer(roi_size=(80, 80, 112), margin_mm=5.0, spacing=(2.5, 2.5, 2.5))
    output = inferer(image, network)
    liver = (output[0, 1] > 0.5).numpy()
    assert np.array_equal(liver, (image[0, 2] > 0).numpy()), "all of it, though the first box ended at 46"
    lengths = [shape[2] for shape in network.passes]
    assert lengths[1:] == [32, 48, 64, 80], "the box, and three extensions of 40 mm to reach beyond 80"
    cut = WindowInferer(roi_size=(80, 80, 112), margin_mm=5.0, spacing=(2.5, 2.5, 2.5), extensions=0)(
        image, NearSighted()
    )
    assert flat_end_cm2((cut[0, 1] > 0.5).numpy(), 2, 2.5) == pytest.approx(40 * 40 * 6.25 / 100)
    assert (cut[0, 1] > 0.5).sum() < 0.7 * liver.sum()


def test_an_organ_beyond_the_side_is_left_out() -> None:
    image, network = body(0.9), NearSighted()
    output = WindowInferer(roi_size=(80, 80, 112), margin_mm=5.0, spacing=(2.5, 2.5, 2.5))(image, network)
    liver = (output[0, 1] > 0.5).numpy()
    assert liver[..., 20:46].sum() == liver.sum() == 40 * 40 * 26, "to the first box's side at 46"
    assert len(network.passes) == 3, "looked, and left as it was"


def test_extensions_stop_at_their_limit_and_at_the_scan_s_side() -> None:
    image = torch.full((1, 4, 80, 80, 160), -1.0)
    noise = torch.randn(40, 40, 150, generator=torch.Generator().manual_seed(0)) * 0.01
    image[..., 20:60, 20:60, 10:160] = 0.5 + noise
    for limit, visible in ((1, 2), (9, 8)):  # the first box ends at 53; seven steps of 16 voxels reach 160
        network = NearSighted()
        inferer = WindowInferer(
            roi_size=(80, 80, 112), margin_mm=5.0, spacing=(2.5, 2.5, 2.5), longest_mm=400.0, extensions=limit
        )
        output = inferer(image, network)
        assert len(network.passes) == 1 + visible
    assert (output[0, 1, 30, 30, 10:] > 0.5).all(), "to the side of the scan"


def test_a_box_without_a_liver_is_replaced_by_the_next() -> None:
    """Muscles that only the coarse pass takes for liver, larger than the liver."""
    image = torch.full((1, 4, 96, 96, 64), -1.0)
    image[..., 4:92, 4:20, 10:50] = 0.2  # 880 ml
    image[..., 20:60, 50:80, 20:50] = 0.5  # 560 ml
    passes = []

    def network(image: torch.Tensor) -> torch.Tensor:
        passes.append(tuple(image.shape[2:]))
        liver = (image[:, 2:3] > (0.1 if len(passes) == 1 else 0.4)).float()
        return torch.cat([1 - liver, liver, *[torch.zeros_like(liver)] * 8], dim=1)

    output = WindowInferer(roi_size=(96, 96, 64), margin_mm=5.0, spacing=(2.5, 2.5, 2.5))(image, network)
    assert torch.equal(output[0, 1] > 0.5, image[0, 2] > 0.4)
    assert len(passes) == 3, "from afar, the muscles' box, the liver's box"
