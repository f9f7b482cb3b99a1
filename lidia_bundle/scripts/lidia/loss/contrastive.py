"""Compute the asymmetric contrastive loss (LIDIA, Eq. 3, Eq. 4 and Eq. 5).

    L = E_{x∈I}[L(x)]                                                                       (3)
    L(x) = Σ_{p∈P(x)} 1/|P(x)| · log( exp(z(x)ᵀz(p)/τ) / Σ_{a∈A(x)} exp(z(x)ᵀz(a)/τ) )      (4)
    L(x_r) = log Σ_{a∈A_c(x_r)} exp(z(x_r)ᵀz(a)/τ)                                          (5)

z  L2-normalised projection of a lesion's query; P(x)  samples of x's class; A(x)  contrast set of x;
x_r  a lesion of the class `others`; A_c  common lesions only; τ = 0.1. Source: section 2.2.

Differs from the print: Eq. 4 is printed without its minus sign and is minimised with it. Eq. 5 is averaged
inside the logarithm (log-mean-exp): the gradient is the same, and the value does not depend on how full the
bank is. A(x) contains common lesions only, because `others` would otherwise be repelled twice;
`others_in_denominator` adds them. An anchor without another sample of its class has no Eq. 4 and is excluded
from the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.vocabulary import OTHERS


class AsymmetricContrastiveLoss(nn.Module):
    """Attract common lesions of one class, repel different classes; only repel `others` (Eq. 3-5).

    Args:
        temperature: τ.
        others_in_denominator: include `others` in the denominator of a common anchor.
    """

    def __init__(self, *, temperature: float = 0.1, others_in_denominator: bool = False) -> None:
        super().__init__()
        self.temperature = temperature
        self.others_in_denominator = others_in_denominator

    def forward(self, anchors: Tensor, classes: Tensor, bank: Tensor, bank_classes: Tensor) -> Tensor:
        """Compute the mean over the anchors of Eq. 4 (with its minus sign) or Eq. 5.

        Args:
            anchors: (n, R) embeddings of the batch, L2-normalised.
            classes: (n,) lesion classes.
            bank: (m, R) embeddings without gradient.
            bank_classes: (m,) lesion classes of the bank.

        Returns:
            Scalar; 0 if the bank contains fewer than two common classes.
        """
        common = bank_classes[bank_classes != OTHERS]
        if len(anchors) == 0 or len(common.unique()) < 2:
            return anchors.sum() * 0.0
        contrast, contrast_classes = torch.cat([anchors, bank]), torch.cat([classes, bank_classes])
        similarity = anchors @ contrast.T / self.temperature  # (n, n + m)
        is_self = torch.eye(len(anchors), len(contrast), dtype=torch.bool, device=anchors.device)
        is_others = (classes == OTHERS)[:, None]
        allowed = ~is_self & (contrast_classes != OTHERS)[None]  # A_c of every anchor
        if self.others_in_denominator:
            allowed = allowed | (~is_self & ~is_others)
        denominator = similarity.masked_fill(~allowed, -torch.inf).logsumexp(dim=1)
        positive = ~is_self & (contrast_classes[None] == classes[:, None]) & ~is_others
        mean_positive = (similarity * positive).sum(1) / positive.sum(1).clamp(min=1)
        eq4 = denominator - mean_positive
        eq5 = denominator - allowed.sum(1).to(similarity.dtype).log()
        has_loss = is_others[:, 0] | positive.any(dim=1)
        losses = torch.where(is_others[:, 0], eq5, eq4)[has_loss]
        return losses.mean() if len(losses) else anchors.sum() * 0.0
