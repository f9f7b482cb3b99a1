"""Sharpness-aware minimisation on a quadratic that can be worked by hand."""

import pytest
import torch

from scripts.lidia.optim.sharpness import SharpnessAware


def quadratic(w):
    return 0.5 * (3.0 * w[0] ** 2 + 4.0 * w[1] ** 2)


def test_climb_moves_by_rho_along_the_gradient_and_descend_returns_to_the_bit():
    w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = torch.optim.SGD([w], lr=0.1)
    before = w.detach().clone()
    quadratic(w).backward()  # gradient (3, 4), norm 5
    sharp = SharpnessAware(rho=0.5)
    assert sharp.ascend(optimizer)
    torch.testing.assert_close(w.detach(), torch.tensor([1.0 + 0.5 * 3 / 5, 1.0 + 0.5 * 4 / 5]))
    optimizer.zero_grad()
    quadratic(w).backward()  # at (1.3, 1.4): (3.9, 5.6)
    sharp.restore()
    assert torch.equal(w.detach(), before)
    optimizer.step()
    torch.testing.assert_close(w.detach(), torch.tensor([1.0 - 0.39, 1.0 - 0.56]))


def test_a_loss_scale_does_not_move_the_climb():
    ends = []
    for scale in (1.0, 1024.0):
        w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        (quadratic(w) * scale).backward()
        SharpnessAware(rho=0.05).ascend(torch.optim.SGD([w], lr=0.1))
        ends.append(w.detach())
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_a_zero_or_nan_gradient_changes_nothing(value):
    w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    w.grad = torch.full((2,), value)
    sharp = SharpnessAware(rho=0.05)
    assert not sharp.ascend(torch.optim.SGD([w], lr=0.1))
    sharp.restore()
    assert w.tolist() == [1.0, 1.0]


def test_a_radius_must_be_positive():
    with pytest.raises(ValueError, match=r"^rho.* 0\.0"):
        SharpnessAware(rho=0.0)


def test_a_gradient_in_half_precision_has_a_norm_beyond_its_range():
    """A thousand entries of 5000 have the norm 158,114; half precision ends at 65,504."""
    w = torch.nn.Parameter(torch.zeros(1000, dtype=torch.float16))
    w.grad = torch.full_like(w, 5000.0)
    assert SharpnessAware(rho=1.0).ascend(torch.optim.SGD([w], lr=0.1))
    torch.testing.assert_close(w.detach().float(), torch.full((1000,), 1000**-0.5), rtol=1e-2, atol=0)


def test_the_norm_is_taken_over_all_groups_and_what_has_no_gradient_stays():
    parts = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]
    parts[0].grad, parts[1].grad = torch.tensor([3.0]), torch.tensor([-4.0])
    sharp = SharpnessAware()
    assert sharp.ascend(torch.optim.SGD([{"params": parts[:1]}, {"params": parts[1:]}], lr=0.1))
    assert [float(p.detach()) for p in parts] == pytest.approx([0.03, -0.04, 0.0])
    sharp.restore()
    parts[0].data += 1.0
    sharp.restore()
    assert [float(p.detach()) for p in parts] == [1.0, 0.0, 0.0], "descended once, it has nothing to put back"
    assert not sharp.ascend(torch.optim.SGD(parts[2:], lr=0.1)), "nothing has a gradient"
