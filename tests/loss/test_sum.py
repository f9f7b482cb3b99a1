"""Eq. 6 worked by hand, where every voxel belongs to one lesion and a mask's logit is the same everywhere."""

from __future__ import annotations

import math

import pytest
import torch

from scripts.lidia.contract import LayerPrediction, Prediction
from scripts.lidia.loss.criterion import Criterion
from scripts.lidia.loss.focal import FocalLoss
from scripts.lidia.loss.instance_targets import read_targets
from scripts.lidia.loss.mask_loss import MaskLoss
from scripts.lidia.loss.matcher import HungarianMatcher
from scripts.lidia.recorded_randomness import record_choices, replay_choices

POINTS = 30  # 20, and half as many again from inside the target
RIGHT, WRONG, NONE = 5, 3, 10


def answers(*rows: tuple[int, float]) -> LayerPrediction:
    """One sample's queries: the class that each holds for likely, and the logit of its mask."""
    logits = torch.zeros(1, len(rows), 11)
    for query, (kind, _) in enumerate(rows):
        logits[0, query, kind] = 2.0
    return LayerPrediction(logits, torch.tensor([[[0.0, mask] for _, mask in rows]]))


def batch(*layers: LayerPrediction) -> LayerPrediction:
    return LayerPrediction(*(torch.cat(parts) for parts in zip(*layers, strict=True)))


def prediction(pilots: bool = True) -> Prediction:
    """Two samples. Of the first the second query has the better mask and class, of the second the first."""
    first = batch(answers((NONE, -2.0), (RIGHT, 1.0)), answers((WRONG, 3.0), (NONE, -1.0)))
    second = batch(answers((NONE, -1.0), (RIGHT, 2.0)), answers((WRONG, 4.0), (NONE, -2.0)))
    piloted = batch(answers((NONE, 0.0), (RIGHT, 0.5)), answers((RIGHT, -0.5), (NONE, 0.0)))
    return Prediction(
        layers=[first, second],
        pilots=[piloted] if pilots else [],
        pilot_instances=torch.tensor([[0, 1], [1, 0]]),
        contrastive_embed=torch.eye(4).reshape(2, 2, 4),
        seeds=torch.full((2, 2, 3), -1),
        mask_features=torch.zeros(2, 1, 2, 2, 2),
        semantic_logits=torch.zeros(2, 10, 2, 2, 2),
        liver_logits=None,
    )


def target() -> torch.Tensor:
    out = torch.ones(2, 2, 4, 4, 4, dtype=torch.int16)
    out[:, 0] = RIGHT
    return out


def criterion(**more) -> Criterion:
    torch.manual_seed(0)
    out = Criterion(masks=MaskLoss(points=20, foreground=0.5, boundary_fraction=0.0), **more)
    out.bank = type(out.bank)(size=6, width=4)
    return out


def seg(logit: float) -> float:
    """Cross-entropy and Dice of a mask that has one logit, where everything is inside."""
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p) + 1 - (2 * POINTS * p + 1) / (POINTS * p + POINTS + 1)


SURE = math.exp(2) / (math.exp(2) + 10)  # softmax of one 2 among ten 0


def focal(p: float) -> float:
    return -((1 - p) ** 2) * math.log(p)


OTHER = 1 / (math.exp(2) + 10)


def test_the_parts_of_the_layers_are_summed_and_are_means_over_the_targets() -> None:
    loss = criterion(classes=FocalLoss(no_object=1.0))
    loss(prediction(pilots=False), target())
    assert loss.parts["seg"] == pytest.approx((seg(1) + seg(3)) / 2 + (seg(2) + seg(4)) / 2, rel=1e-5)
    # A layer: one lesion called right, one wrong, and two queries that rightly say that they are nothing.
    assert loss.parts["focal"] == pytest.approx(2 * (3 * focal(SURE) + focal(OTHER)) / 2, rel=1e-5)
    assert loss.parts["query_accuracy"] == 0.5


def test_pilots_add_their_share_and_padding_adds_nothing() -> None:
    """Both pilots are right; what stands in the place of padding is not looked at."""
    parts = []
    for pilots in (False, True):
        loss = criterion(pilot_weight=0.25)
        loss(prediction(pilots), target())
        parts.append(loss.parts)
    assert parts[1]["seg"] - parts[0]["seg"] == pytest.approx(0.25 * (seg(0.5) + seg(-0.5)) / 2, rel=1e-4)
    assert parts[1]["focal"] - parts[0]["focal"] == pytest.approx(0.25 * focal(SURE), rel=1e-4)
    assert Criterion().pilot_weight == 0.5 and Criterion().semantic_weight == 30.0


def test_the_bank_takes_the_embedding_of_the_query_that_was_matched() -> None:
    loss = criterion()
    loss(prediction(), target())
    loss.fill_bank()
    features, classes = loss.bank.entries()
    assert features.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]] and classes.tolist() == [RIGHT, RIGHT]


def test_the_last_layer_decides_on_banked_lesions_and_accuracy() -> None:
    inputs = prediction(pilots=False)
    swapped = batch(answers((RIGHT, 2.0), (NONE, -1.0)), answers((NONE, -2.0), (RIGHT, 4.0)))
    loss = criterion()
    loss(inputs._replace(layers=[*inputs.layers, swapped]), target())
    loss.fill_bank()
    assert loss.bank.entries()[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    assert loss.parts["query_accuracy"] == 1.0
    loss(inputs._replace(layers=[swapped, inputs.layers[0]]), target())
    assert loss.parts["query_accuracy"] == 0.5


def test_queries_of_one_lesion_share_its_weight() -> None:
    inputs, loss = prediction(pilots=False), criterion()
    loss(inputs._replace(layers=inputs.layers[:1], seeds=torch.full((2, 2, 3), 1)), target())
    assert loss.parts["seg"] == pytest.approx((seg(-2) + seg(1) + seg(3) + seg(-1)) / 2 / 2, rel=1e-5)


def test_points_of_the_shell_lie_next_to_lesions_not_next_to_the_liver() -> None:
    truth = target()
    truth[:, 0], truth[:, 1] = 1, 0
    truth[:, 0, 0, 0, 0], truth[:, 1, 0, 0, 0] = RIGHT, 1
    loss = criterion()
    loss.masks.boundary_fraction, loss.masks.boundary_width = 1.0, 1
    with record_choices(loss):
        loss(prediction(), truth)
    near = {x * 16 + y * 4 + z for x in (0, 1) for y in (0, 1) for z in (0, 1)} - {0}
    for points in loss.choices.recorded[1]:
        assert set(points.shared.tolist()) == near


def test_a_proposal_that_joins_a_lesion_is_not_banked() -> None:
    loss = criterion()
    loss(prediction()._replace(seeds=torch.full((2, 2, 3), 1)), target())
    loss.fill_bank()
    assert loss.bank.entries()[0].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_background_and_liver_are_not_banked() -> None:
    truth = target()
    truth[:, 0, :2], truth[:, 1, :2] = 1, 0
    loss = criterion()
    loss(prediction(), truth)
    loss.fill_bank()
    assert loss.bank.entries()[1].tolist() == [RIGHT, RIGHT]


def test_a_second_pass_answers_at_the_same_points() -> None:
    loss, inputs = criterion(), prediction()
    inputs = inputs._replace(mask_features=torch.randn(2, 1, 2, 2, 2))
    truth = target()
    truth[:, 0, 2:], truth[:, 1, 2:] = 0, 0
    with record_choices(loss):
        first = loss(inputs, truth)
    torch.manual_seed(5)
    with replay_choices(loss):
        assert torch.equal(loss(inputs, truth), first)
    assert not torch.equal(loss(inputs, truth), first)


def test_the_defaults_are_those_of_section_3() -> None:
    matcher = HungarianMatcher()
    assert (matcher.class_cost, matcher.mask_cost, matcher.dice_cost, matcher.one_to_many) == (5, 5, 5, True)


def test_proposals_in_ignored_voxels_weigh_nothing_whatever_their_axis() -> None:
    truth = target()
    truth[0, 0, 0, 2, 3], truth[0, 1, 0, 2, 3] = -1, 0
    inputs = prediction()._replace(seeds=torch.tensor([[[0, 2, 3], [3, 2, 0]], [[-1, -1, -1], [0, 2, 3]]]))
    weights = criterion().weigh_unmatched(inputs, [read_targets(sample) for sample in truth])
    assert weights.tolist() == [[0, 1], [1, 1]]
