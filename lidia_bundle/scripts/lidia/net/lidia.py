"""LIDIA (Fig. 1): fusion of phases, encoder, feature pyramid, mask transformer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.contract import LayerPrediction, Prediction, check_image, exporting
from scripts.lidia.net.blocks import Perceptron, SinePosition, voxel_places
from scripts.lidia.net.decoder import DecoderLayer, keep_apart
from scripts.lidia.net.encoder import Encoder
from scripts.lidia.net.fpn import FeaturePyramid
from scripts.lidia.net.heads import QueryHeads, mask_logits
from scripts.lidia.net.hounsfield import HounsfieldPath, focused
from scripts.lidia.net.ifm import IterativeFusion
from scripts.lidia.net.pilots import pilot_masks
from scripts.lidia.net.proposals import gather_voxels, lesion_peaks, unravel
from scripts.lidia.net.semantic import SemanticHead, semantic_map, shared_map
from scripts.lidia.replay import Choices


class LIDIA(nn.Module):
    """Liver tumour diagnosis network: one tensor in, one tensor out.

    Input (B, phases, X, Y, Z) float32, windowed to -1..1, RAS; **an absent phase is a channel of NaN** (a
    channel with any NaN counts as absent). In evaluation the output is (B, classes, X, Y, Z), probabilities
    that sum to 1 over the classes; in training a `Prediction`. Sizes must be multiples of `stride`.

    Args:
        phases: input channels, in temporal order.
        classes: background, liver and lesion types.
        stem_stride: space-to-depth factor of the first stage; 1 is the paper's full resolution.
        channels: widths of the fused feature and of the encoder's stages.
        per_step_fusion: own F_conv weights a step instead of Eq. 2's one.
        fusion: another module in the place of Eq. 2's, with its face and `channels[0]` features.
        pyramid_width: of the pyramid's coarser levels, and of the queries.
        pixel_width: of the finest level, the pixel and mask features.
        focus: centre and width of the soft-tissue focus in units of the window; None leaves the image.
        hounsfield: adds the norm-free path of absolute HU to the pixel features.
        liver_context: describes voxels by their difference from the liver too.
        mask_pooling: shows the class head the pixel description under the query's mask.
        learned_queries: learned ones (50 in the paper).
        proposals: queries seeded at the semantic head's lesion peaks (none in the paper).
        attention_levels: pyramid levels (0 is the finest) that the decoder layers attend to, one layer each.
        heads: of attention.
        feedforward: hidden width of the decoder's FFN.
        projection: width of the contrastive embedding.
        pilots: mask-piloted queries in training, when `forward` is given the target.
        semantic_share: share of the auxiliary semantic head in the semantic map; 0 is the queries alone.
        type_share: its share in which type a lesion has; None is `semantic_share`.
        maximum: the semantic map takes the maximum over queries instead of the sum.
    """

    def __init__(
        self,
        *,
        phases: int = 4,
        classes: int = 10,
        stem_stride: int = 2,
        channels: Sequence[int] = (16, 48, 96, 128),
        per_step_fusion: bool = False,
        fusion: nn.Module | None = None,
        pyramid_width: int = 64,
        pixel_width: int = 32,
        focus: Sequence[float] | None = (-0.1333, 0.2667),
        hounsfield: bool = True,
        liver_context: bool = True,
        mask_pooling: bool = True,
        learned_queries: int = 8,
        proposals: int = 24,
        attention_levels: Sequence[int] = (2, 1),
        heads: int = 4,
        feedforward: int = 256,
        projection: int = 64,
        pilots: bool = True,
        semantic_share: float = 0.0,
        type_share: float | None = None,
        maximum: bool = True,
    ) -> None:
        super().__init__()
        self.phases, self.stem_stride = phases, stem_stride
        self.focus = None if focus is None else (float(focus[0]), float(focus[1]))
        self.stride = stem_stride * 2 ** (len(channels) - 1)
        self.proposals, self.pilots, self.maximum = proposals, pilots, maximum
        self.semantic_share = semantic_share
        self.type_share = semantic_share if type_share is None else type_share
        self.levels = list(attention_levels)
        self.factors = [2**level for level in self.levels]
        self.decoding = True  # False while the semantic head warms up alone
        width, embedding = pyramid_width, pixel_width

        self.fusion = fusion or IterativeFusion(
            phases=phases, channels=channels[0], stride=stem_stride, per_step=per_step_fusion
        )
        self.encoder = Encoder(channels)
        self.pyramid = FeaturePyramid(channels, width=width, finest=pixel_width)
        self.hounsfield = (
            HounsfieldPath(phases=phases, width=pixel_width, stride=stem_stride) if hounsfield else None
        )
        self.semantic = SemanticHead(pixel_width, classes, liver_context=liver_context)
        self.mask_features = nn.Conv3d(pixel_width, embedding, 1)

        self.described = self.semantic.described + classes
        self.content = nn.Parameter(torch.randn(learned_queries, width) * 0.02)
        self.position = nn.Parameter(torch.randn(learned_queries, width) * 0.02)
        self.seed_content = Perceptron(self.described, width, width, layers=2)
        self.sine = SinePosition(width)
        self.level_embedding = nn.Parameter(torch.randn(len(self.levels), width) * 0.02)
        self.layers = nn.ModuleList(
            DecoderLayer(width=width, heads=heads, feedforward=feedforward) for _ in self.levels
        )
        pooled = self.described if mask_pooling else 0
        self.heads = QueryHeads(width=width, embedding=embedding, classes=classes, described=pooled)
        self.project = Perceptron(width, width, projection)
        self.choices = Choices()

    def extra_repr(self) -> str:
        """What the answer depends on besides parts and weights; a drawn graph is named by it too."""
        names = ("proposals", "levels", "focus", "semantic_share", "type_share", "maximum")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    def forward(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """Probabilities in evaluation, a `Prediction` in training.

        Args:
            image: (B, phases, X, Y, Z), NaN where a phase is absent.
            target: (B, 2, X, Y, Z) classes and instances; feeds the pilots alone.

        Raises:
            ValueError: the image has another shape than the contract's, or a sample without any phase.
        """
        _, pyramid, pixels = self._see(image)
        return self._say(pyramid, pixels, self._describe(pixels), target)

    def _see(self, image: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Encoder levels and pyramid, each fine to coarse, and the pixel features of an image.

        Raises:
            ValueError: as `forward`.
        """
        check_image(image, self.phases, self.stride)
        present = torch.isnan(image).flatten(2).any(dim=2).logical_not()  # (B, P)
        if not exporting() and not bool(present.any(dim=1).all()):
            raise ValueError("A case has no phase at all: every channel holds NaN.")
        if self.focus is not None:
            image = focused(image, self.focus[0], self.focus[1])
        image = torch.where(present[:, :, None, None, None], image, torch.zeros_like(image))
        levels = self.encoder(self.fusion(image, present))
        pyramid = self.pyramid(levels)
        pixels = pyramid[0]
        if self.hounsfield is not None:
            pixels = pixels + self.hounsfield(image, present)
        if exporting():  # a graph cannot refuse a case without any phase: its map is NaN
            pixels = pixels.masked_fill(~present.any(dim=1)[:, None, None, None, None], torch.nan)
        return levels, pyramid, pixels

    def _say(
        self,
        pyramid: list[Tensor],
        pixels: Tensor,
        described: tuple[Tensor, Tensor, Tensor | None],
        target: Tensor | None,
    ) -> Tensor:
        """What `forward` returns, from the features and what `_describe` says of them."""
        semantic, description, liver = described
        features = self.mask_features(pixels)
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if self.training:
                return self._train(pyramid, features, description, semantic, liver, target)  # type: ignore[return-value]
        seeds = lesion_peaks(semantic, self.proposals)
        content, position = self._queries(description, seeds)
        none: Tensor | None = None
        classes, embeddings, _ = self._decode(pyramid, features, description, content, position, none)
        masks = mask_logits(embeddings[-1], features.flatten(2)).unflatten(2, features.shape[2:])
        probabilities = semantic_map(classes[-1], masks, maximum=self.maximum)
        if self.semantic_share > 0.0 or self.type_share > 0.0:
            head = semantic.softmax(dim=1)
            probabilities = shared_map(probabilities, head, self.semantic_share, self.type_share)
        if self.stem_stride > 1:
            size = [n * self.stem_stride for n in probabilities.shape[2:]]
            probabilities = F.interpolate(probabilities, size=size, mode="trilinear", align_corners=False)
        return probabilities

    def _describe(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Semantic logits, every voxel's description with its classes last, and the liver's logits if any."""
        semantic, description, liver = self.semantic(pixels)
        semantic = semantic.float()  # peaks and the map tell near-equal voxels apart
        classes = semantic.softmax(dim=1).to(description.dtype)
        return semantic, torch.cat([description, classes], dim=1), liver

    def _queries(self, description: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Proposals first, then the learned ones: content and position, (B, Q, D) each."""
        b, _, x, y, z = description.shape
        content = self.content.unsqueeze(0).expand(b, -1, -1)
        position = self.position.unsqueeze(0).expand(b, -1, -1)
        if self.proposals > 0:
            places = voxel_places(x, y, z, self.stem_stride, description.device)[seeds]
            content = torch.cat([self.seed_content(gather_voxels(description, seeds)), content], dim=1)
            position = torch.cat([self.sine(places), position], dim=1)
        return content, position

    def _decode(
        self,
        pyramid: list[Tensor],
        features: Tensor,
        description: Tensor,
        queries: Tensor,
        position: Tensor,
        guides: Tensor | None,
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """All decoder layers; `guides` (B, T, x, y, z): what the last T queries, the pilots, attend to."""
        flat, described = features.flatten(2), description.flatten(2)
        logits, embedding = self.heads(queries, flat, described)
        classes, embeddings = [logits], [embedding]
        apart: Tensor | None = None
        if guides is not None:
            apart = keep_apart(queries.shape[1] - guides.shape[1], guides.shape[1], queries.device)
        for i, layer in enumerate(self.layers):
            factor = self.factors[i]
            memory = pyramid[self.levels[i]]
            x, y, z = memory.shape[2:]
            coarse = F.avg_pool3d(features, factor).flatten(2)
            blocked = mask_logits(embedding.detach(), coarse.detach()) < 0.0
            if guides is not None:
                inside = F.max_pool3d(guides, factor).flatten(2) > 0.0
                blocked = torch.cat([blocked[:, : -guides.shape[1]], ~inside], dim=1)
            stride = self.stem_stride * factor
            places = self.sine(voxel_places(x, y, z, stride, memory.device)).unsqueeze(0)
            memory = memory.flatten(2).transpose(1, 2) + self.level_embedding[i]
            queries = layer(queries, position, memory, places, blocked, apart)
            logits, embedding = self.heads(queries, flat, described)
            classes.append(logits)
            embeddings.append(embedding)
        return classes, embeddings, queries

    @torch.jit.unused
    def _train(
        self,
        pyramid: list[Tensor],
        features: Tensor,
        description: Tensor,
        semantic: Tensor,
        liver: Tensor | None,
        target: Tensor | None,
    ) -> Prediction:
        b, _, x, y, z = features.shape
        device = features.device
        nothing = torch.zeros((b, 0), dtype=torch.long, device=device)
        if not self.decoding:
            empty = features.new_zeros((b, 0, 1))
            return Prediction(
                [], [], nothing, empty, nothing[..., None].expand(b, 0, 3), features, semantic, liver
            )
        index = self.choices.choose(lambda: lesion_peaks(semantic.detach(), self.proposals))
        content, position = self._queries(description, index)
        count = content.shape[1]
        guides, instances = None, nothing
        if self.pilots and target is not None:
            guides, instances = self.choices.choose(lambda: pilot_masks(target, self.stem_stride))
        pilots = instances.shape[1]
        if guides is not None and pilots > 0:
            weight = guides.flatten(2)
            weight = weight / weight.sum(dim=2, keepdim=True).clamp(min=1.0)
            pooled = (description.flatten(2) @ weight.transpose(1, 2)).transpose(1, 2)
            where = (weight @ voxel_places(x, y, z, self.stem_stride, device)).float()
            content = torch.cat([content, self.seed_content(pooled)], dim=1)
            position = torch.cat([position, self.sine(where)], dim=1)
        else:
            guides = None
        classes, embeddings, queries = self._decode(pyramid, features, description, content, position, guides)
        layers = [
            LayerPrediction(c[:, :count], e[:, :count]) for c, e in zip(classes, embeddings, strict=True)
        ]
        piloted = [
            LayerPrediction(c[:, count:], e[:, count:]) for c, e in zip(classes, embeddings, strict=True)
        ]
        seeds = torch.full((b, count, 3), -1, dtype=torch.long, device=device)
        seeds[:, : self.proposals] = unravel(index, y, z) * self.stem_stride + self.stem_stride // 2
        projected = F.normalize(self.project(self.heads.norm(queries[:, :count])), dim=-1)
        return Prediction(
            layers, piloted if pilots else [], instances, projected, seeds, features, semantic, liver
        )
