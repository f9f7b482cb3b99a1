"""Predict the class logits and the descriptor of every feature voxel (auxiliary semantic head).

As in PLAN, the head is trained first (warm-up), supervises the pixel embedding, and its lesion peaks give the
proposal queries, also at inference.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SemanticHead(nn.Module):
    """Class logits of every feature voxel, from its features and their difference from the liver's mean.

    With `liver_context` a first 1x1 layer segments the liver, and each voxel is also described by its
    difference from the mean liver feature: radiologists assess lesions relative to the parenchyma.

    Args:
        width: E, width of the pixel features.
        classes: C, number of classes.
        liver_context: also describe voxels relative to the liver.
    """

    def __init__(self, width: int, classes: int, *, liver_context: bool) -> None:
        super().__init__()
        self.liver = nn.Conv3d(width, 1, 1) if liver_context else None
        described = 2 * width if liver_context else width
        self.descriptor_dim = described + classes
        hidden = nn.Sequential(nn.Conv3d(described, 2 * width, 1), nn.LeakyReLU(0.01, inplace=True))
        self.classify = nn.Sequential(hidden, nn.Conv3d(2 * width, classes, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Classify pixel features (B, E, x, y, z).

        Returns:
            Class logits (B, C, x, y, z), float32; descriptors (B, W, x, y, z): the pixel features, their
            difference from the liver's mean if `liver_context` is True, then the class probabilities; liver
            logits (B, 1, x, y, z), None without `liver_context`.
        """
        liver: Tensor | None = None
        if self.liver is not None:
            liver = self.liver(pixels)
            weight = liver.sigmoid()
            mean = (pixels * weight).sum((2, 3, 4), keepdim=True) / (
                weight.sum((2, 3, 4), keepdim=True) + 1e-3
            )
            pixels = torch.cat([pixels, pixels - mean], dim=1)
        logits = self.classify(pixels).float()  # float32 keeps nearly equal logits distinct
        probabilities = logits.softmax(dim=1).to(pixels.dtype)
        return logits, torch.cat([pixels, probabilities], dim=1), liver
