"""Fuse the features of the CT phases iteratively (LIDIA, Eq. 1 and Eq. 2).

    h^p = F_p(x^p) ∈ R^C,  p ∈ P                                   (1)
    h^fuse_{k+1} = F_conv(concat(h^fuse_k, h)) ∈ R^C,  k ∈ {1,2,3}  (2)

x^p  image of phase p; F_p  two convolutional blocks with own weights for each phase; F_conv  one block whose
weights are shared by all steps; h^fuse_1  the feature of the first phase. Source: section 2.2.

Differs from the print: any non-empty subset of phases is accepted, not only a missing delayed phase. Absent
phases are skipped and the first present phase starts the recursion; if all phases are present, the result is
the paper's. An ONNX graph computes all phases and selects the results afterwards, because torch 2.13 cannot
export `torch.cond` around convolutions of dynamic sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.lidia.contract import is_exporting
from scripts.lidia.net.blocks import ConvBlock, SpaceToDepth


def any_or_exporting(flags: Tensor) -> bool:
    """Return True if any flag is set; always True during export, where the values are unknown."""
    return is_exporting() or bool(flags.any())


def all_unless_exporting(flags: Tensor) -> bool:
    """Return True if all flags are set; always False during export, where the values are unknown."""
    return not is_exporting() and bool(flags.all())


class PhaseBlock(nn.Sequential):
    """F_p of Eq. 1: two convolutional blocks for one phase, (B, 1, X, Y, Z) -> (B, C, x, y, z).

    If `stride` is above 1, a space-to-depth layer comes first: the expensive first stage then runs at a lower
    resolution and no voxel is dropped.
    """

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        fold = [SpaceToDepth(stride)] if stride > 1 else []
        super().__init__(*fold, ConvBlock(stride**3, channels), ConvBlock(channels, channels))


class IterativeFusion(nn.Module):
    """Fuse the present phases of each sample in temporal order (Eq. 1 and Eq. 2).

    Args:
        phases: number of phases P.
        channels: width C of the feature of each phase and of the fused feature.
        stride: space-to-depth factor before F_p.
        per_step: separate weights of F_conv for each step, instead of the shared weights of Eq. 2.
    """

    def __init__(self, *, phases: int, channels: int, stride: int = 1, per_step: bool = False) -> None:
        super().__init__()
        self.phase_blocks = nn.ModuleList(PhaseBlock(channels, stride=stride) for _ in range(phases))
        fusers = [ConvBlock(2 * channels, channels) for _ in range(phases - 1 if per_step else 1)]
        steps = [fusers[k if per_step else 0] for k in range(phases - 1)]
        # One entry per phase; the first phase only starts the recursion, so its entry is never called.
        self.fuse_blocks = nn.ModuleList([steps[0], *steps])

    def forward(self, image: Tensor, present: Tensor) -> Tensor:
        """Fuse the phases.

        Args:
            image: (B, P, X, Y, Z) without NaN; the values of an absent phase are never used.
            present: (B, P) bool.

        Returns:
            (B, C, x, y, z), x = X / stride.
        """
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if not is_exporting() and not bool((present == present[:1]).all()):
                # one sample at a time, so that no absent phase is computed
                parts = [self.fuse(image[i : i + 1], present[i : i + 1]) for i in range(len(image))]
                return torch.cat(parts)
        return self.fuse(image, present)

    def fuse(self, image: Tensor, present: Tensor) -> Tensor:
        """Fuse the phases of samples; a phase is computed if one of them has it. See `forward`."""
        fused = torch.zeros(0, device=image.device)
        started = torch.zeros_like(present[:, 0])
        # TorchScript has no zip(strict=...); both lists have one entry per phase.
        for p, (block, fuse) in enumerate(zip(self.phase_blocks, self.fuse_blocks)):  # noqa: B905
            exists = present[:, p]
            if any_or_exporting(exists):
                feature = block(image[:, p : p + 1])
                if p > 0 and any_or_exporting(started):
                    mixed = fuse(torch.cat([fused, feature], dim=1))
                    if not all_unless_exporting(started):
                        mixed = torch.where(started[:, None, None, None, None], mixed, feature)
                    if not all_unless_exporting(exists):
                        mixed = torch.where(exists[:, None, None, None, None], mixed, fused)
                    fused = mixed
                else:
                    fused = torch.where(exists[:, None, None, None, None], feature, torch.zeros_like(feature))
                started = started | exists
        return fused
