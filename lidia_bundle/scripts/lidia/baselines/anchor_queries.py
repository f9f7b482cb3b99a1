"""Generate anchor queries (PLAN, Yan et al. 2023): one query per suspected lesion of the semantic head.

Differs from PLAN: the number of anchor slots is fixed, and a slot without a component holds a learned query
of its own, so that the prediction of a sample does not depend on its batch; background and liver have no
anchor.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from scripts.lidia.components import join_components
from scripts.lidia.net.blocks import compute_voxel_positions
from scripts.lidia.net.query_generator import Queries, SeedEmbedding
from scripts.lidia.recorded_randomness import RecordedChoices
from scripts.lidia.vocabulary import FIRST_LESION


class AnchorQueries(nn.Module):
    """Generates anchor queries, followed by learned queries, in place of LIDIA's `ProposalQueries`.

    The components are computed by cc3d, so the module cannot be exported to TorchScript.

    Args:
        anchors: slots of anchor queries (PLAN: 20); a slot without a component holds a learned query.
        learned_queries: number of learned queries.
        classes: C; their probabilities are the last channels of the descriptors.
        descriptor_dim: W.
        hidden_dim: D.
        stem_stride: voxels of the network's grid per feature voxel.
        threshold: lesion probability above which a voxel is suspected.
        smallest: minimum voxels of a suspected component on the feature grid.
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
        """Maps semantic logits (not read) and descriptors (B, W, x, y, z) to queries without seeds."""
        descriptors = descriptors.detach()
        probabilities = descriptors[:, -self.classes :]
        components = self.choices.choose(
            lambda: find_suspected_lesions(
                probabilities, count=self.anchors, threshold=self.threshold, smallest=self.smallest
            )
        ).flatten(1)
        b, _, x, y, z = descriptors.shape
        means, occupied = compute_component_means(descriptors.flatten(2), components, self.anchors)
        positions = compute_voxel_positions(x, y, z, self.stem_stride, descriptors.device)
        centres, _ = compute_component_means(positions.T.expand(b, -1, -1), components, self.anchors)
        seeded = self.seed_embedding(means, centres)
        feat = torch.where(occupied[..., None], seeded[0], self.anchor_feat)
        embed = torch.where(occupied[..., None], seeded[1], self.anchor_embed)
        feat = torch.cat([feat, self.query_feat.expand(b, -1, -1)], dim=1)
        embed = torch.cat([embed, self.query_embed.expand(b, -1, -1)], dim=1)
        seeds = torch.full((b, feat.shape[1], 3), -1, dtype=torch.long, device=feat.device)
        return Queries(feat, embed, seeds)


def find_suspected_lesions(
    probabilities: Tensor, *, count: int, threshold: float = 0.1, smallest: float = 1.0
) -> Tensor:
    """Finds components (26 neighbours) of the summed lesion probability, the largest first.

    Args:
        probabilities: (B, C, x, y, z) of the semantic head.
        count: maximum number per sample.
        threshold: probability above which a voxel is suspected.
        smallest: minimum voxels of a component.

    Returns:
        (B, x, y, z) component numbers 1..count from the largest to the smallest, 0 elsewhere.
    """
    suspected = probabilities[:, FIRST_LESION:].sum(dim=1) > threshold
    samples = []
    for mask in suspected:
        labels = join_components(mask)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        order = np.argsort(-sizes, kind="stable")[:count]
        order = order[sizes[order] >= max(smallest, 1.0)]
        new_numbers = np.zeros(len(sizes), np.int64)
        new_numbers[order] = np.arange(1, len(order) + 1)
        samples.append(torch.from_numpy(new_numbers[labels]))
    return torch.stack(samples).to(probabilities.device)


def compute_component_means(values: Tensor, components: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Averages voxel values over each component.

    Args:
        values: (B, W, N) voxel values.
        components: (B, N) component numbers 0..count.
        count: number of components.

    Returns:
        Means (B, count, W), 0 for a missing component; (B, count) bool, true for an existing one.
    """
    values = values.float()  # sums over many voxels, in half precision too
    b, w, _ = values.shape
    index = components + torch.arange(b, device=components.device)[:, None] * (count + 1)
    sums = values.new_zeros((b * (count + 1), w)).index_add(0, index.flatten(), values.mT.flatten(0, 1))
    voxels = torch.bincount(index.flatten(), minlength=b * (count + 1)).unflatten(0, (b, count + 1))[:, 1:]
    means = sums.unflatten(0, (b, count + 1))[:, 1:] / voxels.clamp(min=1)[..., None]
    return means, voxels > 0
