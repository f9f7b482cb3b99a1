"""Which query answers for which mask: Hungarian matching (Carion et al. 2020), optionally one-to-many.

One-to-one matching leaves several half-sure proposals on one lesion. With `one_to_many` a proposal seeded
inside a lesion answers for that lesion too; a lesion's answers share one unit of weight, so that its loss
does not grow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from scripts.lidia.loss.instance_targets import Targets
from scripts.lidia.loss.mask_loss import PointFeatures, logits_at


class Assignment(NamedTuple):
    """Pairs of one sample; the first ones are the Hungarian pairs, one a target.

    Attributes:
        queries: (M,) long.
        targets: (M,) long, indices into the sample's `Targets`.
        weights: (M,) float, sums to 1 a target.
        primary: number of Hungarian pairs.
    """

    queries: Tensor
    targets: Tensor
    weights: Tensor
    primary: int


class HungarianMatcher:
    """Costs: minus the class probability, mask cross-entropy and Dice at points shared by all masks.

    The points are the mask loss's: its candidates and every target's foreground share, so that small lesions
    count.

    Args:
        class_cost: weight of -p(class).
        mask_cost: weight of the mean binary cross-entropy.
        dice_cost: weight of the Dice loss.
        one_to_many: also assign proposals to the lesion that they were seeded in.
    """

    def __init__(
        self,
        *,
        class_cost: float = 5.0,
        mask_cost: float = 5.0,
        dice_cost: float = 5.0,
        one_to_many: bool = True,
    ) -> None:
        self.class_cost, self.mask_cost, self.dice_cost = class_cost, mask_cost, dice_cost
        self.one_to_many = one_to_many

    def cost(self, logits: Tensor, class_logits: Tensor, truth: Tensor, classes: Tensor) -> Tensor:
        """Cost (Q, T) of mask logits (Q, N) and class logits (Q, C + 1) for truth (T, N) and classes (T,)."""
        n = logits.shape[1]
        yes, no = F.softplus(-logits), F.softplus(logits)
        entropy = (yes @ truth.T + no @ (1.0 - truth).T) / n
        soft = logits.sigmoid()
        dice = 1.0 - (2.0 * soft @ truth.T + 1.0) / (soft.sum(1)[:, None] + truth.sum(1)[None] + 1.0)
        likely = class_logits.softmax(-1)[:, classes]
        return self.mask_cost * entropy + self.dice_cost * dice - self.class_cost * likely

    @torch.no_grad()
    def __call__(
        self, class_logits: Tensor, embeddings: Tensor, at: PointFeatures, targets: Targets, seeds: Tensor
    ) -> Assignment:
        """Matches the queries of one sample.

        Args:
            class_logits: (Q, C + 1).
            embeddings: (Q, E + 1).
            at: mask features and truth at the sample's points.
            targets: T masks.
            seeds: (Q, 3) voxels, -1 for queries without a seed.

        Returns:
            Hungarian pairs, then the proposals that stand in for their lesion.
        """
        sampled = logits_at(embeddings, torch.cat([at.shared, at.inside.flatten(1)], dim=1))
        own = torch.eye(len(targets.classes), device=sampled.device).repeat_interleave(
            at.inside.shape[2], dim=1
        )
        truth = torch.cat([at.shared_truth, own.to(sampled.dtype)], dim=1)
        cost = self.cost(sampled, class_logits, truth, targets.classes)
        rows, columns = linear_sum_assignment(cost.float().cpu().numpy())
        queries = torch.as_tensor(rows, device=sampled.device)
        answers = torch.as_tensor(columns, device=sampled.device)
        primary = len(queries)
        if self.one_to_many:
            more, lesion = self.seeded(targets, seeds, queries)
            queries, answers = torch.cat([queries, more]), torch.cat([answers, lesion])
        share = torch.bincount(answers, minlength=len(targets.classes)).to(sampled.dtype)
        return Assignment(queries, answers, 1.0 / share[answers], primary)

    def seeded(self, targets: Targets, seeds: Tensor, taken: Tensor) -> tuple[Tensor, Tensor]:
        """Free proposals whose seed lies inside a lesion: query indices and target indices."""
        free = (seeds >= 0).all(dim=1)
        free[taken] = False
        index = free.nonzero()[:, 0]
        x, y, z = seeds[index].unbind(1)
        inside = targets.masks[:, x, y, z] & (targets.instances > 0)[:, None]  # (T, F)
        return index[inside.any(dim=0)], inside.float().argmax(dim=0)[inside.any(dim=0)]
