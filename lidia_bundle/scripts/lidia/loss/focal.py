"""Compute L_focal, the classification loss of the queries (Lin et al. 2017; section 2.2).

    L_focal = -(1 - p_t)^γ · log p_t

p_t  softmax probability of the query's target class, 'no object' included; γ = 2.
The sum over queries is divided by the total weight of the queries with a target, as Lin et al. divide by the
number of anchors with one, so that the scale does not depend on the number of queries.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FocalLoss(nn.Module):
    """Softmax focal loss over queries (L_focal); γ = 0 is the cross-entropy of Mask2Former.

    Args:
        gamma: focusing exponent γ.
        no_object: weight of queries without a target (PLAN: 1.0 with focal, 0.1 with cross-entropy). If
            one-to-many matching divides a lesion's weight among its queries, a value of 1.0 keeps their class
            probabilities low and the class map predicts background; train.json has 0.1.
    """

    def __init__(self, *, gamma: float = 2.0, no_object: float = 0.1) -> None:
        super().__init__()
        self.gamma, self.no_object = gamma, no_object

    def forward(self, logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
        """Compute the weighted sum over queries per target.

        Args:
            logits: (B, Q, C + 1).
            classes: (B, Q) long; C is 'no object'.
            weights: (B, Q); the weights of 'no object' queries are multiplied by `no_object`.
        """
        empty = classes == logits.shape[-1] - 1
        target_weight = (weights * ~empty).sum()
        weights = torch.where(empty, weights * self.no_object, weights)
        log_p = logits.log_softmax(dim=-1).gather(2, classes[..., None])[..., 0]  # (B, Q)
        loss = -((1.0 - log_p.exp()) ** self.gamma) * log_p
        return (loss * weights).sum() / target_weight.clamp(min=1.0)
