"""Segment with a plain semantic U-Net that has LIDIA's encoder (baseline).

The phases are fused early by default; with HeMIS, ConvLSTM or LIDIA's fusion it is the network of Table 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.baselines.fusion import EarlyFusion
from scripts.lidia.contract import SemanticPrediction, check_image, check_target
from scripts.lidia.loss.semantic_loss import SemanticLoss
from scripts.lidia.net.blocks import Conv1, ConvBlock
from scripts.lidia.net.encoder import Encoder
from scripts.lidia.net.hounsfield_path import HounsfieldPath, stretch_soft_tissue


class PlainUNet(nn.Module):
    """U-Net of encoder, skip connections and one convolution to classes, with LIDIA's tensor contract.

    Args:
        phases: input channels.
        classes: output channels.
        stem_stride: space-to-depth factor of the first stage.
        channels: widths of the encoder's levels, as in LIDIA.
        fusion: fusion of the phases to `channels[0]` features; None is early fusion.
        mask_dim: width of the last features.
        focus: soft-tissue focus, as in LIDIA.
        hounsfield: adds LIDIA's norm-free path of absolute HU.
    """

    def __init__(
        self,
        *,
        phases: int = 4,
        classes: int = 10,
        stem_stride: int = 2,
        channels: Sequence[int] = (16, 48, 96, 128),
        fusion: nn.Module | None = None,
        mask_dim: int = 32,
        focus: Sequence[float] | None = (-0.1333, 0.2667),
        hounsfield: bool = True,
    ) -> None:
        super().__init__()
        self.phases, self.stem_stride = phases, stem_stride
        self.focus = None if focus is None else (float(focus[0]), float(focus[1]))
        self.stride = stem_stride * 2 ** (len(channels) - 1)
        self.fusion = fusion or EarlyFusion(phases=phases, channels=channels[0], stride=stem_stride)
        self.encoder = Encoder(channels)
        coarse_first = list(channels)[::-1]
        out_widths = [*coarse_first[1:-1], mask_dim]
        in_widths = [
            a + b for a, b in zip([coarse_first[0], *out_widths[:-1]], coarse_first[1:], strict=True)
        ]
        self.merges = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b), ConvBlock(b, b))
            for a, b in zip(in_widths, out_widths, strict=True)
        )
        self.hounsfield = (
            HounsfieldPath(phases=phases, width=mask_dim, stride=stem_stride) if hounsfield else None
        )
        self.classify = Conv1(mask_dim, classes)

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Returns probabilities in evaluation, a `SemanticPrediction` in training; `target` is not read."""
        check_image(image, self.phases, self.stride)
        present = torch.isnan(image).flatten(2).any(dim=2).logical_not()
        if self.focus is not None:
            image = stretch_soft_tissue(image, self.focus[0], self.focus[1])
        image = torch.where(present[:, :, None, None, None], image, torch.full_like(image, -1.0))
        levels = self.encoder(self.fusion(image, present))
        features = levels[-1]
        for i, merge in enumerate(self.merges):
            skip = levels[len(levels) - 2 - i]
            features = merge(
                torch.cat([F.interpolate(features, size=skip.shape[2:], mode="nearest"), skip], dim=1)
            )
        if self.hounsfield is not None:
            features = features + self.hounsfield(image, present)
        logits = self.classify(features).float()
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only in this form)
            if self.training:
                return SemanticPrediction(logits)  # type: ignore[return-value]
        if self.stem_stride > 1:
            size = [n * self.stem_stride for n in logits.shape[2:]]
            logits = F.interpolate(logits, size=size, mode="trilinear", align_corners=False)
        return logits.softmax(dim=1)


class SemanticCriterion(nn.Module):
    """Computes only LIDIA's semantic loss, with the interface of `Criterion`."""

    def __init__(self, *, semantic: SemanticLoss | None = None) -> None:
        super().__init__()
        self.semantic = semantic or SemanticLoss()
        self.parts: dict[str, float] = {}

    def forward(self, prediction: SemanticPrediction, target: Tensor) -> Tensor:
        """Computes the scalar loss for a target (B, 2, X, Y, Z)."""
        check_target(target)
        loss = self.semantic(prediction.semantic_logits, target, self.semantic.draw(target))
        self.parts = {"semantic": float(loss.detach())}
        return loss

    def fill_bank(self) -> None:
        """Does nothing; the interface of `Criterion` requires it."""
