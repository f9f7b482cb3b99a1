"""Define the patient branch (PLAN, Yan et al. 2023): memory tokens that attend to the features of a window.

It has one dual-path block (MaX-DeepLab, Wang et al. 2021, without the path back to the pixels) per feature
level. The mean memory token predicts which lesion types the window contains (multi-label).

Differs from PLAN, which trains its branch for hundreds of thousands of steps: fewer and narrower tokens, with
initial values near 0; the token of a cell is the maximum over its voxels instead of a strided convolution,
because a lesion fills a small part of a cell; each token is normalised separately, because an instance norm
would remove the mean of all tokens, which an untrained attention reads. Positions use LIDIA's sine encoding
instead of a learned one, so that windows of any size are possible. There is no dropout, so that both passes
of sharpness-aware minimisation compute the same function.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import Conv1, SinePosition, compute_voxel_positions


class DualPathBlock(nn.Module):
    """Lets memory tokens attend to voxels and to one another in one attention; pre-norm, then an MLP."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.norm_memory, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feedforward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, memory: Tensor, voxels: Tensor) -> Tensor:
        """Maps memory (B, M, D) and voxels (B, N, D) to memory (B, M, D)."""
        query = self.norm_memory(memory)
        context = torch.cat([voxels, query], dim=1)
        attended, _ = self.attention(query, context, context, need_weights=False)
        memory = memory + attended
        return memory + self.feedforward(self.norm_feed(memory))


class PatientBranch(nn.Module):
    """Predicts logits of the lesion types in a window.

    Args:
        channels: widths of the input feature levels, one block each, in this order.
        factors: pooling factor of each level, so that all levels have the same token grid.
        stride: spacing of that grid in voxels of the network's grid.
        outputs: number of logits.
        memory: number of memory tokens (PLAN: 192).
        width: width of a token (PLAN: 128).
        heads: number of attention heads.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        factors: Sequence[int],
        stride: int,
        outputs: int,
        memory: int = 32,
        width: int = 64,
        heads: int = 8,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.memory = nn.Parameter(torch.randn(memory, width) * 0.02)
        self.folds = nn.ModuleList(
            nn.Sequential(Conv1(c, width), nn.MaxPool3d(f)) for c, f in zip(channels, factors, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in channels)
        self.sine = SinePosition(width)
        self.blocks = nn.ModuleList(DualPathBlock(width=width, heads=heads) for _ in channels)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, outputs)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Maps feature levels (B, C_i, x_i, y_i, z_i) to logits (B, outputs)."""
        memory = self.memory.expand(len(levels[0]), -1, -1)
        for level, fold, norm, block in zip(levels, self.folds, self.norms, self.blocks, strict=True):
            tokens = fold(level)
            x, y, z = tokens.shape[2:]
            positions = self.sine(compute_voxel_positions(x, y, z, self.stride, tokens.device))
            memory = block(memory, norm(tokens.flatten(2).mT) + positions)
        return self.classify(self.norm(memory.mean(dim=1)))
