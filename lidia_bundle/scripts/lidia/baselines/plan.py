"""PLAN (Yan et al., MICCAI 2023), the baseline [16] of LIDIA's Table 1, out of LIDIA's own parts.

Early fusion; anchor queries in the place of LIDIA's proposals; a patient branch beside the mask transformer.
Foreground-enhanced sampling is in LIDIA's own loss. It trains by LIDIA's aids (semantic warm-up, mask-piloted
queries, norm-free path of absolute HU), as the other mask transformers of the study do; the branch reads what
queries read of a voxel last, since absolute HU stand nowhere else.

Differs from PLAN: the number of slots for anchors is fixed, and a slot without a component holds a learned
query of its own, so that a sample's answer does not depend on its batch; background and liver have no
anchors; the class head and the positions are LIDIA's; sizes are in mm3.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from scripts.lidia.baselines.anchors import component_means, suspected_lesions
from scripts.lidia.baselines.branch import PatientBranch
from scripts.lidia.baselines.fusion import EarlyFusion
from scripts.lidia.baselines.patient_loss import LABELS, PatientPrediction
from scripts.lidia.components import SMALLEST_MM3
from scripts.lidia.net.blocks import voxel_places
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.postprocess.branch import BRANCH_SCORES


class PLAN(LIDIA):
    """LIDIA's tensor contract, and `with_branch`, by which `WindowInferer` asks for the branch's scores too.

    Its components are found by cc3d, so that it cannot be exported to TorchScript.

    Args:
        spacing: mm a voxel of the network's grid.
        proposals: slots of anchor queries (PLAN: 20), each with a learned query for want of a component.
        threshold: lesion probability above which the semantic head suspects one.
        smallest_mm3: of a suspected component.
        encoder_levels: levels of the encoder that the branch reads first, 0 being the finest.
        pyramid_levels: levels of the pyramid that it reads then.
        memory: tokens of the branch.
        branch_width: of a token.
        phases: as in LIDIA, like all that `parts` takes.
        stem_stride: as in LIDIA.
        channels: as in LIDIA.
        fusion: of the phases; None is early fusion.
        pyramid_width: as in LIDIA.
        pixel_width: as in LIDIA.
        **parts: further arguments of LIDIA.
    """

    def __init__(
        self,
        *,
        spacing: Sequence[float],
        proposals: int = 20,
        threshold: float = 0.1,
        smallest_mm3: float = SMALLEST_MM3,
        encoder_levels: Sequence[int] = (1, 3),
        pyramid_levels: Sequence[int] = (3, 1),
        memory: int = 32,
        branch_width: int = 64,
        phases: int = 4,
        stem_stride: int = 2,
        channels: Sequence[int] = (16, 48, 96, 128),
        fusion: nn.Module | None = None,
        pyramid_width: int = 64,
        pixel_width: int = 32,
        **parts: Any,
    ) -> None:
        fusion = fusion or EarlyFusion(phases=phases, channels=channels[0], stride=stem_stride)
        super().__init__(
            phases=phases,
            stem_stride=stem_stride,
            channels=channels,
            fusion=fusion,
            pyramid_width=pyramid_width,
            pixel_width=pixel_width,
            proposals=0,
            **parts,
        )
        self.anchors, self.threshold = proposals, threshold
        self.smallest = smallest_mm3 / (prod(spacing) * stem_stride**3)
        self.anchor_content = nn.Parameter(torch.randn(proposals, pyramid_width) * 0.02)
        self.anchor_position = nn.Parameter(torch.randn(proposals, pyramid_width) * 0.02)
        self.encoder_levels, self.pyramid_levels = list(encoder_levels), list(pyramid_levels)
        last = len(channels) - 1
        widths = [channels[i] for i in encoder_levels]
        widths += [pixel_width if i == 0 else pyramid_width for i in pyramid_levels]
        widths += [self.described]
        self.branch = PatientBranch(
            channels=widths,
            factors=[2 ** (last - i) for i in (*encoder_levels, *pyramid_levels, 0)],
            stride=self.stride,
            outputs=len(LABELS),
            memory=memory,
            width=branch_width,
        )

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Probabilities (B, classes, X, Y, Z) in evaluation, a `PatientPrediction` in training.

        Args:
            image: (B, phases, X, Y, Z), NaN where a phase is absent.
            target: (B, 2, X, Y, Z) classes and instances; feeds the pilots alone.
        """
        levels, pyramid, pixels = self._see(image)
        described = self._describe(pixels)
        said = self._say(pyramid, pixels, described, target)
        if not self.training:
            return said
        logits = self._ask_branch(levels, pyramid, described[1]) if self.decoding else None
        return PatientPrediction(said, logits)  # type: ignore[arg-type, return-value]

    def with_branch(self, image: Tensor) -> Tensor:
        """Probabilities with the branch's scores painted on all voxels behind them.

        Args:
            image: (B, phases, X, Y, Z), NaN where a phase is absent.

        Returns:
            (B, classes + len(BRANCH_SCORES), X, Y, Z).
        """
        levels, pyramid, pixels = self._see(image)
        described = self._describe(pixels)
        probabilities = self._say(pyramid, pixels, described, None)
        scores = self._ask_branch(levels, pyramid, described[1]).sigmoid()[
            :, [LABELS.index(name) for name in BRANCH_SCORES]
        ]
        painted = scores[:, :, None, None, None].expand(-1, -1, *probabilities.shape[2:])
        return torch.cat([probabilities, painted.to(probabilities.dtype)], dim=1)

    def _ask_branch(self, levels: list[Tensor], pyramid: list[Tensor], description: Tensor) -> Tensor:
        read = [levels[i] for i in self.encoder_levels] + [pyramid[i] for i in self.pyramid_levels]
        return self.branch([*read, description.detach()])

    def _queries(self, description: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Anchors first, then the learned queries: content and position, (B, Q, D) each; `seeds` is empty."""
        described = description.detach()
        classes = self.semantic_classes(described)
        parts = self.choices.choose(
            lambda: suspected_lesions(
                classes, count=self.anchors, threshold=self.threshold, smallest=self.smallest
            )
        ).flatten(1)
        b, _, x, y, z = description.shape
        means, there = component_means(described.flatten(2), parts, self.anchors)
        places = voxel_places(x, y, z, self.stem_stride, description.device)
        centres, _ = component_means(places.T.expand(b, -1, -1), parts, self.anchors)
        here = there[..., None]
        content = torch.where(here, self.seed_content(means), self.anchor_content)
        position = torch.where(here, self.sine(centres), self.anchor_position)
        learned = super()._queries(description, seeds)
        return torch.cat([content, learned[0]], dim=1), torch.cat([position, learned[1]], dim=1)

    def semantic_classes(self, description: Tensor) -> Tensor:
        """The semantic head's probabilities, which stand at the end of every voxel's description."""
        return description[:, self.semantic.described :]
