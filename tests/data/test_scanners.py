"""Crops are changed as if another scanner had acquired them."""

import pytest
import torch

from scripts.lidia.data.scanner_variation import RandScanner, average_neighbours, blur


def crop():
    image = torch.rand(4, 8, 9, 10, generator=torch.Generator().manual_seed(0))
    image[2] = image[0]
    image[3] = torch.nan
    return image


def test_no_share_changes_nothing():
    assert torch.equal(RandScanner(0.0)({"image": crop()})["image"][:3], crop()[:3])


def test_phases_are_changed_alike_and_absent_ones_stay_absent():
    scanner = RandScanner(1.0, noise=0.0)
    scanner.set_random_state(3)
    for _ in range(10):
        image = scanner({"image": crop()})["image"]
        assert torch.equal(image[0], image[2]) and not torch.equal(image[0], crop()[0])
        assert image[3].isnan().all() and image[:3].isfinite().all()


def test_the_same_state_draws_the_same_crop():
    images = []
    for _ in range(2):
        scanner = RandScanner(1.0)
        scanner.set_random_state(7)
        images.append(scanner({"image": crop()})["image"][:3])
    assert torch.equal(*images)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_blur_is_the_mean_of_three_along_one_axis(axis):
    volume = torch.zeros(1, 5, 5, 5)
    volume[0, 2, 2, 2] = 3.0
    mean = blur(volume, axis, 1.0)
    assert mean.sum() == 3.0 and (mean > 0).sum() == 3
    spread = (mean[0] > 0).nonzero()
    assert spread[:, axis].tolist() == [1, 2, 3]
    torch.testing.assert_close(blur(volume, axis, 0.5), (volume + mean) / 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_edge_voxel_counts_twice_in_its_mean(axis):
    volume = torch.arange(3.0).reshape([3 if side == axis else 1 for side in range(3)])[None]
    assert average_neighbours(volume, axis).flatten().tolist() == pytest.approx([1 / 3, 1, 5 / 3])
    single = torch.ones(1, 1, 1, 1)
    assert torch.equal(average_neighbours(single, axis), single)
