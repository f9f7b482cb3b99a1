"""The decoder of Mask2Former (Cheng et al. 2022) in 3-D: masked cross-attention, self-attention, FFN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import Perceptron


class DecoderLayer(nn.Module):
    """One layer, post-norm, dropout 0."""

    def __init__(self, *, width: int, heads: int, feedforward: int) -> None:
        super().__init__()
        self.heads = heads
        self.cross = nn.MultiheadAttention(width, heads, batch_first=True)
        self.itself = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feedforward = Perceptron(width, feedforward, width, layers=2)
        self.norm_cross, self.norm_self, self.norm_feed = (nn.LayerNorm(width) for _ in range(3))

    def forward(
        self,
        queries: Tensor,
        position: Tensor,
        memory: Tensor,
        places: Tensor,
        blocked: Tensor,
        apart: Tensor | None,
    ) -> Tensor:
        """Updates the queries.

        Args:
            queries: (B, Q, D).
            position: (B, Q, D), their positional part.
            memory: (B, N, D) voxels of one pyramid level.
            places: (1, N, D), their positional part.
            blocked: (B, Q, N) bool, voxels outside the query's mask so far.
            apart: (Q, Q) bool, pairs of queries that must not see each other; None lets all.
        """
        blocked = unblock_empty(blocked).repeat_interleave(self.heads, dim=0)
        seen, _ = self.cross(
            queries + position, memory + places, memory, need_weights=False, attn_mask=blocked
        )
        queries = self.norm_cross(queries + seen)
        key = queries + position
        told, _ = self.itself(key, key, queries, need_weights=False, attn_mask=apart)
        queries = self.norm_self(queries + told)
        return self.norm_feed(queries + self.feedforward(queries))


def unblock_empty(blocked: Tensor) -> Tensor:
    """Frees rows that block everything: attention over nothing would be NaN."""
    return blocked & ~blocked.all(dim=-1, keepdim=True)


def keep_apart(queries: int, pilots: int, device: torch.device) -> Tensor:
    """(Q + T, Q + T) bool: pilots know the truth, so nobody looks at them, they only at themselves."""
    total = queries + pilots
    apart = torch.zeros((total, total), dtype=torch.bool, device=device)
    apart[:, queries:] = True
    apart[queries:, :queries] = True
    apart.fill_diagonal_(False)
    return apart
