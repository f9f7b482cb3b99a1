"""Define the tensors that the modules of LIDIA exchange, and check their shapes.

Axis letters used throughout: B batch, P phases, C classes, Q queries, T targets, E mask embedding, D query
width, N points, X Y Z voxels of the network's grid (RAS), x y z voxels of the feature grid.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class LayerPrediction(NamedTuple):
    """Predictions of the queries after one decoder layer.

    Attributes:
        pred_logits: (B, Q, C + 1) class logits; the last class is 'no object'.
        mask_embed: (B, Q, E + 1); the mask logit of a voxel is the dot product of the first E entries with
            the voxel's mask features, plus the last entry.
    """

    pred_logits: Tensor
    mask_embed: Tensor


class Prediction(NamedTuple):
    """Output of LIDIA in training mode.

    Attributes:
        layers: predictions before the first decoder layer and after each (deep supervision); empty while the
            semantic head trains alone.
        pilots: the same for the mask-piloted queries; empty where there are none.
        pilot_instances: (B, T) instance id of each pilot, 0 for padding.
        contrastive_embed: (B, Q, R) projected, L2-normalised queries of the last layer (Eq. 3 to 5).
        seeds: (B, Q, 3) voxel of the network's grid in which a proposal query was seeded, -1 for learned
            queries.
        mask_features: (B, E, x, y, z).
        semantic_logits: (B, C, x, y, z) of the auxiliary semantic head.
        liver_logits: (B, 1, x, y, z) of the liver context, None without it.
    """

    layers: list[LayerPrediction]
    pilots: list[LayerPrediction]
    pilot_instances: Tensor
    contrastive_embed: Tensor
    seeds: Tensor
    mask_features: Tensor
    semantic_logits: Tensor
    liver_logits: Tensor | None

    @classmethod
    def from_semantic_head(
        cls, semantic_logits: Tensor, liver_logits: Tensor | None, mask_features: Tensor
    ) -> Prediction:
        """Builds the prediction of a pass without queries."""
        b, device = len(mask_features), mask_features.device
        return cls(
            layers=[],
            pilots=[],
            pilot_instances=torch.zeros((b, 0), dtype=torch.long, device=device),
            contrastive_embed=mask_features.new_zeros((b, 0, 1)),
            seeds=torch.zeros((b, 0, 3), dtype=torch.long, device=device),
            mask_features=mask_features,
            semantic_logits=semantic_logits,
            liver_logits=liver_logits,
        )


class SemanticPrediction(NamedTuple):
    """Output of a plain semantic network in training mode.

    Attributes:
        semantic_logits: (B, C, x, y, z).
    """

    semantic_logits: Tensor


def to_float32(prediction: Any) -> Any:
    """Converts named tensors to float32, the precision of matching and losses."""
    if isinstance(prediction, Tensor):
        return prediction.float() if prediction.is_floating_point() else prediction
    if isinstance(prediction, list):
        return [to_float32(part) for part in prediction]
    if isinstance(prediction, tuple):
        return type(prediction)(*(to_float32(part) for part in prediction))
    return prediction


def is_exporting() -> bool:
    """Checks whether a graph is exported (ONNX, `torch.export`): it cannot branch on values or raise."""
    if not torch.jit.is_scripting():  # TorchScript skips the branch only with this test
        return torch.compiler.is_exporting()
    return False


def check_image(image: Tensor, phases: int, stride: int) -> None:
    """Checks that a network input is (B, phases, X, Y, Z) with spatial sizes divisible by `stride`.

    Raises:
        ValueError: the shape is wrong.
    """
    if image.dim() != 5 or image.shape[1] != phases:
        raise ValueError(
            f"LIDIA takes (batch, {phases} phases, X, Y, Z), not {list(image.shape)}: "
            "one channel per phase in temporal order, NaN where a phase is absent."
        )
    if image.shape[2] % stride + image.shape[3] % stride + image.shape[4] % stride > 0:
        raise ValueError(
            f"Spatial sizes {list(image.shape[2:])} must be multiples of {stride}: "
            "pad the volume or choose another window."
        )


def check_target(target: Tensor) -> None:
    """Checks that a training target is (B, 2, X, Y, Z): class map and instance map.

    Raises:
        ValueError: the shape is wrong.
    """
    if target.dim() != 5 or target.shape[1] != 2:
        raise ValueError(
            f"A training target is (batch, 2, X, Y, Z): classes, instances; not {list(target.shape)}."
        )
