"""Compute cross-entropy and Dice of semantic logits at sampled points (auxiliary head, baselines)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss
from torch import Tensor, nn

from scripts.lidia.loss.point_sampling import draw_voxels, interpolate_at_voxels
from scripts.lidia.vocabulary import FIRST_LESION, IGNORED, LIVER


class SemanticLoss(nn.Module):
    """Cross-entropy plus batch Dice over classes at sampled points outside of ignored voxels.

    Args:
        points: number of points per sample.
        foreground: fraction of the points inside lesions, divided equally among them.
    """

    def __init__(self, *, points: int = 8192, foreground: float = 0.05) -> None:
        super().__init__()
        self.points, self.foreground = points, foreground
        self.loss = DiceCELoss(to_onehot_y=True, softmax=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)

    def draw(self, target: Tensor) -> Tensor:
        """Draw the points: target (B, 2, X, Y, Z) -> flat voxel indices (B, points)."""
        rows = []
        for classes, instances in target:
            lesion = classes >= FIRST_LESION
            ids = instances[lesion].unique().tolist()
            points_per_lesion = int(self.points * self.foreground / len(ids)) if ids else 0
            inside = (
                [draw_voxels(lesion & (instances == k), points_per_lesion) for k in ids]
                if points_per_lesion
                else []
            )
            rows.append(
                torch.cat([
                    draw_voxels(classes > IGNORED, self.points - points_per_lesion * len(inside)),
                    *inside,
                ])
            )
        return torch.stack(rows)

    def forward(self, logits: Tensor, target: Tensor, points: Tensor, liver: Tensor | None = None) -> Tensor:
        """Compute the loss at `points`.

        Args:
            logits: (B, C, x, y, z).
            target: (B, 2, X, Y, Z).
            points: (B, N) from `draw`.
            liver: (B, 1, x, y, z) logits of the liver context, supervised by liver and lesions together.
        """
        shape = target.shape[2:]
        truth = target[:, 0].flatten(1).gather(1, points)[:, None]  # (B, 1, N)
        loss = self.loss(interpolate_at_voxels(logits, points, shape), truth)
        if liver is not None:
            inside = (truth >= LIVER).to(logits.dtype)
            loss = loss + F.binary_cross_entropy_with_logits(
                interpolate_at_voxels(liver, points, shape), inside
            )
        return loss
