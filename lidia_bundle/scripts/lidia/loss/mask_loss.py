"""L_seg: cross-entropy plus Dice at sampled points, with foreground-enhanced sampling (section 2.2).

    L_seg(mask) = mean_n BCE(m_n, t_n) + 1 - (2 Σ_n σ(m_n) t_n + 1) / (Σ_n σ(m_n) + Σ_n t_n + 1)

m_n  mask logit at point n; t_n ∈ {0, 1}  truth there. Source: Mask2Former's point loss, PLAN's foreground
share.

Differs from both in cost alone: features are interpolated once a step, at candidates that all masks of a
sample share and at each mask's own foreground points; queries, decoder layers and the matching all read from
these.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.lidia.loss.instance_targets import Targets
from scripts.lidia.loss.point_sampling import (
    features_at,
    lesion_shell,
    most_uncertain,
    sample_voxels,
    uniform_points,
)


class MaskPoints(NamedTuple):
    """Voxels of one sample, as flat indices.

    Attributes:
        shared: (M,) candidates of all masks, in random order.
        inside: (T, F) from inside each target: the foreground-enhanced share.
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


def bce_and_dice(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """(T, N) logits and 0/1 truth -> mean binary cross-entropy (T,) and Dice loss with smoothing 1 (T,)."""
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(dim=1)
    soft = logits.sigmoid()
    dice = 1.0 - (2.0 * (soft * truth).sum(dim=1) + 1.0) / (soft.sum(dim=1) + truth.sum(dim=1) + 1.0)
    return entropy, dice


def logits_at(embeddings: Tensor, features: Tensor) -> Tensor:
    """Mask logits (T, N) of embeddings (T, E + 1) at features (E, N)."""
    return embeddings[:, :-1] @ features + embeddings[:, -1:]


class MaskLoss(nn.Module):
    """Samples points for matched masks and compares there.

    Args:
        points: per mask, the foreground share not counted.
        oversample: candidates for each point.
        uncertain: share of `points` that are the most uncertain candidates; the others are any candidates.
        foreground: foreground-enhanced share, drawn from inside the target on top of `points`. PLAN's shipped
            value is 0.0002, which is two voxels a mask.
        boundary_fraction: fraction of the candidates within `boundary_width` voxels of a lesion, where small
            masks are decided; 0 as in Mask2Former.
        boundary_width: in voxels.
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
        """Chooses a sample's points: instance ids (X, Y, Z) and its T targets."""
        total = int(self.points * self.oversample)
        shared = uniform_points(instances.numel(), total, instances.device)
        near = int(total * self.boundary_fraction)
        shell = lesion_shell(instances, self.boundary_width) if near else None
        if shell is not None and bool(shell.any()):
            shared[:near] = sample_voxels(shell, near)
            shared = shared[torch.randperm(total, device=shared.device)]
        count = int(self.points * self.foreground)
        inside = [sample_voxels(mask, count) for mask in targets.masks]
        return MaskPoints(shared, torch.stack(inside) if inside else shared.new_zeros((0, count)))

    def read(self, features: Tensor, points: MaskPoints, targets: Targets) -> PointFeatures:
        """Interpolates a sample's features (E, x, y, z) at its points, once for all that reads them."""
        index = torch.cat([points.shared, points.inside.flatten()])
        values = features_at(features, index, targets.masks.shape[1:])  # (E, M + T·F)
        shared, inside = values.split([len(points.shared), points.inside.numel()], dim=1)
        masks = targets.masks.flatten(1)
        truth = masks.gather(1, points.shared.expand(len(masks), -1)).to(values.dtype)
        return PointFeatures(shared, truth, inside.unflatten(1, points.inside.shape))

    @torch.no_grad()
    def pick(self, embeddings: Tensor, at: PointFeatures) -> Tensor:
        """Columns (T, points) of the shared candidates at which each mask is compared."""
        sure = int(self.points * self.uncertain)
        doubtful = most_uncertain(logits_at(embeddings, at.shared), sure)
        rest = torch.randint(
            at.shared.shape[1], (len(embeddings), self.points - sure), device=doubtful.device
        )
        return torch.cat([doubtful, rest], dim=1)

    def forward(
        self, embeddings: Tensor, answers: Tensor, at: PointFeatures, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and Dice of the matched masks of one sample.

        Args:
            embeddings: (M, E + 1) of the matched queries.
            answers: (M,) the target that each stands for.
            at: what `read` found.
            columns: (M, points) from `pick`.

        Returns:
            (M,) and (M,).
        """
        shared = logits_at(embeddings, at.shared).gather(1, columns)
        truth = at.shared_truth[answers].gather(1, columns)
        inside = torch.einsum("me,emf->mf", embeddings[:, :-1], at.inside[:, answers]) + embeddings[:, -1:]
        return bce_and_dice(
            torch.cat([shared, inside], dim=1), torch.cat([truth, torch.ones_like(inside)], dim=1)
        )
