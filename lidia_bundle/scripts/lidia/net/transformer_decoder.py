"""Decode queries with masked cross-attention, self-attention and FFN (3-D Mask2Former, Cheng et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.net.blocks import Perceptron, SinePosition, compute_voxel_positions
from scripts.lidia.net.query_heads import QueryHeads, compute_mask_logits


class TransformerDecoder(nn.Module):
    """Decoder layers that attend to one pyramid level inside the query's mask and predict after each layer.

    Args:
        hidden_dim: width D of the queries and of the pyramid levels that are attended to.
        attention_levels: pyramid level (0 is the finest) of each layer.
        heads: class and mask heads, shared by all layers.
        num_heads: number of attention heads.
        ffn_dim: hidden width of the FFN.
        stem_stride: voxels of the network's grid in one voxel of the finest level.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        attention_levels: Sequence[int],
        heads: QueryHeads,
        num_heads: int,
        ffn_dim: int,
        stem_stride: int,
    ) -> None:
        super().__init__()
        self.attention_levels = list(attention_levels)
        self.factors = [2**level for level in self.attention_levels]
        self.stem_stride = stem_stride
        self.level_embed = nn.Parameter(torch.randn(len(self.attention_levels), hidden_dim) * 0.02)
        self.layers = nn.ModuleList(
            DecoderLayer(hidden_dim=hidden_dim, num_heads=num_heads, ffn_dim=ffn_dim)
            for _ in self.attention_levels
        )
        self.heads = heads
        self.sine = SinePosition(hidden_dim)

    def extra_repr(self) -> str:
        """Show the levels, which the submodules and weights do not determine."""
        return f"attention_levels={self.attention_levels}"

    def forward(
        self,
        pyramid: list[Tensor],
        mask_features: Tensor,
        descriptors: Tensor,
        query_feat: Tensor,
        query_embed: Tensor,
        pilot_masks: Tensor | None,
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Decode the queries.

        Args:
            pyramid: levels (B, D, x_i, y_i, z_i), fine to coarse; the finest has width E and is not used.
            mask_features: (B, E, x, y, z).
            descriptors: (B, W, x, y, z).
            query_feat: (B, Q, D), initial content of the queries.
            query_embed: (B, Q, D), positional part of the queries.
            pilot_masks: (B, T, x, y, z) where the last T queries, the pilots, attend; None without pilots.

        Returns:
            class logits (B, Q, C + 1) and mask embeddings (B, Q, E + 1), before the first layer and after
            each, and the decoded queries (B, Q, D).
        """
        flat, described = mask_features.flatten(2), descriptors.flatten(2)
        queries = query_feat
        logits, embed = self.heads(queries, flat, described)
        all_logits, all_embeds = [logits], [embed]
        blocked_pairs: Tensor | None = None
        if pilot_masks is not None:
            count = pilot_masks.shape[1]
            blocked_pairs = separate_pilots(queries.shape[1] - count, count, queries.device)
        for i, layer in enumerate(self.layers):
            factor = self.factors[i]
            memory = pyramid[self.attention_levels[i]]
            x, y, z = memory.shape[2:]
            coarse = F.avg_pool3d(mask_features, factor).flatten(2)
            blocked = compute_mask_logits(embed.detach(), coarse.detach()) < 0.0
            if pilot_masks is not None:
                inside = F.max_pool3d(pilot_masks, factor).flatten(2) > 0.0
                blocked = torch.cat([blocked[:, : -pilot_masks.shape[1]], ~inside], dim=1)
            positions = compute_voxel_positions(x, y, z, self.stem_stride * factor, memory.device)
            memory = memory.flatten(2).transpose(1, 2) + self.level_embed[i]
            queries = layer(
                queries, query_embed, memory, self.sine(positions).unsqueeze(0), blocked, blocked_pairs
            )
            logits, embed = self.heads(queries, flat, described)
            all_logits.append(logits)
            all_embeds.append(embed)
        return all_logits, all_embeds, queries


class DecoderLayer(nn.Module):
    """Decoder layer: masked cross-attention, self-attention, FFN; post-norm, dropout 0."""

    def __init__(self, *, hidden_dim: int, num_heads: int, ffn_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.cross_attn = nn.MultiheadAttention(hidden_dim, num_heads, batch_first=True)
        self.self_attn = nn.MultiheadAttention(hidden_dim, num_heads, batch_first=True)
        self.ffn = Perceptron(hidden_dim, ffn_dim, hidden_dim, layers=2)
        self.norm_cross, self.norm_self, self.norm_ffn = (nn.LayerNorm(hidden_dim) for _ in range(3))

    def forward(
        self,
        queries: Tensor,
        position: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        blocked: Tensor,
        blocked_pairs: Tensor | None,
    ) -> Tensor:
        """Update the queries.

        Args:
            queries: (B, Q, D).
            position: (B, Q, D), positional part of the queries.
            memory: (B, N, D) voxels of one pyramid level.
            memory_position: (1, N, D), positional part of the memory.
            blocked: (B, Q, N) bool, voxels outside the query's present mask.
            blocked_pairs: (Q, Q) bool, True for pairs without self-attention; None allows all pairs.
        """
        blocked = unblock_empty(blocked).repeat_interleave(self.num_heads, dim=0)
        attended, _ = self.cross_attn(
            queries + position, memory + memory_position, memory, need_weights=False, attn_mask=blocked
        )
        queries = self.norm_cross(queries + attended)
        key = queries + position
        attended, _ = self.self_attn(key, key, queries, need_weights=False, attn_mask=blocked_pairs)
        queries = self.norm_self(queries + attended)
        return self.norm_ffn(queries + self.ffn(queries))


def unblock_empty(blocked: Tensor) -> Tensor:
    """Clear rows in which every voxel is blocked: softmax over an empty set would be NaN."""
    return blocked & ~blocked.all(dim=-1, keepdim=True)


def separate_pilots(queries: int, pilots: int, device: torch.device) -> Tensor:
    """Return the self-attention mask (Q + T, Q + T), True where attention is blocked.

    A pilot is computed from the true mask, so no other query attends to it, and it attends only to itself.
    """
    total = queries + pilots
    blocked_pairs = torch.zeros((total, total), dtype=torch.bool, device=device)
    blocked_pairs[:, queries:] = True
    blocked_pairs[queries:, :queries] = True
    blocked_pairs.fill_diagonal_(False)
    return blocked_pairs
