"""Points at which masks are compared: mask logits are computed there only, never for the whole volume.

Uncertain points as in PointRend and Mask2Former; a share from inside the target is PLAN's foreground-enhanced
sampling, which keeps small lesions from being missed by all points (section 2.2).
Points are voxel centres of the network's grid, given as flat indices, so that truth is read without
interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def at_voxels(features: Tensor, index: Tensor, shape: Sequence[int]) -> Tensor:
    """Trilinear values of a feature grid at voxel centres of the network's grid.

    Args:
        features: (B, E, x, y, z).
        index: (B, N) flat indices into a grid of `shape` (X, Y, Z).
        shape: of the network's grid.

    Returns:
        (B, E, N), the same as up-sampling `features` to `shape` (align_corners=False) and indexing.
    """
    _, y, z = shape
    places = torch.stack([index // (y * z), index // z % y, index % z], dim=-1)  # (B, N, 3)
    size = torch.tensor(list(shape), device=index.device, dtype=features.dtype)
    unit = (places + 0.5) / size * 2.0 - 1.0
    grid = unit.flip(-1)[:, :, None, None]  # grid_sample takes (z, y, x)
    return F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)[
        ..., 0, 0
    ]


def uniform_points(voxels: int, count: int, device: torch.device) -> Tensor:
    """(count,) of `voxels` voxels, drawn with replacement."""
    return torch.randint(voxels, (count,), device=device)


def drawn_from(mask: Tensor, count: int) -> Tensor:
    """(count,) flat indices drawn with replacement from the true voxels of a mask that has some."""
    inside = mask.flatten().nonzero()[:, 0]
    return inside[torch.randint(inside.shape[0], (count,), device=inside.device)]


def lesion_shell(instances: Tensor, width: int) -> Tensor:
    """Voxels outside every lesion but within `width` voxels of one: (X, Y, Z) ids -> (X, Y, Z) bool."""
    lesion = (instances > 0)[None].float()
    grown = lesion
    for axis in range(3):  # a cube is three lines
        size, margin = [1, 1, 1], [0, 0, 0]
        size[axis], margin[axis] = 2 * width + 1, width
        grown = F.max_pool3d(grown, size, stride=1, padding=margin)
    return (grown > lesion)[0]


def most_uncertain(logits: Tensor, count: int) -> Tensor:
    """(T, N) mask logits -> (T, count) positions of those nearest to 0."""
    return logits.abs().topk(count, dim=1, largest=False).indices
