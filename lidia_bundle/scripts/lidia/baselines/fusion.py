"""Fuse phases by early fusion, HeMIS or ConvLSTM, baselines of the iterative fusion module (Eq. 2).

All map (B, P, X, Y, Z) without NaN and (B, P) bool to (B, C, x, y, z), as `IterativeFusion` does, so that
LIDIA and the plain U-Net run with any of them (the rows of Table 2). The values of an absent phase are never
used.

Sources: HeMIS, Havaei et al., MICCAI 2016; ConvLSTM over phases, Yao et al., MICCAI 2020 (CE-ConvLSTM).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.net.blocks import ConvBlock, SpaceToDepth
from scripts.lidia.net.ifm import PhaseBlock


class EarlyFusion(nn.Module):
    """Stacks phases and presence flags as channels; an absent phase holds the window's lower end.

    Args:
        phases: number of phases P.
        channels: width C of the fused feature.
        stride: space-to-depth factor before the two blocks.
    """

    def __init__(self, *, phases: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        fold = SpaceToDepth(stride) if stride > 1 else nn.Identity()
        first = ConvBlock(2 * phases * stride**3, channels)
        self.blocks = nn.Sequential(fold, first, ConvBlock(channels, channels))

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """(B, P, X, Y, Z) and (B, P) -> (B, C, x, y, z)."""
        mask = present[:, :, None, None, None]
        image = torch.where(mask, image, torch.full_like(image, -1.0))
        return self.blocks(torch.cat([image, mask.to(image.dtype).expand_as(image)], dim=1))


class HeMIS(nn.Module):
    """Computes mean and variance of the features of present phases per voxel, then one block.

    The order of the phases matters only through their separate blocks. The variance of a single phase is 0.
    Differs from Havaei et al.: the biased variance, which needs no special case for one phase.

    Args:
        phases: number of phases P.
        channels: width C of the phase features and of the fused feature.
        stride: space-to-depth factor before the phase blocks.
    """

    def __init__(self, *, phases: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.phase_blocks = nn.ModuleList(PhaseBlock(channels, stride=stride) for _ in range(phases))
        self.fuse = ConvBlock(2 * channels, channels)

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """(B, P, X, Y, Z) and (B, P) -> (B, C, x, y, z)."""
        features = torch.stack([f(image[:, p : p + 1]) for p, f in enumerate(self.phase_blocks)], dim=1)
        mask = present[:, :, None, None, None, None]
        features = torch.where(mask, features, torch.zeros_like(features))
        count = present.sum(dim=1)[:, None, None, None, None].to(features.dtype)
        mean = features.sum(dim=1) / count
        deviation = torch.where(mask, features - mean[:, None], torch.zeros_like(features))
        return self.fuse(torch.cat([mean, deviation.square().sum(dim=1) / count], dim=1))


class ConvLSTM(nn.Module):
    """Runs a convolutional LSTM over the present phases in temporal order; the last state is the feature.

        i, f, o = sigmoid(W [x_t, h_{t-1}] + b),  g = tanh(W [x_t, h_{t-1}] + b)
        c_t = f·c_{t-1} + i·g,  h_t = o·tanh(c_t),  h_0 = c_0 = 0

    The forget gate's bias starts at 1. Differs from Shi et al., NeurIPS 2015: no peepholes.

    Args:
        phases: number of phases P.
        channels: width C of the phase features and of the state.
        stride: space-to-depth factor before the phase blocks.
    """

    def __init__(self, *, phases: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.phase_blocks = nn.ModuleList(PhaseBlock(channels, stride=stride) for _ in range(phases))
        self.gates = nn.Conv3d(2 * channels, 4 * channels, 3, padding=1)
        with torch.no_grad():
            self.gates.bias[channels : 2 * channels] = 1.0  # type: ignore[index]

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """(B, P, X, Y, Z) and (B, P) -> (B, C, x, y, z)."""
        features = [f(image[:, p : p + 1]) for p, f in enumerate(self.phase_blocks)]
        state = cell = torch.zeros_like(features[0])
        for p, feature in enumerate(features):
            i, f, o, g = self.gates(torch.cat([feature, state], dim=1)).chunk(4, dim=1)
            new_cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            mask = present[:, p, None, None, None, None]
            cell = torch.where(mask, new_cell, cell)
            state = torch.where(mask, o.sigmoid() * new_cell.tanh(), state)
        return state
