"""Two aids for absolute Hounsfield units: a soft-tissue focus of the input, and a norm-free path.

The window of the tensor contract, -200..400 HU, keeps fat, vessels and calcification apart, but a lesion
differs from its liver by 20 HU: a fifteenth of the window's half. The focus stretches what lies near it.

Instance norm throws the absolute level away, and the level is the diagnosis: a cyst is a cyst because it is
water. Ours, not the paper's; the paper-scale overlay turns it off.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.net.blocks import Conv3


def stretch_soft_tissue(image: Tensor, centre: float, width: float) -> Tensor:
    """(x - centre) / width, clipped to -1.25..3.5, for an image in units of the window (-1..1).

    Centre -0.1333 and width 0.2667 are 60 and 80 HU of the default window: -40..340 HU stay apart.
    """
    return ((image - centre) / width).clamp(-1.25, 3.5)


class HounsfieldPath(nn.Module):
    """Windowed phases and their presence, pooled to the feature grid; two convolutions without a norm."""

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
