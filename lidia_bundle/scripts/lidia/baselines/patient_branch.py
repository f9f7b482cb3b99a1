"""The patient branch (PLAN, Yan et al. 2023): memory tokens that read the features of a whole window.

Dual-path blocks (MaX-DeepLab, Wang et al. 2021, without the way back to the pixels), one a feature level; the
mean memory token says which kinds of lesion the window holds, several at once.

Differs from PLAN, whose branch has hundreds of thousands of steps to learn in: fewer and narrower tokens,
which start near 0; the token of a cell is the maximum over its voxels instead of a strided convolution, for a
lesion fills little of a cell; tokens are normed each by itself, since an instance norm takes the mean of all
tokens away, and that is what an untrained attention reads. The place of a voxel is LIDIA's sine code instead
of a learned one, so that windows of any size can be read; no dropout, so that the second pass of
sharpness-aware minimisation answers the same question as the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import SinePosition, voxel_positions


class DualPathBlock(nn.Module):
    """Memory tokens look at voxels and at one another in one attention; pre-norm, then an MLP."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.norm_memory, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feedforward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, memory: Tensor, voxels: Tensor) -> Tensor:
        """(B, M, D) memory and (B, N, D) voxels -> (B, M, D)."""
        query = self.norm_memory(memory)
        context = torch.cat([voxels, query], dim=1)
        attended, _ = self.attention(query, context, context, need_weights=False)
        memory = memory + attended
        return memory + self.feedforward(self.norm_feed(memory))


class PatientBranch(nn.Module):
    """Logits of what a window holds.

    Args:
        channels: widths of the feature levels that are read, one block each, in this order.
        factors: by how much each of them is folded, so that all give the same grid of tokens.
        stride: of that grid, in voxels of the network's grid.
        outputs: number of logits.
        memory: tokens (PLAN: 192).
        width: of a token (PLAN: 128).
        heads: of attention.
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
            nn.Sequential(nn.Conv3d(c, width, 1), nn.MaxPool3d(f))
            for c, f in zip(channels, factors, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in channels)
        self.sine = SinePosition(width)
        self.blocks = nn.ModuleList(DualPathBlock(width=width, heads=heads) for _ in channels)
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, outputs)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Feature levels (B, C_i, x_i, y_i, z_i) -> (B, outputs) logits."""
        memory = self.memory.expand(len(levels[0]), -1, -1)
        for level, fold, norm, block in zip(levels, self.folds, self.norms, self.blocks, strict=True):
            tokens = fold(level)
            x, y, z = tokens.shape[2:]
            places = self.sine(voxel_positions(x, y, z, self.stride, tokens.device))
            memory = block(memory, norm(tokens.flatten(2).mT) + places)
        return self.classify(self.norm(memory.mean(dim=1)))
