"""The matcher against brute force over permutations, and one-to-many by hand."""

from itertools import permutations

import torch

from scripts.lidia.loss.instance_targets import read_targets
from scripts.lidia.loss.mask_loss import MaskLoss
from scripts.lidia.loss.matcher import HungarianMatcher


def case(seed):
    torch.manual_seed(seed)
    target = torch.zeros(2, 12, 12, 12, dtype=torch.int16)
    target[0, 1:11, 1:11, 1:11] = 1
    for k, c in enumerate((3, 7), start=1):
        target[:, 3 * k : 3 * k + 3, 4:8, 4:8] = torch.tensor([c, k], dtype=torch.int16)[:, None, None, None]
    targets = read_targets(target)
    masks = MaskLoss(points=64)
    at = masks.read(torch.randn(4, 6, 6, 6), masks.draw(target[1], targets), targets)
    return targets, at, torch.randn(6, 11), torch.randn(6, 5)


def test_the_pairs_cost_no_more_than_any_permutation():
    for seed in range(5):
        targets, at, logits, embeddings = case(seed)
        matcher = HungarianMatcher(one_to_many=False)
        recorded = {}
        inner = matcher.compute_cost
        matcher.compute_cost = lambda *a: recorded.setdefault("cost", inner(*a))  # noqa: B023
        pair = matcher(logits, embeddings, at, targets, torch.full((6, 3), -1))
        cost = recorded["cost"]
        best = min(sum(float(cost[q, t]) for t, q in enumerate(p)) for p in permutations(range(6), 4))
        assert abs(float(cost[pair.queries, pair.targets].sum()) - best) < 1e-4
        assert sorted(pair.targets.tolist()) == [0, 1, 2, 3] and pair.primary == 4
        assert pair.weights.tolist() == [1.0] * 4


def test_the_cost_by_hand():
    matcher = HungarianMatcher(class_cost=2.0, mask_cost=3.0, dice_cost=5.0)
    truth = torch.tensor([[1.0, 0.0]])
    cost = matcher.compute_cost(
        torch.zeros(1, 2), torch.tensor([[0.25, 0.75]]).log(), truth, torch.tensor([1])
    )
    by_hand = 3.0 * 0.6931472 + 5.0 * (1 - (2 * 0.5 + 1) / (1 + 1 + 1)) - 2.0 * 0.75
    torch.testing.assert_close(cost, torch.tensor([[by_hand]]))


def test_a_proposal_seeded_in_a_lesion_answers_for_it_too():
    targets, at, logits, embeddings = case(0)
    seeds = torch.full((6, 3), -1)
    seeds[:5] = torch.tensor([4, 5, 5])  # inside lesion 1, the third target
    seeds[4] = torch.tensor([0, 0, 0])  # background: nobody's
    pair = HungarianMatcher(one_to_many=True)(logits, embeddings, at, targets, seeds)
    answers = pair.queries[pair.targets == 2].tolist()
    free = set(range(4)) - set(pair.queries[: pair.primary].tolist())
    assert free <= set(answers)
    assert 4 not in pair.queries[pair.primary :].tolist()
    torch.testing.assert_close(pair.weights[pair.targets == 2].sum(), torch.tensor(1.0))
    assert len(set(pair.queries.tolist())) == len(pair.queries)
