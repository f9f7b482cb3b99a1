"""Build PLAN (Yan et al., MICCAI 2023), the baseline [16] of LIDIA's Table 1, from LIDIA's parts.

It has early fusion, anchor queries in place of LIDIA's proposals, and a patient branch beside the mask
transformer. Foreground-enhanced sampling is part of LIDIA's loss. PLAN is trained with LIDIA's training aids
(semantic warm-up, mask-piloted queries, norm-free path of absolute HU), as the other mask transformers of the
study are; the branch reads the descriptors last, since only they contain absolute HU.

Differs from PLAN: see `anchor_queries` and `patient_branch`; class head and positions are LIDIA's; sizes are
in mm3.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor, nn

from scripts.lidia.baselines.anchor_queries import AnchorQueries
from scripts.lidia.baselines.fusion import EarlyFusion
from scripts.lidia.baselines.patient_branch import PatientBranch
from scripts.lidia.baselines.patient_loss import LABELS, PatientPrediction
from scripts.lidia.components import SMALLEST_MM3
from scripts.lidia.net.build_lidia import build_lidia
from scripts.lidia.net.lidia import LIDIA, Features
from scripts.lidia.net.semantic_head import SemanticHead
from scripts.lidia.postprocess.branch_scores import BRANCH_SCORES


class PLAN(nn.Module):
    """PLAN with LIDIA's tensor contract.

    `WindowInferer` calls `predict_patient`, which returns the branch's patient scores beside the map.

    Args:
        network: mask transformer with `AnchorQueries`.
        branch: patient branch.
        encoder_levels: encoder levels that the branch reads first; 0 is the finest.
        pyramid_levels: pixel decoder levels that it reads next; the descriptors are last.
    """

    def __init__(
        self,
        *,
        network: LIDIA,
        branch: PatientBranch,
        encoder_levels: Sequence[int],
        pyramid_levels: Sequence[int],
    ) -> None:
        super().__init__()
        self.network, self.branch = network, branch
        self.encoder_levels, self.pyramid_levels = list(encoder_levels), list(pyramid_levels)
        self.stride = network.stride

    @property
    def decoding(self) -> bool:
        """Whether the queries are decoded; False while only the semantic head is trained."""
        return self.network.decoding

    @decoding.setter
    def decoding(self, value: bool) -> None:
        self.network.decoding = value

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Returns probabilities (B, C, X, Y, Z) in evaluation, a `PatientPrediction` in training.

        Args:
            image: (B, P, X, Y, Z), NaN where a phase is absent.
            target: (B, 2, X, Y, Z) classes and instances; only the mask-piloted queries read it.
        """
        features = self.network.encode(image)
        semantic = self.network.semantic_head(features.pixels)
        if not self.training:
            return self.network.predict_map(features, semantic)
        prediction = self.network.predict_queries(features, semantic, target)
        logits = self.read_patient(features, semantic[1]) if self.decoding else None
        return PatientPrediction(prediction, logits)  # type: ignore[return-value]

    def predict_patient(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Predicts the class map and, beside it, the scores of the patient branch.

        Args:
            image: (B, P, X, Y, Z), NaN where a phase is absent.

        Returns:
            Probabilities (B, C, X, Y, Z) and scores (B, len(BRANCH_SCORES)) in 0..1.
        """
        features = self.network.encode(image)
        semantic = self.network.semantic_head(features.pixels)
        probabilities = self.network.predict_map(features, semantic)
        logits = self.read_patient(features, semantic[1])
        return probabilities, logits.sigmoid()[:, [LABELS.index(name) for name in BRANCH_SCORES]]

    def read_patient(self, features: Features, descriptors: Tensor) -> Tensor:
        """Computes the logits (B, len(LABELS)) of the patient branch.

        Args:
            features: result of `LIDIA.encode`.
            descriptors: (B, W, x, y, z) of the semantic head.
        """
        levels = [features.levels[i] for i in self.encoder_levels]
        levels += [features.pyramid[i] for i in self.pyramid_levels]
        return self.branch([*levels, descriptors.detach()])


def build_plan(
    *,
    spacing: Sequence[float],
    anchors: int = 20,
    learned_queries: int = 12,
    threshold: float = 0.1,
    smallest_mm3: float = SMALLEST_MM3,
    encoder_levels: Sequence[int] = (1, 3),
    pyramid_levels: Sequence[int] = (3, 1),
    memory: int = 32,
    branch_width: int = 64,
    phases: int = 4,
    classes: int = 10,
    stem_stride: int = 2,
    channels: Sequence[int] = (16, 48, 96, 128),
    fusion: nn.Module | None = None,
    hidden_dim: int = 64,
    mask_dim: int = 32,
    liver_context: bool = True,
    **numbers: Any,
) -> PLAN:
    """Builds PLAN from the values of a config.

    Args:
        spacing: mm per voxel of the network's grid.
        anchors: slots of anchor queries.
        learned_queries: number of learned queries.
        threshold: lesion probability above which a voxel is suspected.
        smallest_mm3: minimum volume of a suspected component.
        encoder_levels: see `PLAN`.
        pyramid_levels: see `PLAN`.
        memory: number of memory tokens of the branch.
        branch_width: width of a token.
        phases: see `build_lidia`.
        classes: see `build_lidia`.
        stem_stride: see `build_lidia`.
        channels: see `build_lidia`.
        fusion: fusion of the phases; None is early fusion.
        hidden_dim: see `build_lidia`.
        mask_dim: see `build_lidia`.
        liver_context: see `build_lidia`.
        **numbers: further arguments of `build_lidia`.
    """
    descriptor_dim = SemanticHead(mask_dim, classes, liver_context=liver_context).descriptor_dim
    network = build_lidia(
        phases=phases,
        classes=classes,
        stem_stride=stem_stride,
        channels=channels,
        fusion=fusion or EarlyFusion(phases=phases, channels=channels[0], stride=stem_stride),
        hidden_dim=hidden_dim,
        mask_dim=mask_dim,
        liver_context=liver_context,
        query_generator=AnchorQueries(
            anchors=anchors,
            learned_queries=learned_queries,
            classes=classes,
            descriptor_dim=descriptor_dim,
            hidden_dim=hidden_dim,
            stem_stride=stem_stride,
            threshold=threshold,
            smallest=smallest_mm3 / (prod(spacing) * stem_stride**3),
        ),
        **numbers,
    )
    last = len(channels) - 1
    widths = [channels[i] for i in encoder_levels]
    widths += [mask_dim if i == 0 else hidden_dim for i in pyramid_levels]
    branch = PatientBranch(
        channels=[*widths, descriptor_dim],
        factors=[2 ** (last - i) for i in (*encoder_levels, *pyramid_levels, 0)],
        stride=network.stride,
        outputs=len(LABELS),
        memory=memory,
        width=branch_width,
    )
    return PLAN(network=network, branch=branch, encoder_levels=encoder_levels, pyramid_levels=pyramid_levels)
