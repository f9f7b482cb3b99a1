"""Cross-entropy and Dice at points against hand-worked numbers; where the points are."""

import math

import pytest
import torch
import torch.nn.functional as F

from scripts.lidia.loss.instance_targets import read_targets
from scripts.lidia.loss.mask_loss import MaskLoss, compute_bce_and_dice
from scripts.lidia.loss.point_sampling import (
    find_lesion_shell,
    find_true_voxels,
    interpolate_at_voxels,
    interpolate_sample,
)


def target(size=16):
    out = torch.zeros(2, size, size, size, dtype=torch.int16)
    out[0, 2:14, 2:14, 2:14] = 1
    for k, (c, at) in enumerate(((4, 4), (7, 10)), start=1):
        out[0, at : at + 2, 5:7, 5:7] = c
        out[1, at : at + 2, 5:7, 5:7] = k
    return out


def test_by_hand():
    logits = torch.tensor([[0.0, math.log(3.0), -math.log(3.0)]], dtype=torch.float64)  # p = 1/2, 3/4, 1/4
    truth = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    entropy, dice = compute_bce_and_dice(logits, truth)
    assert float(entropy) == pytest.approx((math.log(2) + 2 * math.log(4 / 3)) / 3, rel=1e-9)
    assert float(dice) == pytest.approx(1 - (2 * 1.25 + 1) / (1.5 + 2 + 1), rel=1e-9)


def test_gradients_are_those_of_the_value():
    logits = torch.randn(2, 5, dtype=torch.float64).requires_grad_()
    truth = (torch.rand(2, 5) > 0.5).double()
    assert torch.autograd.gradcheck(lambda x: sum(compute_bce_and_dice(x, truth)).sum(), (logits,))


def test_values_at_voxels_are_those_of_the_upsampled_map():
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 5, 6)
    shape = (8, 10, 12)
    full = F.interpolate(features, size=shape, mode="trilinear", align_corners=False).flatten(2)
    index = torch.randint(8 * 10 * 12, (2, 50))
    expected = full.gather(2, index[:, None].expand(-1, 3, -1))
    torch.testing.assert_close(interpolate_at_voxels(features, index, shape), expected, atol=1e-5, rtol=1e-5)


def test_features_at_points_have_the_values_and_gradients_of_the_upsampled_map():
    torch.manual_seed(0)
    features = torch.randn(3, 4, 5, 6, dtype=torch.float64).requires_grad_()
    index, weights = torch.randint(8 * 10 * 18, (50,)), torch.randn(3, 50, dtype=torch.float64)
    full = F.interpolate(features[None], size=(8, 10, 18), mode="trilinear", align_corners=False)[0]
    expected, result = full.flatten(1)[:, index], interpolate_sample(features, index, (8, 10, 18))
    torch.testing.assert_close(result, expected)
    target_values = torch.autograd.grad((expected * weights).sum(), features)[0]
    torch.testing.assert_close(torch.autograd.grad((result * weights).sum(), features)[0], target_values)


def test_features_in_half_precision_are_interpolated_in_float():
    features = torch.randn(3, 4, 4, 4).bfloat16()
    result = interpolate_sample(features, torch.arange(64), (4, 4, 4))
    torch.testing.assert_close(result, features.float().flatten(1), atol=0, rtol=0)


@pytest.mark.parametrize("shape", [(6, 4, 5), (3, 5, 7)])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.7, 1.0])
def test_true_voxels_are_all_there_in_order_whatever_the_size(shape, share):
    masks = torch.rand(3, *shape, generator=torch.Generator().manual_seed(1)) < share
    for mask in masks:
        assert find_true_voxels(mask).tolist() == mask.flatten().nonzero()[:, 0].tolist()


@pytest.mark.parametrize("width", [1, 2, 9])
def test_the_shell_is_a_cube_around_every_lesion_voxel(width):
    instances = torch.zeros(7, 9, 8, dtype=torch.int16)
    instances[0, 4, 4], instances[5, 8, 1:3] = 1, 2
    lesion = instances > 0
    cube = F.max_pool3d(lesion[None].float(), 2 * width + 1, stride=1, padding=width)[0] > 0
    assert torch.equal(find_lesion_shell(instances, width), cube & ~lesion)


def test_a_sample_without_targets_has_points_but_no_truth():
    volume = torch.full((2, 4, 4, 4), -1, dtype=torch.int16)
    loss, truth = MaskLoss(points=10), read_targets(volume)
    at = loss.read(torch.randn(3, 2, 2, 2), loss.draw(volume[1], truth), truth)
    assert at.shared.shape == (3, 30) and at.shared_truth.shape == (0, 30) and at.inside.shape == (3, 0, 1)


def test_the_foreground_share_is_inside_its_own_lesion():
    truth = read_targets(target())
    points = MaskLoss(points=100, foreground=0.2).draw(target()[1], truth)
    assert points.inside.shape == (4, 20)
    for mask, inside in zip(truth.masks, points.inside, strict=True):
        assert mask.flatten()[inside].all()


def test_plans_share_of_the_foreground_is_two_voxels_a_mask():
    loss = MaskLoss(points=12544, foreground=0.0002)
    assert loss.draw(target()[1], read_targets(target())).inside.shape[1] == 2


def test_the_shell_share_is_next_to_lesions_and_outside_them():
    loss = MaskLoss(points=100, boundary_fraction=1.0, boundary_width=1)
    shared = loss.draw(target()[1], read_targets(target())).shared
    assert find_lesion_shell(target()[1], 1).flatten()[shared].all()
    assert not (target()[1] > 0).flatten()[shared].any()


def test_the_most_uncertain_candidates_are_picked():
    torch.manual_seed(0)
    truth = read_targets(target())
    loss = MaskLoss(points=40, uncertain=0.75, boundary_fraction=0.0)
    at = loss.read(torch.randn(3, 8, 8, 8), loss.draw(target()[1], truth), truth)
    embedding = torch.randn(1, 4)
    columns = loss.pick(embedding, at)
    logits = (embedding[:, :3] @ at.shared + embedding[:, 3:]).abs()
    assert columns.shape == (1, 40)
    assert logits.gather(1, columns[:, :30]).max() <= logits.sort(1).values[0, 30]


def test_the_loss_at_points_estimates_the_dense_loss():
    torch.manual_seed(0)
    truth = read_targets(target())
    features, embedding = torch.randn(3, 16, 16, 16), torch.randn(4, 4)
    # All candidates uniform and none preferred: the estimate has no bias.
    loss = MaskLoss(points=20000, oversample=1.0, uncertain=0.0, foreground=0.0, boundary_fraction=0.0)
    at = loss.read(features, loss.draw(target()[1], truth), truth)
    sampled = loss(embedding, torch.arange(4), at, loss.pick(embedding, at))[0]
    dense = embedding[:, :3] @ features.flatten(1) + embedding[:, 3:]
    torch.testing.assert_close(
        sampled, compute_bce_and_dice(dense, truth.masks.flatten(1).float())[0], atol=0.03, rtol=0.03
    )


def test_targets_are_stuff_once_and_lesions_one_by_one_without_the_ignored():
    volume = target()
    volume[0, 12, 12, 12] = -1  # too small to count
    volume[1, 12, 12, 12] = 3
    targets = read_targets(volume)
    assert targets.classes.tolist() == [0, 1, 4, 7] and targets.instances.tolist() == [0, 0, 1, 2]
    assert not targets.masks[:, 12, 12, 12].any()
    assert targets.masks.sum(0).max() == 1


def test_empty_targets_work():
    volume = torch.full((2, 4, 4, 4), -1, dtype=torch.int16)
    targets = read_targets(volume)
    assert targets.masks.shape == (0, 4, 4, 4)
