"""Define nnU-Net, the baseline of Tables 1 to 3, by MONAI's `DynUNet` (Isensee et al., Nature Methods 2021).

It has early fusion, instance norm, deep supervision of every level but the two coarsest, cross-entropy and
Dice. nnU-Net's planning from a data set's fingerprint is not implemented: spacing, window and crops are those
of the config.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from monai.networks.nets import DynUNet
from torch import Tensor, nn

from scripts.lidia.baselines.unet import SemanticCriterion
from scripts.lidia.contract import check_image, check_target
from scripts.lidia.net.hounsfield_path import HounsfieldPath, stretch_soft_tissue


class DeepPrediction(NamedTuple):
    """Output of nnU-Net in training mode.

    Attributes:
        logits: (B, L, C, X, Y, Z), the finest level first, all at the input's size.
    """

    logits: Tensor


class NNUNet(nn.Module):
    """nnU-Net with LIDIA's tensor contract; an absent phase holds the window's lower end.

    Args:
        phases: input channels.
        classes: output channels.
        filters: features of the stages, finest first; each stage after the first halves the resolution.
        seen: indices of the input phases; the paper's nnU-Net omits the delayed phase. None is all.
        focus: soft-tissue focus, as in LIDIA; None disables it.
        hounsfield: adds logits of LIDIA's norm-free path of absolute HU.
    """

    def __init__(
        self,
        *,
        phases: int = 4,
        classes: int = 10,
        filters: Sequence[int] = (16, 32, 64, 128, 160),
        seen: Sequence[int] | None = None,
        focus: Sequence[float] | None = None,
        hounsfield: bool = False,
    ) -> None:
        super().__init__()
        self.phases = phases
        self.seen = list(range(phases)) if seen is None else list(seen)
        self.focus = None if focus is None else (float(focus[0]), float(focus[1]))
        self.stride = 2 ** (len(filters) - 1)
        strides = [1] + [2] * (len(filters) - 1)
        self.network = DynUNet(
            spatial_dims=3,
            in_channels=len(self.seen),
            out_channels=classes,
            kernel_size=[3] * len(filters),
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=list(filters),
            deep_supervision=len(filters) > 3,
            deep_supr_num=max(len(filters) - 3, 1),
        )
        self.hounsfield = (
            nn.ModuleList([
                HounsfieldPath(phases=len(self.seen), width=32, stride=1),
                nn.Conv3d(32, classes, 1),
            ])
            if hounsfield
            else None
        )

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Returns probabilities in evaluation, a `DeepPrediction` in training.

        Args:
            image: (B, phases, X, Y, Z), NaN where a phase is absent.
            target: not read; part of LIDIA's signature.
        """
        check_image(image, self.phases, self.stride)
        image = image[:, self.seen]
        present = torch.isnan(image).flatten(2).any(dim=2).logical_not()
        if self.focus is not None:
            image = stretch_soft_tissue(image, self.focus[0], self.focus[1])
        image = torch.where(present[:, :, None, None, None], image, torch.full_like(image, -1.0))
        # The bfloat16 gradient of oneDNN reads beyond maps of two voxels, see `net.blocks.ConvBlock`
        use_float32 = min(image.shape[2:]) // self.stride < 3
        with torch.autocast(image.device.type, enabled=False) if use_float32 else nullcontext():
            logits = self.network(image)
        if logits.dim() == 5:
            logits = logits[:, None]
        if self.hounsfield is not None:
            path, classify = self.hounsfield
            level = classify(path(image, present))
            logits = torch.cat([logits[:, :1] + level[:, None], logits[:, 1:]], dim=1)
        if self.training:
            return DeepPrediction(logits)  # type: ignore[return-value]
        return logits[:, 0].softmax(dim=1)


class DeepSupervision(SemanticCriterion):
    """Computes Σ_l w_l (CE + Dice), w_l = 1, 1/2, 1/4, ... over their sum; interface of `Criterion`."""

    def forward(  # type: ignore[override]
        self, prediction: DeepPrediction, target: Tensor
    ) -> Tensor:
        """Computes the scalar loss for a target (B, 2, X, Y, Z)."""
        check_target(target)
        points = self.semantic.draw(target)
        levels = prediction.logits.unbind(dim=1)
        losses = torch.stack([self.semantic(logits, target, points) for logits in levels])
        weights = torch.tensor([0.5**i for i in range(len(levels))]).to(losses)
        self.parts = {"semantic": float(losses[0].detach())}
        return (losses * weights).sum() / weights.sum()
