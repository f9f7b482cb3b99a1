"""Targets of a sample, its points, and the pairs of pilots, by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scripts.lidia.loss.criterion import match_pilots
from scripts.lidia.loss.instance_targets import Targets, read_targets
from scripts.lidia.loss.mask_loss import MaskLoss, PointFeatures, compute_point_logits
from scripts.lidia.loss.matcher import Assignment, HungarianMatcher
from scripts.lidia.loss.point_sampling import draw_points, draw_voxels, select_most_uncertain
from scripts.lidia.loss.semantic_loss import SemanticLoss


def line(classes: list[int], instances: list[int]) -> torch.Tensor:
    """A sample of one row of voxels."""
    return torch.tensor([classes, instances], dtype=torch.int16).reshape(2, 1, 1, -1)


def test_a_lesion_has_the_commonest_class_of_its_voxels_and_stuff_has_no_lesion_in_it() -> None:
    targets = read_targets(line([0, 1, 1, 4, 4, 6, 2, -1, -1], [0, 0, 3, 3, 3, 3, 5, 5, 6]))
    assert targets.classes.tolist() == [0, 1, 4, 2]
    assert targets.instances.tolist() == [0, 0, 3, 5]
    expected = [
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 0, 0],
    ]
    assert targets.masks[:, 0, 0].int().tolist() == expected


@pytest.mark.parametrize(("classes", "expected"), [([0, 0], [0]), ([1, 1], [1]), ([-1, -1], [])])
def test_stuff_that_is_not_there_is_no_target(classes: list[int], expected: list[int]) -> None:
    targets = read_targets(line(classes, [0, 0]))
    assert targets.classes.tolist() == expected and len(targets.masks) == len(targets.instances) == len(
        expected
    )


def test_pilots_are_paired_with_their_lesion_by_its_number() -> None:
    targets = Targets(torch.tensor([0, 1, 5, 7]), torch.tensor([0, 0, 4, 9]), torch.zeros(4, 1, 1, 1).bool())
    pair = match_pilots(torch.tensor([9, 4, 0]), targets)
    assert pair.queries.tolist() == [0, 1] and pair.targets.tolist() == [3, 2]
    assert pair.weights.tolist() == [1.0, 1.0] and pair.primary == 2


def test_points_are_drawn_evenly_from_all_voxels_and_from_a_mask() -> None:
    counts = torch.bincount(draw_points(10, 20000, torch.device("cpu")), minlength=10)
    assert len(counts) == 10 and counts.min() > 1800 and counts.max() < 2200
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    mask[0, 0, 1] = mask[1, 2, 3] = mask[1, 0, 0] = True
    counts = torch.bincount(draw_voxels(mask, 3000), minlength=24)
    assert counts.nonzero()[:, 0].tolist() == [1, 12, 23] and counts[[1, 12, 23]].min() > 850


def test_the_most_uncertain_are_nearest_to_zero_on_either_side() -> None:
    result = select_most_uncertain(torch.tensor([[3.0, -0.5, 1.0, -4.0], [0.2, 5.0, -6.0, -0.1]]), 2)
    assert [set(row.tolist()) for row in result] == [{1, 2}, {0, 3}]


def test_the_semantic_points_share_the_foreground_evenly_over_lesions_of_any_size() -> None:
    target = torch.zeros(1, 2, 8, 8, 8, dtype=torch.int16)
    target[0, :, 0, 0, 0] = torch.tensor([2, 1], dtype=torch.int16)  # one voxel of the first lesion class
    target[0, :, 4:8, 4:8, 4:8] = torch.tensor([9, 2], dtype=torch.int16)[:, None, None, None]
    target[0, 1, 0, 0, 5] = 3  # a number without a lesion
    points = SemanticLoss(points=1000, foreground=0.5).draw(target)
    assert points.shape == (1, 1000)
    samples = target[0, 1].flatten()[points[0, 500:]]
    assert torch.bincount(samples).tolist() == [0, 250, 250]
    share = (target[0, 0].flatten()[points[0, :500]] > 0).float().mean()
    assert share == pytest.approx(65 / 512, abs=0.05), "the others come from everywhere"


def test_the_semantic_loss_is_cross_entropy_and_dice_over_the_batch() -> None:
    """Four points of two samples; MONAI's options spelled out."""
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.5, 3.0], [1.0, 0.0]]]).reshape(2, 2, 1, 1, 2)
    target = torch.zeros(2, 2, 1, 1, 2, dtype=torch.int64)
    target[:, 0, 0, 0] = torch.tensor([[0, 1], [1, 0]])
    points = torch.tensor([[0, 1], [0, 1]])
    p, truth = logits.softmax(1).flatten(2), F.one_hot(target[:, 0].flatten(1), 2).transpose(1, 2)
    entropy = -(p.log() * truth).sum(1).mean()
    shared, both = (p * truth).sum((0, 2)), (p + truth).sum((0, 2))
    dice = (1 - (2 * shared + 1) / (both + 1)).mean()
    torch.testing.assert_close(SemanticLoss()(logits, target, points), entropy + dice)


def test_mask_loss_compares_at_its_points_and_inside_its_own_target() -> None:
    """Two masks, three shared points of which two are read, one point inside each target."""
    at = PointFeatures(
        shared=torch.tensor([[1.0, 2.0, -1.0], [2.0, 2.0, 4.0]]),
        shared_truth=torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]),
        inside=torch.tensor([[[3.0], [-1.0]], [[0.0], [2.0]]]),
    )
    embeddings = torch.tensor([[2.0, 0.5, 0.0]])  # a logit is 2 x + y / 2
    entropy, dice = MaskLoss(points=2)(embeddings, torch.tensor([1]), at, torch.tensor([[0, 2]]))
    logits, truth = torch.tensor([3.0, 0.0, -1.0]), torch.tensor([0.0, 1.0, 1.0])
    p = torch.sigmoid(logits)
    torch.testing.assert_close(entropy[0], F.binary_cross_entropy(p, truth), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dice[0], 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1))
    assert compute_point_logits(embeddings, at.shared).tolist() == [[3.0, 5.0, 0.0]]


def test_the_cost_reads_shared_points_and_the_inside_of_every_target() -> None:
    """A point inside a target counts as its own and as outside of all others."""
    at = PointFeatures(
        shared=torch.tensor([[1.0]]),
        shared_truth=torch.tensor([[1.0], [0.0]]),
        inside=torch.tensor([[[2.0, -1.0], [-3.0, 4.0]]]),
    )
    targets = Targets(torch.tensor([0, 3]), torch.tensor([0, 1]), torch.zeros(2, 1, 1, 1, dtype=torch.bool))
    recorded: list[tuple[torch.Tensor, ...]] = []
    matcher = HungarianMatcher(one_to_many=False)
    inner = matcher.compute_cost
    matcher.compute_cost = lambda *inputs: [recorded.append(inputs), inner(*inputs)][1]
    embeddings, seeds = torch.tensor([[0.0, 9.0], [1.0, 0.0], [-1.0, 0.0]]), torch.full((3, 3), -1)
    pair = matcher(torch.zeros(3, 5), embeddings, at, targets, seeds)
    logits, _, truth, classes = recorded[0]
    assert logits[1].tolist() == [1, 2, -1, -3, 4]
    assert truth.tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 1]] and classes.tolist() == [0, 3]
    assert isinstance(pair, Assignment) and pair.primary == 2


def test_a_proposal_joins_the_lesion_of_its_seed_and_never_stuff() -> None:
    masks = torch.zeros(4, 4, 1, 1, dtype=torch.bool)
    for target, x in enumerate((0, 1, 2, 3)):
        masks[target, x] = True
    targets = Targets(torch.tensor([0, 1, 5, 7]), torch.tensor([0, 0, 2, 3]), masks)
    seeds = torch.tensor([[3, 0, 0], [2, 0, 0], [1, 0, 0], [0, 0, 0], [-1, -1, -1], [2, 0, 0], [3, 0, 0]])
    queries, answers = HungarianMatcher().match_seeds(targets, seeds, torch.tensor([1]))
    assert queries.tolist() == [0, 5, 6] and answers.tolist() == [3, 2, 3]
