"""Eq. 4 and Eq. 5 against hand-worked numbers; `others` never attract."""

import math

import pytest
import torch

from scripts.lidia.loss.contrastive import AsymmetricContrastiveLoss

OTHERS = 9
TAU = 0.1


def unit(*angles):
    a = torch.tensor(angles, dtype=torch.float64)
    return torch.stack([a.cos(), a.sin()], dim=1)


def similar(a, b):
    return math.cos(a - b) / TAU


def test_eq_4_by_hand_with_its_minus_sign():
    bank, kinds = unit(0.3, 1.2, 2.0), torch.tensor([2, 2, 4])
    loss = AsymmetricContrastiveLoss()(unit(0.0), torch.tensor([2]), bank, kinds)
    total = sum(math.exp(similar(0.0, b)) for b in (0.3, 1.2, 2.0))
    by_hand = -sum(math.log(math.exp(similar(0.0, b)) / total) for b in (0.3, 1.2)) / 2
    assert float(loss) == pytest.approx(by_hand, rel=1e-9)


def test_eq_5_by_hand_is_the_mean_inside_the_logarithm():
    bank, kinds = unit(0.3, 1.2, 2.0, 0.1), torch.tensor([2, 3, 4, OTHERS])
    loss = AsymmetricContrastiveLoss()(unit(0.0), torch.tensor([OTHERS]), bank, kinds)
    by_hand = math.log(sum(math.exp(similar(0.0, b)) for b in (0.3, 1.2, 2.0)) / 3)
    assert float(loss) == pytest.approx(by_hand, rel=1e-9)


def test_eq_5_has_the_gradient_of_the_print():
    bank, kinds = unit(0.3, 1.2), torch.tensor([2, 3])
    z = unit(0.0).requires_grad_()
    AsymmetricContrastiveLoss()(z, torch.tensor([OTHERS]), bank, kinds).backward()
    w = unit(0.0).requires_grad_()
    torch.logsumexp(w @ bank.T / TAU, dim=1).sum().backward()
    torch.testing.assert_close(z.grad, w.grad)


def test_two_others_never_attract_or_repel():
    bank, kinds = unit(0.3, 1.2), torch.tensor([2, 3])
    z = unit(0.0, 0.4).requires_grad_()

    def gradient(second):
        anchors = torch.cat([z[:1], unit(second)])
        loss = AsymmetricContrastiveLoss()(anchors, torch.tensor([OTHERS, OTHERS]), bank, kinds)
        return torch.autograd.grad(loss, z)[0][0]

    # Where the other one stands makes no difference at all: the gradient of their similarity is zero.
    assert torch.equal(gradient(0.4), gradient(2.8))


@pytest.mark.parametrize("included", [False, True])
def test_others_are_in_a_common_denominator_only_as_an_option(included):
    bank, kinds = unit(0.3, 1.2, 0.1), torch.tensor([2, 3, OTHERS])
    loss = AsymmetricContrastiveLoss(others_in_denominator=included)(
        unit(0.0), torch.tensor([2]), bank, kinds
    )
    visible = (0.3, 1.2, 0.1) if included else (0.3, 1.2)
    by_hand = -similar(0.0, 0.3) + math.log(sum(math.exp(similar(0.0, b)) for b in visible))
    assert float(loss) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("included", [False, True])
def test_a_rare_anchor_is_pushed_from_common_lesions_alone(included):
    bank, kinds = unit(0.3, 1.2, 0.1), torch.tensor([2, 3, OTHERS])
    loss = AsymmetricContrastiveLoss(others_in_denominator=included)(
        unit(0.0), torch.tensor([OTHERS]), bank, kinds
    )
    by_hand = math.log(sum(math.exp(similar(0.0, b)) for b in (0.3, 1.2)) / 2)
    assert float(loss) == pytest.approx(by_hand, rel=1e-9)


def test_anchors_without_any_loss_are_a_zero_that_has_a_gradient():
    z = unit(0.4).requires_grad_()
    loss = AsymmetricContrastiveLoss()(z, torch.tensor([2]), unit(1.2, 2.0), torch.tensor([3, 4]))
    loss.backward()
    assert float(loss.detach()) == 0.0 and not z.grad.any()


def test_eq_3_is_the_mean_and_the_batch_is_part_of_the_contrast():
    bank, kinds = unit(1.2, 2.0), torch.tensor([3, 4])
    anchors, classes = unit(0.0, 0.5, 2.5), torch.tensor([2, 2, OTHERS])
    first = -similar(0.0, 0.5) + math.log(sum(math.exp(similar(0.0, b)) for b in (0.5, 1.2, 2.0)))
    second = -similar(0.5, 0.0) + math.log(sum(math.exp(similar(0.5, b)) for b in (0.0, 1.2, 2.0)))
    rare = math.log(sum(math.exp(similar(2.5, b)) for b in (0.0, 0.5, 1.2, 2.0)) / 4)
    loss = AsymmetricContrastiveLoss()(anchors, classes, bank, kinds)
    assert float(loss) == pytest.approx((first + second + rare) / 3, rel=1e-9)


def test_an_anchor_alone_in_its_class_is_left_out():
    bank, kinds = unit(1.2, 2.0), torch.tensor([3, 4])
    both = AsymmetricContrastiveLoss()(unit(0.0, 1.0), torch.tensor([2, 3]), bank, kinds)
    total = math.log(sum(math.exp(similar(1.0, b)) for b in (0.0, 1.2, 2.0)))
    assert float(both) == pytest.approx(-similar(1.0, 1.2) + total, rel=1e-9)


@pytest.mark.parametrize("kinds", [[], [2, 2], [2, OTHERS]])
def test_no_loss_while_the_bank_has_fewer_than_two_common_classes(kinds):
    bank = unit(*range(len(kinds))) if kinds else torch.zeros(0, 2, dtype=torch.float64)
    z = unit(0.0).requires_grad_()
    loss = AsymmetricContrastiveLoss()(z, torch.tensor([2]), bank, torch.tensor(kinds, dtype=torch.long))
    loss.backward()
    assert float(loss.detach()) == 0.0 and not z.grad.any()


def test_gradients_are_those_of_the_value():
    bank, kinds = unit(0.3, 1.2, 2.0), torch.tensor([2, 3, 4])
    anchors = unit(0.0, 0.5, 2.5).requires_grad_()
    classes = torch.tensor([2, 2, OTHERS])
    assert torch.autograd.gradcheck(
        lambda z: AsymmetricContrastiveLoss()(z, classes, bank, kinds), (anchors,)
    )
