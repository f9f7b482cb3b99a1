"""Eq. 1 and Eq. 2 (LIDIA): the iterative fusion module.

    h^p = F_p(x^p) ∈ R^C,  p ∈ P                                   (1)
    h^fuse_{k+1} = F_conv(concat(h^fuse_k, h)) ∈ R^C,  k ∈ {1,2,3}  (2)

x^p  image of phase p; F_p  its own two convolutional blocks; F_conv  one block, the same weights at every
step; h^fuse_1  the feature of the first phase. Source: section 2.2.

Differs from the print: any non-empty subset of phases works, not only a missing delayed phase. Absent phases
are skipped and the first present one starts the recursion; with all phases present it is the paper's. A
graph for ONNX computes all phases and selects: torch 2.13 exports no `torch.cond` round convolutions of free
sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.contract import exporting
from scripts.lidia.net.blocks import ConvBlock, SpaceToDepth


def any_or_exporting(flags: Tensor) -> bool:
    """Whether any flag stands, or may stand once the graph that is being exported runs."""
    return exporting() or bool(flags.any())


def all_unless_exporting(flags: Tensor) -> bool:
    """Whether all flags stand, whatever is fed to the graph that is being exported."""
    return not exporting() and bool(flags.all())


class PhaseBlock(nn.Sequential):
    """F_p of Eq. 1: two convolutional blocks that see one phase alone, (B, 1, X, Y, Z) -> (B, C, x, y, z).

    With `stride` above 1 the image is first folded space-to-depth, so that the costly first stage runs at a
    lower resolution and no voxel is dropped.
    """

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        fold = [SpaceToDepth(stride)] if stride > 1 else []
        super().__init__(*fold, ConvBlock(stride**3, channels), ConvBlock(channels, channels))


class IterativeFusion(nn.Module):
    """Eq. 1 and Eq. 2: fuses the present phases of each sample in temporal order.

    Args:
        phases: number of phases P.
        channels: width C of every phase's feature and of the fused one.
        stride: space-to-depth factor in front of F_p.
        per_step: own weights of F_conv at each step, instead of one set as Eq. 2 writes it.
    """

    def __init__(self, *, phases: int, channels: int, stride: int = 1, per_step: bool = False) -> None:
        super().__init__()
        self.phase_blocks = nn.ModuleList(PhaseBlock(channels, stride=stride) for _ in range(phases))
        fusers = [ConvBlock(2 * channels, channels) for _ in range(phases - 1 if per_step else 1)]
        steps = [fusers[k if per_step else 0] for k in range(phases - 1)]
        # One entry a phase; the first phase can only ever start the recursion, so its entry is never called.
        self.fuse_blocks = nn.ModuleList([steps[0], *steps])

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """Runs the recursion.

        Args:
            image: (B, P, X, Y, Z) without NaN; what stands in an absent phase is never used.
            present: (B, P) bool.

        Returns:
            (B, C, x, y, z), x = X / stride.
        """
        fused = torch.zeros(0, device=image.device)
        started = torch.zeros_like(present[:, 0])
        # No zip(strict=...) in TorchScript; both lists have one entry a phase.
        for p, (block, fuse) in enumerate(zip(self.phase_blocks, self.fuse_blocks)):  # noqa: B905
            here = present[:, p]
            if any_or_exporting(here):
                feature = block(image[:, p : p + 1])
                if p > 0 and any_or_exporting(started):
                    mixed = fuse(torch.cat([fused, feature], dim=1))
                    if not all_unless_exporting(started):
                        mixed = torch.where(started[:, None, None, None, None], mixed, feature)
                    if not all_unless_exporting(here):
                        mixed = torch.where(here[:, None, None, None, None], mixed, fused)
                    fused = mixed
                else:
                    fused = torch.where(here[:, None, None, None, None], feature, torch.zeros_like(feature))
                started = started | here
        return fused
