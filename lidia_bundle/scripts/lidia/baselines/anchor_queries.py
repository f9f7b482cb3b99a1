"""Anchor queries (PLAN, Yan et al. 2023): one query for each lesion that the semantic head suspects.

Differs from PLAN: the number of slots for anchors is fixed, and a slot without a component holds a learned
query of its own, so that a sample's answer does not depend on its batch; background and liver have none.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from scripts.lidia.components import join_components
from scripts.lidia.net.blocks import voxel_positions
from scripts.lidia.net.query_generator import Queries, SeedEmbedding
from scripts.lidia.recorded_randomness import RecordedChoices
from scripts.lidia.vocabulary import FIRST_LESION


class AnchorQueries(nn.Module):
    """Anchors first, then learned queries, in place of LIDIA's `ProposalQueries`.

    Its components are found by cc3d, so that it cannot be exported to TorchScript.

    Args:
        anchors: slots of anchor queries (PLAN: 20), each with a learned query for want of a component.
        learned_queries: number of learned queries.
        classes: C, whose probabilities stand last in the descriptors.
        descriptor_dim: W.
        hidden_dim: D.
        stem_stride: voxels of the network's grid in one feature voxel.
        threshold: lesion probability above which the semantic head suspects one.
        smallest: voxels of the feature grid that a suspected component has at least.
    """

    def __init__(
        self,
        *,
        anchors: int,
        learned_queries: int,
        classes: int,
        descriptor_dim: int,
        hidden_dim: int,
        stem_stride: int,
        threshold: float,
        smallest: float,
    ) -> None:
        super().__init__()
        self.anchors, self.classes, self.stem_stride = anchors, classes, stem_stride
        self.descriptor_dim = descriptor_dim
        self.threshold, self.smallest = threshold, smallest
        self.anchor_feat = nn.Parameter(torch.randn(anchors, hidden_dim) * 0.02)
        self.anchor_embed = nn.Parameter(torch.randn(anchors, hidden_dim) * 0.02)
        self.query_feat = nn.Parameter(torch.randn(learned_queries, hidden_dim) * 0.02)
        self.query_embed = nn.Parameter(torch.randn(learned_queries, hidden_dim) * 0.02)
        self.seed_embedding = SeedEmbedding(descriptor_dim, hidden_dim)
        self.choices = RecordedChoices()

    def forward(self, semantic_logits: Tensor, descriptors: Tensor) -> Queries:
        """Semantic logits (not read) and descriptors (B, W, x, y, z) -> queries, none of them seeded."""
        descriptors = descriptors.detach()
        probabilities = descriptors[:, -self.classes :]
        parts = self.choices.choose(
            lambda: find_suspected_lesions(
                probabilities, count=self.anchors, threshold=self.threshold, smallest=self.smallest
            )
        ).flatten(1)
        b, _, x, y, z = descriptors.shape
        means, filled = component_means(descriptors.flatten(2), parts, self.anchors)
        places = voxel_positions(x, y, z, self.stem_stride, descriptors.device)
        centres, _ = component_means(places.T.expand(b, -1, -1), parts, self.anchors)
        seeded = self.seed_embedding(means, centres)
        feat = torch.where(filled[..., None], seeded[0], self.anchor_feat)
        embed = torch.where(filled[..., None], seeded[1], self.anchor_embed)
        feat = torch.cat([feat, self.query_feat.expand(b, -1, -1)], dim=1)
        embed = torch.cat([embed, self.query_embed.expand(b, -1, -1)], dim=1)
        seeds = torch.full((b, feat.shape[1], 3), -1, dtype=torch.long, device=feat.device)
        return Queries(feat, embed, seeds)


def find_suspected_lesions(
    probabilities: Tensor, *, count: int, threshold: float = 0.1, smallest: float = 1.0
) -> Tensor:
    """Components (26 neighbours) of the summed lesion probability, the largest first.

    Args:
        probabilities: (B, C, x, y, z) of the semantic head.
        count: at most so many a sample.
        threshold: a voxel above it is suspected.
        smallest: voxels that a component has at least.

    Returns:
        (B, x, y, z) component numbers 1..count from the largest to the smallest, 0 elsewhere.
    """
    suspected = probabilities[:, FIRST_LESION:].sum(dim=1) > threshold
    samples = []
    for mask in suspected:
        parts = join_components(mask)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        order = np.argsort(-sizes, kind="stable")[:count]
        order = order[sizes[order] >= max(smallest, 1.0)]
        names = np.zeros(len(sizes), np.int64)
        names[order] = np.arange(1, len(order) + 1)
        samples.append(torch.from_numpy(names[parts]))
    return torch.stack(samples).to(probabilities.device)


def component_means(values: Tensor, parts: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Means of voxel values over each component.

    Args:
        values: (B, W, N) voxel values.
        parts: (B, N) component numbers 0..count.
        count: of components.

    Returns:
        (B, count, W), 0 where there is no such component, and (B, count) bool: which are there.
    """
    values = values.float()  # sums over many voxels, in half precision too
    b, w, _ = values.shape
    slots = parts + torch.arange(b, device=parts.device)[:, None] * (count + 1)
    sums = values.new_zeros((b * (count + 1), w)).index_add(0, slots.flatten(), values.mT.flatten(0, 1))
    voxels = torch.bincount(slots.flatten(), minlength=b * (count + 1)).unflatten(0, (b, count + 1))[:, 1:]
    means = sums.unflatten(0, (b, count + 1))[:, 1:] / voxels.clamp(min=1)[..., None]
    return means, voxels > 0
