"""Encode the fused feature at several resolutions (nnU-Net encoder; section 3, Implementation Details)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scripts.lidia.net.blocks import ConvBlock


class Encoder(nn.Module):
    """Stages of two convolutional blocks, the first one strided; the fusion replaces nnU-Net's first stage.

    Args:
        channels: width of the fused feature, then of each stage. Each stage halves the resolution.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b, stride=2), ConvBlock(b, b))
            for a, b in zip(channels[:-1], channels[1:], strict=True)
        )

    def forward(self, fused: Tensor) -> list[Tensor]:
        """(B, C0, x, y, z) -> [(B, C0, x, y, z), (B, C1, x/2, y/2, z/2), ...], fine to coarse."""
        levels = [fused]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels
