"""The focal loss against hand-worked numbers."""

import math

import pytest
import torch

from scripts.lidia.loss.focal import FocalLoss

P = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]]], dtype=torch.float64)
CLASSES = torch.tensor([[0, 1, 2]])  # class 2 is 'no object'
ONE = torch.ones(1, 3, dtype=torch.float64)


def focal(p, gamma):
    return -((1 - p) ** gamma) * math.log(p)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_by_hand(gamma):
    loss = FocalLoss(gamma=gamma, no_object=1.0)(P.log(), CLASSES, ONE)
    assert float(loss) == pytest.approx(sum(focal(p, gamma) for p in (0.7, 0.3, 0.6)) / 2, rel=1e-9)


def test_weights_and_the_weight_of_no_object():
    loss = FocalLoss(gamma=2.0, no_object=0.5)(P.log(), CLASSES, torch.tensor([[1.0, 0.25, 1.0]]).double())
    by_hand = (focal(0.7, 2) + 0.25 * focal(0.3, 2) + 0.5 * focal(0.6, 2)) / 1.25
    assert float(loss) == pytest.approx(by_hand, rel=1e-9)


def test_gradients_are_those_of_the_value():
    logits = P.log().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: FocalLoss()(x, CLASSES, ONE), (logits,))


def test_nothing_that_counts_is_no_loss():
    assert float(FocalLoss()(P.log(), CLASSES, 0 * ONE)) == 0.0


def test_it_is_the_librarys_softmax_focal_loss():
    from monai.losses import FocalLoss as Reference

    torch.manual_seed(0)
    logits, classes = torch.randn(2, 6, 11), torch.randint(11, (2, 6))
    reference = Reference(to_onehot_y=True, use_softmax=True, gamma=2.0, reduction="none")
    expected = reference(logits.transpose(1, 2), classes[:, None]).sum() / (classes < 10).sum()
    torch.testing.assert_close(FocalLoss()(logits, classes, torch.ones(2, 6)), expected)
