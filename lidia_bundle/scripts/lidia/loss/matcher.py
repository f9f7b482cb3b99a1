"""Assign queries to target masks by Hungarian matching (Carion et al. 2020), optionally one-to-many.

With one-to-one matching, several proposals on one lesion get contradictory targets. With `one_to_many`, every
proposal placed inside a lesion is also assigned to that lesion; the weights of its queries sum to 1, so the
loss of a lesion does not increase.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from scripts.lidia.loss.instance_targets import Targets
from scripts.lidia.loss.mask_loss import PointFeatures, compute_point_logits


class Assignment(NamedTuple):
    """Matched pairs of one sample; the Hungarian pairs, one per target, come first.

    Attributes:
        queries: (M,) long.
        targets: (M,) long, indices into the sample's `Targets`.
        weights: (M,) float, sums to 1 per target.
        primary: number of Hungarian pairs.
    """

    queries: Tensor
    targets: Tensor
    weights: Tensor
    primary: int


class HungarianMatcher:
    """Matching by the negative class probability, mask cross-entropy and Dice at points shared by all masks.

    The points are those of the mask loss: its candidates and the foreground points of every target, so that
    small lesions are represented.

    Args:
        class_cost: weight of -p(class).
        mask_cost: weight of the mean binary cross-entropy.
        dice_cost: weight of the Dice loss.
        one_to_many: also assign proposals to the lesion in which they were placed.
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

    def compute_cost(self, logits: Tensor, class_logits: Tensor, truth: Tensor, classes: Tensor) -> Tensor:
        """Return costs (Q, T): mask logits (Q, N), class logits (Q, C + 1), truth (T, N), classes (T,)."""
        n = logits.shape[1]
        positive_loss, negative_loss = F.softplus(-logits), F.softplus(logits)
        entropy = (positive_loss @ truth.T + negative_loss @ (1.0 - truth).T) / n
        probability = logits.sigmoid()
        dice = 1.0 - (2.0 * probability @ truth.T + 1.0) / (
            probability.sum(1)[:, None] + truth.sum(1)[None] + 1.0
        )
        class_probability = class_logits.softmax(-1)[:, classes]
        return self.mask_cost * entropy + self.dice_cost * dice - self.class_cost * class_probability

    @torch.no_grad()
    def __call__(
        self,
        class_logits: Tensor,
        embeddings: Tensor,
        features: PointFeatures,
        targets: Targets,
        seeds: Tensor,
    ) -> Assignment:
        """Match the queries of one sample.

        Args:
            class_logits: (Q, C + 1).
            embeddings: (Q, E + 1).
            features: mask features and truth at the sample's points.
            targets: T masks.
            seeds: (Q, 3) voxels, -1 for queries without a seed.

        Returns:
            Hungarian pairs, then the proposals that are also assigned to their lesion.
        """
        sampled = compute_point_logits(
            embeddings, torch.cat([features.shared, features.inside.flatten(1)], dim=1)
        )
        inside_truth = torch.eye(len(targets.classes), device=sampled.device).repeat_interleave(
            features.inside.shape[2], dim=1
        )
        truth = torch.cat([features.shared_truth, inside_truth.to(sampled.dtype)], dim=1)
        cost = self.compute_cost(sampled, class_logits, truth, targets.classes)
        rows, columns = linear_sum_assignment(cost.float().cpu().numpy())
        queries = torch.as_tensor(rows, device=sampled.device)
        target_index = torch.as_tensor(columns, device=sampled.device)
        primary = len(queries)
        if self.one_to_many:
            seeded_queries, seeded_targets = self.match_seeds(targets, seeds, queries)
            queries, target_index = (
                torch.cat([queries, seeded_queries]),
                torch.cat([target_index, seeded_targets]),
            )
        queries_per_target = torch.bincount(target_index, minlength=len(targets.classes)).to(sampled.dtype)
        return Assignment(queries, target_index, 1.0 / queries_per_target[target_index], primary)

    def match_seeds(self, targets: Targets, seeds: Tensor, matched: Tensor) -> tuple[Tensor, Tensor]:
        """Return query and target indices of unmatched proposals whose seed lies inside a lesion."""
        is_free = (seeds >= 0).all(dim=1)
        is_free[matched] = False
        index = is_free.nonzero()[:, 0]
        x, y, z = seeds[index].unbind(1)
        inside = targets.masks[:, x, y, z] & (targets.instances > 0)[:, None]  # (T, F)
        return index[inside.any(dim=0)], inside.float().argmax(dim=0)[inside.any(dim=0)]
