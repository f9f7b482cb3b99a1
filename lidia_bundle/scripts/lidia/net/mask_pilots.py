"""Create mask-piloted queries from noised true masks, in training only (MP-Former, Zhang et al. 2023).

These queries learn the classes from the first step on, before the other queries localise lesions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.lidia.net.blocks import compute_voxel_positions
from scripts.lidia.vocabulary import IGNORED


def make_pilot_masks(
    target: Tensor, stride: int, *, limit: int = 12, shift: int = 1, drop: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Compute noised lesion masks on the feature grid.

    Args:
        target: (B, 2, X, Y, Z) class map and instance map.
        stride: network voxels per feature voxel.
        limit: maximum number of lesions per sample; the largest are used.
        shift: maximum random shift of a mask along each axis, in feature voxels.
        drop: fraction of the mask voxels that is set to 0.

    Returns:
        masks (B, T, x, y, z) in 0..1 and instance ids (B, T), 0 for padding; T is the largest number in the
        batch.
    """
    masks: list[list[Tensor]] = []
    ids: list[list[int]] = []
    for classes, instances in zip(target[:, 0], target[:, 1], strict=True):
        ids_present, counts = instances[(instances > 0) & (classes > IGNORED)].unique(return_counts=True)
        chosen = ids_present[counts.argsort(descending=True)][:limit].tolist()
        masks.append([F.max_pool3d((instances == k)[None].float(), stride)[0] for k in chosen])
        ids.append([int(k) for k in chosen])
    max_count = max(len(row) for row in ids)
    x, y, z = (n // stride for n in target.shape[2:])
    stack = target.new_zeros((len(ids), max_count, x, y, z), dtype=torch.float32)
    number = torch.zeros((len(ids), max_count), dtype=torch.long, device=target.device)
    for b, row in enumerate(masks):
        for t, mask in enumerate(row):
            shifts = torch.randint(-shift, shift + 1, (3,)).tolist()
            kept = mask.roll(shifts, dims=(0, 1, 2)) * (torch.rand(mask.shape) > drop).to(mask)
            stack[b, t] = kept if bool(kept.any()) else mask
            number[b, t] = ids[b][t]
    return stack, number


def pool_under_masks(descriptors: Tensor, masks: Tensor, stem_stride: int) -> tuple[Tensor, Tensor]:
    """Compute the mean descriptor and mean position under each mask; they define the pilot queries.

    Args:
        descriptors: (B, W, x, y, z).
        masks: (B, T, x, y, z) in 0..1; an empty mask gives 0.
        stem_stride: voxels of the network's grid in one feature voxel.

    Returns:
        descriptors (B, T, W) and centres (B, T, 3) in network voxels from the window's centre.
    """
    x, y, z = masks.shape[2:]
    weight = masks.flatten(2)
    weight = weight / weight.sum(dim=2, keepdim=True).clamp(min=1.0)
    pooled = (descriptors.flatten(2) @ weight.transpose(1, 2)).transpose(1, 2)
    centres = (weight @ compute_voxel_positions(x, y, z, stem_stride, masks.device)).float()
    return pooled, centres
