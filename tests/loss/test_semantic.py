"""The semantic loss reads only voxels that count."""

import torch

from scripts.lidia.loss.semantic_loss import SemanticLoss


def target():
    out = torch.zeros(1, 2, 8, 8, 8, dtype=torch.int16)
    out[0, 0, :4] = 1
    out[0, :, 1:3, 1:3, 1:3] = torch.tensor([6, 1], dtype=torch.int16)[:, None, None, None]
    out[0, 0, 7] = -1
    return out


def test_points_avoid_ignored_voxels_and_keep_a_share_for_each_lesion():
    points = SemanticLoss(points=400, foreground=0.25).draw(target())
    samples = target()[0, 0].flatten()[points[0]]
    assert points.shape == (1, 400) and (samples >= 0).all()
    assert (samples[-100:] == 6).all()


def test_a_right_answer_costs_little_and_a_wrong_one_much():
    truth, loss = target(), SemanticLoss(points=400)
    points = loss.draw(truth)
    right = torch.nn.functional.one_hot(truth[:, 0].long().clamp(min=0), 10).movedim(-1, 1) * 20.0
    assert float(loss(right, truth, points)) < 0.1
    assert float(loss(right.roll(1, dims=1), truth, points)) > 5


def test_the_liver_context_is_taught_liver_and_lesions():
    truth, loss = target(), SemanticLoss(points=400)
    points, logits = loss.draw(truth), torch.zeros(1, 10, 8, 8, 8)
    inside = (truth[:, :1] >= 1).float() * 40 - 20
    base = loss(logits, truth, points)
    assert float(loss(logits, truth, points, inside) - base) < 1e-3
    assert float(loss(logits, truth, points, -inside) - base) > 10
