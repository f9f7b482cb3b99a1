"""Predict class logits and mask embeddings of queries with heads that all decoder layers share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import Perceptron


class QueryHeads(nn.Module):
    """Class and mask heads, shared by all decoder layers.

    Args:
        hidden_dim: D, width of the queries.
        mask_dim: E, width of the mask features.
        classes: C; an additional logit is that of 'no object'.
        descriptor_dim: width W of the pixel descriptor that is averaged under the query's mask and passed to
            the class head; 0 disables it, as in Mask2Former.
    """

    def __init__(self, *, hidden_dim: int, mask_dim: int, classes: int, descriptor_dim: int) -> None:
        super().__init__()
        self.descriptor_dim = descriptor_dim
        self.norm = nn.LayerNorm(hidden_dim)
        self.mask_embed = Perceptron(hidden_dim, hidden_dim, mask_dim + 1)
        last = self.mask_embed[-1]
        assert isinstance(last, nn.Linear)
        # Lesions are small, so masks are initialised nearly empty and queries as 'no object'.
        nn.init.constant_(last.bias[-1:], -3.0)
        hidden = 2 * hidden_dim if descriptor_dim else hidden_dim
        self.class_embed = Perceptron(
            hidden_dim + descriptor_dim, hidden, classes + 1, layers=2 if descriptor_dim else 1
        )
        out = self.class_embed[-1]
        assert isinstance(out, nn.Linear)
        nn.init.constant_(out.bias[-1:], 2.0)

    def forward(self, queries: Tensor, mask_features: Tensor, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Predict class logits and mask embeddings.

        Args:
            queries: (B, Q, D).
            mask_features: (B, E, N).
            descriptors: (B, W, N); not used if `descriptor_dim` is 0.

        Returns:
            class logits (B, Q, C + 1) and mask embeddings (B, Q, E + 1).
        """
        queries = self.norm(queries)
        embeddings = self.mask_embed(queries)
        if self.descriptor_dim > 0:
            weight = compute_mask_logits(embeddings.detach(), mask_features.detach()).sigmoid()  # (B, Q, N)
            pooled = descriptors @ weight.transpose(1, 2)  # (B, W, Q): the large factor is not transposed
            pooled = pooled.transpose(1, 2) / (weight.sum(dim=2, keepdim=True) + 1e-3)
            queries = torch.cat([queries, pooled], dim=2)
        return self.class_embed(queries), embeddings


def compute_mask_logits(embeddings: Tensor, mask_features: Tensor) -> Tensor:
    """Compute mask logits: (B, Q, E + 1) and (B, E, N) -> (B, Q, N)."""
    return torch.baddbmm(embeddings[..., -1:], embeddings[..., :-1], mask_features)
