"""Compute L_seg, cross-entropy and Dice at points from foreground-enhanced sampling (section 2.2).

    L_seg(mask) = mean_n BCE(m_n, t_n) + 1 - (2 Σ_n σ(m_n) t_n + 1) / (Σ_n σ(m_n) + Σ_n t_n + 1)

m_n  mask logit at point n; t_n ∈ {0, 1}  truth there. Source: Mask2Former's point loss, PLAN's foreground
share.

Differs from both only in cost: features are interpolated once per step, at candidate points that all masks of
a sample share and at the foreground points of each mask; queries, decoder layers and the matching use the
same values.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.loss.instance_targets import Targets
from scripts.lidia.loss.point_sampling import (
    draw_points,
    draw_voxels,
    find_lesion_shell,
    interpolate_sample,
    select_most_uncertain,
)


class MaskPoints(NamedTuple):
    """Voxels of one sample, as flat indices.

    Attributes:
        shared: (M,) candidate points of all masks, in random order.
        inside: (T, F) points inside each target: the foreground-enhanced share.
    """

    shared: Tensor
    inside: Tensor


class PointFeatures(NamedTuple):
    """Mask features and truth of one sample at its points.

    Attributes:
        shared: (E, M).
        shared_truth: (T, M) 0/1.
        inside: (E, T, F).
    """

    shared: Tensor
    shared_truth: Tensor
    inside: Tensor


def compute_bce_and_dice(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean binary cross-entropy (T,) and Dice loss (T,), smoothing 1, of (T, N) logits and truth."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    soft = logits.sigmoid()
    dice = 1.0 - (2.0 * (soft * truth).sum(dim=1) + 1.0) / (soft.sum(dim=1) + truth.sum(dim=1) + 1.0)
    return entropy, dice


def compute_point_logits(embeddings: Tensor, features: Tensor) -> Tensor:
    """Compute mask logits (T, N) of embeddings (T, E + 1) at features (E, N)."""
    return embeddings[:, :-1] @ features + embeddings[:, -1:]


class MaskLoss(nn.Module):
    """Cross-entropy and Dice of matched masks at sampled points.

    Args:
        points: number of points per mask, without the foreground points.
        oversample: number of candidates per point.
        uncertain: fraction of `points` taken from the most uncertain candidates; the rest is random.
        foreground: foreground-enhanced share, drawn from inside the target on top of `points`. PLAN's shipped
            value is 0.0002, two voxels per mask.
        boundary_fraction: fraction of the candidates within `boundary_width` voxels of a lesion. These
            voxels matter most for small masks; 0 as in Mask2Former.
        boundary_width: width of the boundary region in voxels.
    """

    def __init__(
        self,
        *,
        points: int = 2048,
        oversample: float = 3.0,
        uncertain: float = 0.75,
        foreground: float = 0.1,
        boundary_fraction: float = 0.25,
        boundary_width: int = 2,
    ) -> None:
        super().__init__()
        self.points, self.oversample, self.uncertain = points, oversample, uncertain
        self.foreground, self.boundary_fraction, self.boundary_width = (
            foreground,
            boundary_fraction,
            boundary_width,
        )

    def draw(self, instances: Tensor, targets: Targets) -> MaskPoints:
        """Draw the points of a sample from its instance ids (X, Y, Z) and its T targets."""
        total = int(self.points * self.oversample)
        shared = draw_points(instances.numel(), total, instances.device)
        boundary_count = int(total * self.boundary_fraction)
        shell = find_lesion_shell(instances, self.boundary_width) if boundary_count else None
        if shell is not None and bool(shell.any()):
            shared[:boundary_count] = draw_voxels(shell, boundary_count)
            shared = shared[torch.randperm(total, device=shared.device)]
        count = int(self.points * self.foreground)
        inside = [draw_voxels(mask, count) for mask in targets.masks]
        return MaskPoints(shared, torch.stack(inside) if inside else shared.new_zeros((0, count)))

    def read(self, features: Tensor, points: MaskPoints, targets: Targets) -> PointFeatures:
        """Interpolate the features (E, x, y, z) of a sample at its points."""
        index = torch.cat([points.shared, points.inside.flatten()])
        values = interpolate_sample(features, index, targets.masks.shape[1:])  # (E, M + T·F)
        shared, inside = values.split([len(points.shared), points.inside.numel()], dim=1)
        masks = targets.masks.flatten(1)
        truth = masks.gather(1, points.shared.expand(len(masks), -1)).to(values.dtype)
        return PointFeatures(shared, truth, inside.unflatten(1, points.inside.shape))

    @torch.no_grad()
    def pick(self, embeddings: Tensor, features: PointFeatures) -> Tensor:
        """Select the columns (T, points) of the shared candidates at which each mask is evaluated."""
        uncertain_count = int(self.points * self.uncertain)
        uncertain = select_most_uncertain(compute_point_logits(embeddings, features.shared), uncertain_count)
        rest = torch.randint(
            features.shared.shape[1],
            (len(embeddings), self.points - uncertain_count),
            device=uncertain.device,
        )
        return torch.cat([uncertain, rest], dim=1)

    def forward(
        self, embeddings: Tensor, target_index: Tensor, features: PointFeatures, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute cross-entropy and Dice of the matched masks of one sample.

        Args:
            embeddings: (M, E + 1) mask embeddings of the matched queries.
            target_index: (M,) target of each query.
            features: output of `read`.
            columns: (M, points) output of `pick`.

        Returns:
            (M,) and (M,).
        """
        shared = compute_point_logits(embeddings, features.shared).gather(1, columns)
        truth = features.shared_truth[target_index].gather(1, columns)
        inside = (
            torch.einsum("me,emf->mf", embeddings[:, :-1], features.inside[:, target_index])
            + embeddings[:, -1:]
        )
        return compute_bce_and_dice(
            torch.cat([shared, inside], dim=1), torch.cat([truth, torch.ones_like(inside)], dim=1)
        )
