"""Queries seeded where the semantic head sees a lesion: kin of PLAN's anchor queries."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.lidia.vocabulary import FIRST_LESION


def lesion_peaks(semantic_logits: Tensor, count: int, window: int = 5, first: int = FIRST_LESION) -> Tensor:
    """Feature voxels at the strongest local maxima of the lesion probability.

    Args:
        semantic_logits: (B, C, x, y, z).
        count: how many peaks a sample; where there are fewer, the next strongest voxels fill up.
        window: width in feature voxels within which only the strongest counts.
        first: first class that is a lesion (an argument, since TorchScript reads no module constants).

    Returns:
        (B, count) flat indices into x·y·z, strongest first.
    """
    # Log-odds: a sure lesion's probability rounds to 1 over all of it, and a last bit would choose
    lesion = semantic_logits[:, first:].logsumexp(dim=1, keepdim=True)
    score = lesion - semantic_logits[:, :first].logsumexp(dim=1, keepdim=True)
    highest = F.max_pool3d(score, window, stride=1, padding=window // 2)
    ranked = torch.where(score >= highest, score, score - 1000.0).flatten(1)
    return ranked.topk(count, dim=1).indices


def gather_voxels(features: Tensor, index: Tensor) -> Tensor:
    """(B, W, x, y, z) at (B, Q) flat voxel indices -> (B, Q, W)."""
    flat = features.flatten(2)
    return flat.gather(2, index[:, None, :].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def unravel(index: Tensor, y: int, z: int) -> Tensor:
    """Flat voxel indices (...) of a grid with sizes (*, y, z) -> (..., 3)."""
    return torch.stack([index // (y * z), index // z % y, index % z], dim=-1)
