"""Assemble LIDIA (Fig. 1) from fusion, encoder, pixel decoder, transformer decoder and heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.contract import LayerPrediction, Prediction, check_image, is_exporting
from scripts.lidia.net.hounsfield_path import HounsfieldPath, stretch_soft_tissue
from scripts.lidia.net.mask_pilots import make_pilot_masks, pool_under_masks
from scripts.lidia.net.query_heads import compute_mask_logits
from scripts.lidia.net.semantic_head import SemanticHead
from scripts.lidia.net.semantic_map import compute_semantic_map, mix_maps
from scripts.lidia.recorded_randomness import RecordedChoices


class Features(NamedTuple):
    """Outputs of the encoder and the pixel decoder.

    Attributes:
        levels: encoder levels (B, C_i, x_i, y_i, z_i), fine to coarse.
        pyramid: pixel decoder levels of the same resolutions, fine to coarse.
        pixels: (B, E, x, y, z) pixel features, from which masks and classes are predicted.
    """

    levels: list[Tensor]
    pyramid: list[Tensor]
    pixels: Tensor


class LIDIA(nn.Module):
    """Liver tumour diagnosis network.

    Input (B, P, X, Y, Z) float32, windowed to -1..1, RAS. **An absent phase is a channel of NaN** (a channel
    with any NaN counts as absent). In evaluation the output is (B, C, X, Y, Z), probabilities that sum to 1
    over the classes; in training it is a `Prediction`. X, Y and Z must be multiples of `stride`.
    `build_lidia` builds the modules from the values of a config.

    Args:
        fusion: fuses the phases, (B, P, X, Y, Z) and (B, P) bool -> (B, C_0, x, y, z); Eq. 1 and 2.
        encoder: (B, C_0, x, y, z) -> levels, fine to coarse.
        pixel_decoder: levels -> pyramid, fine to coarse.
        hounsfield_path: adds absolute HU to the pixel features (ours, not the paper's); None disables it.
        semantic_head: auxiliary class logits of every feature voxel, and its descriptor.
        mask_features: pixel features -> mask features (B, E, x, y, z).
        query_generator: semantic logits and descriptors -> `Queries`.
        transformer_decoder: queries -> class logits and mask embeddings of every layer.
        contrastive_projection: queries (B, Q, D) -> contrastive embeddings (B, Q, R), Eq. 3 to 5.
        phases: P, number of phases, in temporal order.
        stem_stride: X / x, size of the image divided by that of the features.
        stride: X, Y and Z must be multiples of it.
        focus: centre and width of the soft-tissue range to which the image is rescaled, in units of the
            window; None disables it.
        mask_pilots: use mask-piloted queries in training, if `forward` receives the target.
        semantic_share: weight of the semantic head in the localisation of lesions, 0..1; 0 uses the queries
            only.
        type_share: weight of the semantic head in the type of a lesion, 0..1.
        max_over_queries: the semantic map takes the maximum over the queries instead of their sum.
    """

    def __init__(
        self,
        *,
        fusion: nn.Module,
        encoder: nn.Module,
        pixel_decoder: nn.Module,
        hounsfield_path: HounsfieldPath | None,
        semantic_head: SemanticHead,
        mask_features: nn.Module,
        query_generator: nn.Module,
        transformer_decoder: nn.Module,
        contrastive_projection: nn.Module,
        phases: int,
        stem_stride: int,
        stride: int,
        focus: Sequence[float] | None,
        mask_pilots: bool,
        semantic_share: float,
        type_share: float,
        max_over_queries: bool,
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.encoder = encoder
        self.pixel_decoder = pixel_decoder
        self.hounsfield_path = hounsfield_path
        self.semantic_head = semantic_head
        self.mask_features = mask_features
        self.query_generator = query_generator
        self.transformer_decoder = transformer_decoder
        self.contrastive_projection = contrastive_projection
        self.phases, self.stem_stride, self.stride = phases, stem_stride, stride
        self.focus = None if focus is None else (float(focus[0]), float(focus[1]))
        self.mask_pilots, self.max_over_queries = mask_pilots, max_over_queries
        self.semantic_share, self.type_share = float(semantic_share), float(type_share)
        self.decoding = True  # False during the warm-up, which trains the semantic head only
        self.choices = RecordedChoices()

    def extra_repr(self) -> str:
        """List the settings that affect the output and are not weights; exported graphs are named by them."""
        names = ("focus", "semantic_share", "type_share", "max_over_queries")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Return probabilities in evaluation mode and a `Prediction` in training mode.

        Args:
            image: (B, P, X, Y, Z), NaN where a phase is absent.
            target: (B, 2, X, Y, Z) classes and instances; used only for the mask-piloted queries.

        Raises:
            ValueError: the shape of the image is wrong, or a sample has no phase.
        """
        features = self.encode(image)
        semantic = self.semantic_head(features.pixels)
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if self.training:
                return self.predict_queries(features, semantic, target)  # type: ignore[return-value]
        return self.predict_map(features, semantic)

    def encode(self, image: Tensor) -> Features:
        """Compute the features of an image.

        Raises:
            ValueError: as in `forward`.
        """
        check_image(image, self.phases, self.stride)
        present = torch.isnan(image).flatten(2).any(dim=2).logical_not()  # (B, P)
        if not is_exporting() and not bool(present.any(dim=1).all()):
            raise ValueError("A case has no phase: every channel contains NaN. Give at least one phase.")
        if self.focus is not None:
            image = stretch_soft_tissue(image, self.focus[0], self.focus[1])
        image = torch.where(present[:, :, None, None, None], image, torch.zeros_like(image))
        levels = self.encoder(self.fusion(image, present))
        pyramid = self.pixel_decoder(levels)
        pixels = pyramid[0]
        if self.hounsfield_path is not None:
            pixels = pixels + self.hounsfield_path(image, present)
        if is_exporting():  # a graph cannot raise an error: the map of a case without phases is NaN
            pixels = pixels.masked_fill(~present.any(dim=1)[:, None, None, None, None], torch.nan)
        return Features(levels, pyramid, pixels)

    def predict_map(self, features: Features, semantic: tuple[Tensor, Tensor, Tensor | None]) -> Tensor:
        """Predict the semantic map (B, C, X, Y, Z): probabilities that sum to 1 over the classes.

        Args:
            features: output of `encode`.
            semantic: output of the semantic head, see `SemanticHead.forward`.
        """
        semantic_logits, descriptors, _ = semantic
        mask_features = self.mask_features(features.pixels)
        queries = self.query_generator(semantic_logits, descriptors)
        no_pilots: Tensor | None = None
        logits, embeds, _ = self.transformer_decoder(
            features.pyramid, mask_features, descriptors, queries.feat, queries.embed, no_pilots
        )
        masks = compute_mask_logits(embeds[-1], mask_features.flatten(2)).unflatten(
            2, mask_features.shape[2:]
        )
        probabilities = compute_semantic_map(logits[-1], masks, max_over_queries=self.max_over_queries)
        if self.semantic_share > 0.0 or self.type_share > 0.0:
            head = semantic_logits.softmax(dim=1)
            probabilities = mix_maps(probabilities, head, self.semantic_share, self.type_share)
        if self.stem_stride > 1:
            size = [n * self.stem_stride for n in probabilities.shape[2:]]
            probabilities = F.interpolate(probabilities, size=size, mode="trilinear", align_corners=False)
        return probabilities

    @torch.jit.unused
    def predict_queries(
        self, features: Features, semantic: tuple[Tensor, Tensor, Tensor | None], target: Tensor | None
    ) -> Prediction:
        """Predict the inputs of the losses; if `decoding` is False, those of the semantic head only.

        Args:
            features: output of `encode`.
            semantic: output of the semantic head.
            target: as in `forward`.
        """
        semantic_logits, descriptors, liver_logits = semantic
        mask_features = self.mask_features(features.pixels)
        if not self.decoding:
            return Prediction.from_semantic_head(semantic_logits, liver_logits, mask_features)
        queries = self.query_generator(semantic_logits, descriptors)
        feat, embed, count = queries.feat, queries.embed, queries.feat.shape[1]
        masks, instances = self._draw_pilots(target, mask_features)
        if masks is not None:
            pilots = self.query_generator.seed_embedding(
                *pool_under_masks(descriptors, masks, self.stem_stride)
            )
            feat, embed = torch.cat([feat, pilots[0]], dim=1), torch.cat([embed, pilots[1]], dim=1)
        logits, embeds, decoded = self.transformer_decoder(
            features.pyramid, mask_features, descriptors, feat, embed, masks
        )
        pairs = list(zip(logits, embeds, strict=True))
        projected = self.contrastive_projection(self.transformer_decoder.heads.norm(decoded[:, :count]))
        return Prediction(
            layers=[LayerPrediction(c[:, :count], e[:, :count]) for c, e in pairs],
            pilots=[LayerPrediction(c[:, count:], e[:, count:]) for c, e in pairs]
            if self.mask_pilots
            else [],
            pilot_instances=instances,
            contrastive_embed=F.normalize(projected, dim=-1),
            seeds=queries.seeds,
            mask_features=mask_features,
            semantic_logits=semantic_logits,
            liver_logits=liver_logits,
        )

    def _draw_pilots(self, target: Tensor | None, mask_features: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the pilot masks (B, T, x, y, z), or None without pilots, and their instances (B, T)."""
        if self.mask_pilots and target is not None:
            masks, instances = self.choices.choose(lambda: make_pilot_masks(target, self.stem_stride))
            return (masks if instances.shape[1] else None), instances
        no_instances = torch.zeros((len(mask_features), 0), dtype=torch.long, device=mask_features.device)
        return None, no_instances
