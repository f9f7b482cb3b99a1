"""Decode pixel features with a feature pyramid network (Lin et al. 2017; section 3, as in PLAN)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.net.blocks import Conv1, ConvBlock


class FeaturePyramid(nn.Module):
    """Feature pyramid: 1x1 lateral convolution, up-sampling, addition and 3x3x3 block, from coarse to fine.

    Args:
        channels: widths of the encoder's levels, fine to coarse.
        width: width of every pyramid level except the finest.
        finest: width of the finest level, from which masks are predicted.
    """

    def __init__(self, channels: Sequence[int], *, width: int, finest: int) -> None:
        super().__init__()
        widths = [width] * (len(channels) - 1) + [finest]
        coarse_first = list(channels)[::-1]
        self.laterals = nn.ModuleList(Conv1(c, w) for c, w in zip(coarse_first, widths, strict=True))
        self.blocks = nn.ModuleList(ConvBlock(w, w) for w in widths)
        self.narrow = Conv1(width, finest) if width != finest else nn.Identity()

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Fine-to-coarse encoder levels -> fine-to-coarse pyramid of the same resolutions."""
        last = len(levels) - 1
        pyramid: list[Tensor] = []
        for i, (lateral, block) in enumerate(zip(self.laterals, self.blocks)):  # noqa: B905
            level = lateral(levels[last - i])
            if i > 0:
                above = self.narrow(pyramid[0]) if i == last else pyramid[0]
                level = level + F.interpolate(above, size=level.shape[2:], mode="nearest")
            pyramid.insert(0, block(level))
        # The layers that follow are slower on maps in the layout channels-last.
        return [level.contiguous() for level in pyramid]
