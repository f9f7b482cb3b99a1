"""Preserve absolute Hounsfield units: rescale the soft-tissue range, and add a path without normalisation.

The input window, -200..400 HU, separates fat, vessels and calcification, but a lesion differs from the
liver by only about 20 HU, a fifteenth of half the window. `stretch_soft_tissue` increases this contrast.

Instance norm removes the absolute intensity, which is diagnostic: a cyst is recognised by the attenuation of
water. Both additions are ours, not the paper's; the paper-scale overlay disables them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.net.blocks import Conv3


def stretch_soft_tissue(image: Tensor, centre: float, width: float) -> Tensor:
    """Compute (x - centre) / width, clipped to -1.25..3.5, for an image in units of the window (-1..1).

    With the default window, centre -0.1333 is 60 HU and width 0.2667 is 80 HU, so -40..340 HU is not clipped.
    """
    return ((image - centre) / width).clamp(-1.25, 3.5)


class HounsfieldPath(nn.Module):
    """Two convolutions without normalisation over the phases and their presence flags on the feature grid."""

    def __init__(self, *, phases: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.near = Conv3(2 * phases, width)
        self.mix = nn.Conv3d(width, width, 1)

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """(B, P, X, Y, Z) without NaN and (B, P) bool -> (B, width, x, y, z)."""
        pooled = F.avg_pool3d(image, self.stride)
        flags = present[:, :, None, None, None].to(pooled.dtype).expand_as(pooled)
        return self.mix(F.leaky_relu(self.near(torch.cat([pooled, flags], dim=1)), 0.01))
