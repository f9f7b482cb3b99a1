"""Build LIDIA from the values of a config; the defaults are the shipped recipe."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from scripts.lidia.net.blocks import Perceptron
from scripts.lidia.net.encoder import Encoder
from scripts.lidia.net.hounsfield_path import HounsfieldPath
from scripts.lidia.net.ifm import IterativeFusion
from scripts.lidia.net.lidia import LIDIA
from scripts.lidia.net.pixel_decoder import FeaturePyramid
from scripts.lidia.net.query_generator import ProposalQueries
from scripts.lidia.net.query_heads import QueryHeads
from scripts.lidia.net.semantic_head import SemanticHead
from scripts.lidia.net.transformer_decoder import TransformerDecoder


def build_lidia(
    *,
    phases: int = 4,
    classes: int = 10,
    stem_stride: int = 2,
    channels: Sequence[int] = (16, 48, 96, 128),
    per_step_fusion: bool = False,
    fusion: nn.Module | None = None,
    hidden_dim: int = 64,
    mask_dim: int = 32,
    focus: Sequence[float] | None = (-0.1333, 0.2667),
    hounsfield: bool = True,
    liver_context: bool = True,
    mask_pooling: bool = True,
    learned_queries: int = 8,
    proposals: int = 24,
    query_generator: nn.Module | None = None,
    attention_levels: Sequence[int] = (2, 1),
    num_heads: int = 4,
    ffn_dim: int = 256,
    contrastive_dim: int = 64,
    mask_pilots: bool = True,
    semantic_share: float = 0.85,
    type_share: float | None = 0.15,
    max_over_queries: bool = True,
) -> LIDIA:
    """Build the network.

    The paper's values stand in `overlays/networks/paper_scale.yaml`. To disable every addition to the paper,
    set `stem_stride` 1, `focus` None, `hounsfield`, `liver_context`, `mask_pooling`, `mask_pilots` and
    `max_over_queries` False, `proposals` 0, `semantic_share` 0.

    Args:
        phases: P, input channels in temporal order.
        classes: C: background, liver and lesion types.
        stem_stride: space-to-depth factor of the first stage; 1 is full resolution.
        channels: widths of the fused feature and of the encoder's stages, each at half the resolution.
        per_step_fusion: separate weights of F_conv for each step instead of the shared weights of Eq. 2.
        fusion: module that replaces Eq. 1 and 2, with the same inputs and `channels[0]` output features.
        hidden_dim: D, of the queries and of the coarser levels of the pixel decoder.
        mask_dim: E, of the pixel and mask features.
        focus: centre and width of the soft-tissue range, in units of the window; None disables the rescaling.
        hounsfield: add a path without normalisation, which carries absolute HU, to the pixel features.
        liver_context: also describe each voxel by its difference from the mean liver feature.
        mask_pooling: the class head also receives the mean descriptor under the query's mask.
        learned_queries: number of queries with learned content and position.
        proposals: number of queries placed at the lesion peaks of the semantic head.
        query_generator: module that replaces both kinds of queries.
        attention_levels: pyramid level (0 is the finest) that each decoder layer attends to.
        num_heads: number of attention heads.
        ffn_dim: hidden width of the decoder's feed-forward network.
        contrastive_dim: R, width of the contrastive embedding.
        mask_pilots: use mask-piloted queries in training.
        semantic_share: weight of the semantic head in the localisation of lesions, 0..1.
        type_share: weight of the semantic head in the type of a lesion, 0..1; None means `semantic_share`.
        max_over_queries: the semantic map takes the maximum over the queries instead of their sum.
    """
    fusion = fusion or IterativeFusion(
        phases=phases, channels=channels[0], stride=stem_stride, per_step=per_step_fusion
    )
    encoder = Encoder(channels)
    pixel_decoder = FeaturePyramid(channels, width=hidden_dim, finest=mask_dim)
    hounsfield_path = (
        HounsfieldPath(phases=phases, width=mask_dim, stride=stem_stride) if hounsfield else None
    )
    semantic_head = SemanticHead(mask_dim, classes, liver_context=liver_context)
    descriptor_dim = semantic_head.descriptor_dim
    query_generator = query_generator or ProposalQueries(
        proposals=proposals,
        learned_queries=learned_queries,
        descriptor_dim=descriptor_dim,
        hidden_dim=hidden_dim,
        stem_stride=stem_stride,
    )
    heads = QueryHeads(
        hidden_dim=hidden_dim,
        mask_dim=mask_dim,
        classes=classes,
        descriptor_dim=descriptor_dim if mask_pooling else 0,
    )
    transformer_decoder = TransformerDecoder(
        hidden_dim=hidden_dim,
        attention_levels=attention_levels,
        heads=heads,
        num_heads=num_heads,
        ffn_dim=ffn_dim,
        stem_stride=stem_stride,
    )
    return LIDIA(
        fusion=fusion,
        encoder=encoder,
        pixel_decoder=pixel_decoder,
        hounsfield_path=hounsfield_path,
        semantic_head=semantic_head,
        mask_features=nn.Conv3d(mask_dim, mask_dim, 1),
        query_generator=query_generator,
        transformer_decoder=transformer_decoder,
        contrastive_projection=Perceptron(hidden_dim, hidden_dim, contrastive_dim),
        phases=phases,
        stem_stride=stem_stride,
        stride=stem_stride * 2 ** (len(channels) - 1),
        focus=focus,
        mask_pilots=mask_pilots,
        semantic_share=semantic_share,
        type_share=semantic_share if type_share is None else type_share,
        max_over_queries=max_over_queries,
    )
