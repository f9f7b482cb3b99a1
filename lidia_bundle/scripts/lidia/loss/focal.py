"""L_focal: the classification loss of the queries (Lin et al. 2017; section 2.2, Training and Inference).

    L_focal = -(1 - p_t)^γ · log p_t

p_t  softmax probability of the query's target class, 'no object' included; γ = 2.
Summed over queries and divided by the weight of those with a target, as Lin et al. divide by the anchors with
one: the number of queries does not set its scale, nor dilute the few that answer for something.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FocalLoss(nn.Module):
    """Softmax focal loss over queries (L_focal); γ = 0 is the cross-entropy of Mask2Former.

    Args:
        gamma: focusing exponent γ.
        no_object: weight of queries without a target (PLAN: 1.0 with focal, 0.1 with cross-entropy). Where
            one-to-many matching shares a lesion's weight among its queries, 1.0 leaves them half-sure of the
            lesion and the class map reads background; train.json has 0.1.
    """

    def __init__(self, *, gamma: float = 2.0, no_object: float = 1.0) -> None:
        super().__init__()
        self.gamma, self.no_object = gamma, no_object

    def forward(self, logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum over queries, a target.

        Args:
            logits: (B, Q, C + 1).
            classes: (B, Q) long; C stands for 'no object'.
            weights: (B, Q); those of 'no object' queries are multiplied by `no_object`.
        """
        empty = classes == logits.shape[-1] - 1
        answering = (weights * ~empty).sum()
        weights = torch.where(empty, weights * self.no_object, weights)
        log_p = logits.log_softmax(dim=-1).gather(2, classes[..., None])[..., 0]  # (B, Q)
        loss = -((1.0 - log_p.exp()) ** self.gamma) * log_p
        return (loss * weights).sum() / answering.clamp(min=1.0)
