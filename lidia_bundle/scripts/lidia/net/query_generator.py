"""Generate queries: learned ones, and proposals at lesion peaks of the semantic head (cf. PLAN's anchors)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.net.blocks import Perceptron, SinePosition, compute_voxel_positions
from scripts.lidia.recorded_randomness import RecordedChoices
from scripts.lidia.vocabulary import FIRST_LESION


class Queries(NamedTuple):
    """Inputs of the first decoder layer.

    Attributes:
        feat: (B, Q, D) content.
        embed: (B, Q, D) position.
        seeds: (B, Q, 3) voxel of the network's grid at which a query was placed, -1 for a learned query.
    """

    feat: Tensor
    embed: Tensor
    seeds: Tensor


class SeedEmbedding(nn.Module):
    """Compute the content and position of a query from the descriptor and position of a voxel or region.

    Args:
        descriptor_dim: W.
        hidden_dim: D.
    """

    def __init__(self, descriptor_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.content = Perceptron(descriptor_dim, hidden_dim, hidden_dim, layers=2)
        self.sine = SinePosition(hidden_dim)

    def forward(self, descriptors: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Descriptors (B, Q, W) and positions (B, Q, 3) in network voxels -> feat and embed (B, Q, D)."""
        return self.content(descriptors), self.sine(positions)


class ProposalQueries(nn.Module):
    """Proposals at the strongest lesion peaks of the semantic head, followed by learned queries.

    Args:
        proposals: number of queries placed at peaks (0 in the paper).
        learned_queries: number of learned queries (50 in the paper).
        descriptor_dim: W.
        hidden_dim: D.
        stem_stride: voxels of the network's grid in one feature voxel.
    """

    def __init__(
        self, *, proposals: int, learned_queries: int, descriptor_dim: int, hidden_dim: int, stem_stride: int
    ) -> None:
        super().__init__()
        self.proposals, self.stem_stride = proposals, stem_stride
        self.query_feat = nn.Parameter(torch.randn(learned_queries, hidden_dim) * 0.02)
        self.query_embed = nn.Parameter(torch.randn(learned_queries, hidden_dim) * 0.02)
        self.seed_embedding = SeedEmbedding(descriptor_dim, hidden_dim)
        self.choices = RecordedChoices()

    def extra_repr(self) -> str:
        """Show the number of proposals, which the submodules and weights do not determine."""
        return f"proposals={self.proposals}"

    def forward(self, semantic_logits: Tensor, descriptors: Tensor) -> Queries:
        """Semantic logits (B, C, x, y, z) and descriptors (B, W, x, y, z) -> queries."""
        peaks = self._find_peaks(semantic_logits)
        b, _, x, y, z = descriptors.shape
        feat = self.query_feat.unsqueeze(0).expand(b, -1, -1)
        embed = self.query_embed.unsqueeze(0).expand(b, -1, -1)
        seeds = torch.full((b, feat.shape[1], 3), -1, dtype=torch.long, device=descriptors.device)
        if self.proposals > 0:
            positions = compute_voxel_positions(x, y, z, self.stem_stride, descriptors.device)[peaks]
            proposed_feat, proposed_embed = self.seed_embedding(gather_voxels(descriptors, peaks), positions)
            feat, embed = torch.cat([proposed_feat, feat], dim=1), torch.cat([proposed_embed, embed], dim=1)
            centres = unravel_indices(peaks, y, z) * self.stem_stride + self.stem_stride // 2
            seeds = torch.cat([centres, seeds], dim=1)
        return Queries(feat, embed, seeds)

    def _find_peaks(self, semantic_logits: Tensor) -> Tensor:
        if not torch.jit.is_scripting():  # noqa: SIM102 (TorchScript skips the branch only so)
            if self.training:
                return self._record_peaks(semantic_logits.detach())
        return find_lesion_peaks(semantic_logits, self.proposals)

    @torch.jit.unused
    def _record_peaks(self, semantic_logits: Tensor) -> Tensor:
        return self.choices.choose(lambda: find_lesion_peaks(semantic_logits, self.proposals))


def find_lesion_peaks(
    semantic_logits: Tensor, count: int, window: int = 5, first: int = FIRST_LESION
) -> Tensor:
    """Find the feature voxels at the strongest local maxima of the lesion probability.

    Args:
        semantic_logits: (B, C, x, y, z).
        count: number of peaks per sample; if there are fewer, the next strongest voxels are added.
        window: width in feature voxels of the window in which only the maximum is a peak.
        first: first class that is a lesion (an argument, since TorchScript reads no module constants).

    Returns:
        (B, count) flat indices into x·y·z, strongest first.
    """
    # Log-odds, because the probability of a confident lesion rounds to 1 in all of its voxels
    lesion = semantic_logits[:, first:].logsumexp(dim=1, keepdim=True)
    score = lesion - semantic_logits[:, :first].logsumexp(dim=1, keepdim=True)
    highest = F.max_pool3d(score, window, stride=1, padding=window // 2)
    ranked = torch.where(score >= highest, score, score - 1000.0).flatten(1)
    return ranked.topk(count, dim=1).indices


def gather_voxels(features: Tensor, index: Tensor) -> Tensor:
    """Gather features: (B, W, x, y, z) and flat voxel indices (B, Q) -> (B, Q, W)."""
    flat = features.flatten(2)
    return flat.gather(2, index[:, None, :].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def unravel_indices(index: Tensor, y: int, z: int) -> Tensor:
    """Convert flat voxel indices (...) of a grid with sizes (*, y, z) to indices (..., 3)."""
    return torch.stack([index // (y * z), index // z % y, index % z], dim=-1)
