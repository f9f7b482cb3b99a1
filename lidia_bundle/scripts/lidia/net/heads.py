"""What a query says: its class, its mask, and its place in the embedding space of the contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import Perceptron


class QueryHeads(nn.Module):
    """Class and mask heads, shared by all decoder layers.

    Args:
        width: of the queries, D.
        embedding: E, of the mask features.
        classes: C; one logit more stands for 'no object'.
        described: width of the pixel description that is averaged under a query's own mask and shown to the
            class head; 0 leaves it out, as in Mask2Former.
    """

    def __init__(self, *, width: int, embedding: int, classes: int, described: int) -> None:
        super().__init__()
        self.described = described
        self.norm = nn.LayerNorm(width)
        self.mask = Perceptron(width, width, embedding + 1)
        last = self.mask[-1]
        assert isinstance(last, nn.Linear)
        # Lesions are small: masks start nearly empty, queries start as 'no object'.
        nn.init.constant_(last.bias[-1:], -3.0)
        hidden = 2 * width if described else width
        self.classify = Perceptron(width + described, hidden, classes + 1, layers=2 if described else 1)
        out = self.classify[-1]
        assert isinstance(out, nn.Linear)
        nn.init.constant_(out.bias[-1:], 2.0)

    def forward(self, queries: Tensor, mask_features: Tensor, description: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts from the queries as they stand.

        Args:
            queries: (B, Q, D).
            mask_features: (B, E, N).
            description: (B, W, N); not read where `described` is 0.

        Returns:
            class logits (B, Q, C + 1) and mask embeddings (B, Q, E + 1).
        """
        queries = self.norm(queries)
        embeddings = self.mask(queries)
        if self.described > 0:
            weight = mask_logits(embeddings.detach(), mask_features.detach()).sigmoid()  # (B, Q, N)
            pooled = description @ weight.transpose(1, 2)  # (B, W, Q): the large factor is not transposed
            pooled = pooled.transpose(1, 2) / (weight.sum(dim=2, keepdim=True) + 1e-3)
            queries = torch.cat([queries, pooled], dim=2)
        return self.classify(queries), embeddings


def mask_logits(embeddings: Tensor, mask_features: Tensor) -> Tensor:
    """(B, Q, E + 1) and (B, E, N) -> (B, Q, N)."""
    return torch.baddbmm(embeddings[..., -1:], embeddings[..., :-1], mask_features)
