"""Sample the points at which mask logits are computed and compared, instead of the whole volume.

Uncertain points are drawn as in PointRend and Mask2Former; the points inside the target are PLAN's
foreground-enhanced sampling, which ensures that small lesions receive points (section 2.2).
Points are voxel centres of the network's grid, given as flat indices, so that the truth needs no
interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def interpolate_at_voxels(features: Tensor, index: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate a feature grid trilinearly at voxel centres of the network's grid.

    Args:
        features: (B, E, x, y, z).
        index: (B, N) flat indices into a grid of `shape` (X, Y, Z).
        shape: of the network's grid.

    Returns:
        (B, E, N), the same as up-sampling `features` to `shape` (align_corners=False) and indexing.
    """
    _, y, z = shape
    positions = torch.stack([index // (y * z), index // z % y, index % z], dim=-1)  # (B, N, 3)
    size = torch.tensor(list(shape), device=index.device, dtype=features.dtype)
    unit = (positions + 0.5) / size * 2.0 - 1.0
    grid = unit.flip(-1)[:, :, None, None]  # grid_sample takes (z, y, x)
    return F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)[
        ..., 0, 0
    ]


def interpolate_sample(features: Tensor, index: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate one sample, (E, x, y, z) and (N,) -> (E, N), as `interpolate_at_voxels` does, but faster.

    Each corner of a point's cell is read, and its gradient written, as one contiguous row of channels;
    grid_sample accesses a different memory location for each channel.
    """
    dtype = torch.promote_types(features.dtype, torch.float32)
    _, y, z = shape
    rows = index.new_zeros((len(index), 1))
    weights = rows.new_ones((len(index), 1), dtype=dtype)
    positions = (index // (y * z), index // z % y, index % z)
    for position, size, cells in zip(positions, shape, features.shape[1:], strict=True):  # 1, 2, 4, 8 corners
        ends, shares = _neighbours(size, cells, dtype, index.device)
        rows = (rows[:, :, None] * cells + ends[position][:, None]).flatten(1)
        weights = (weights[:, :, None] * shares[position][:, None]).flatten(1)
    table = features.to(dtype).flatten(1).T.contiguous()
    return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum").T


def _neighbours(size: int, cells: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the two neighbouring cells of each voxel along an axis and their weights, (size, 2) each."""
    position = (torch.arange(size, dtype=dtype, device=device) + 0.5) * (cells / size) - 0.5
    position = position.clamp(0, cells - 1)
    low = position.long()
    share = position - low
    return torch.stack([low, (low + 1).clamp(max=cells - 1)], 1), torch.stack([1.0 - share, share], 1)


def draw_points(voxels: int, count: int, device: torch.device) -> Tensor:
    """Draw (count,) flat indices of `voxels` voxels uniformly with replacement."""
    return torch.randint(voxels, (count,), device=device)


def draw_voxels(mask: Tensor, count: int) -> Tensor:
    """Draw (count,) flat indices with replacement from the true voxels of a mask that is not empty."""
    inside = find_true_voxels(mask)
    return inside[torch.randint(inside.shape[0], (count,), device=inside.device)]


def find_true_voxels(mask: Tensor) -> Tensor:
    """Return the flat indices of the true voxels in ascending order, skipping empty blocks of eight."""
    flat = mask.flatten()
    if len(flat) % 8 or flat.storage_offset() % 8:
        return flat.nonzero()[:, 0]
    blocks = flat.view(torch.int64).nonzero()[:, 0]
    row, column = flat.view(-1, 8)[blocks].nonzero().unbind(1)
    return blocks[row] * 8 + column


def find_lesion_shell(instances: Tensor, width: int) -> Tensor:
    """Mask the voxels outside of lesions within `width` voxels of one: (X, Y, Z) ids -> (X, Y, Z) bool."""
    lesion = instances > 0
    grown = lesion.clone()
    for axis, size in enumerate(grown.shape):  # dilation by a cube is separable
        line = grown.clone()
        for offset in range(1, min(width, size - 1) + 1):
            grown.narrow(axis, offset, size - offset).bitwise_or_(line.narrow(axis, 0, size - offset))
            grown.narrow(axis, 0, size - offset).bitwise_or_(line.narrow(axis, offset, size - offset))
    return grown & ~lesion


def select_most_uncertain(logits: Tensor, count: int) -> Tensor:
    """Select the (T, count) indices of the mask logits (T, N) closest to 0, in any order."""
    return logits.abs().topk(count, dim=1, largest=False, sorted=False).indices
