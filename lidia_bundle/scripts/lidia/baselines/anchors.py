"""Anchor queries (PLAN, Yan et al. 2023): one query for each lesion that the semantic head suspects."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scripts.lidia.components import join_components
from scripts.lidia.vocabulary import FIRST_LESION


def suspected_lesions(
    probabilities: Tensor, *, count: int, threshold: float = 0.1, smallest: float = 1.0
) -> Tensor:
    """Components (26 neighbours) of the summed lesion probability, the largest first.

    Args:
        probabilities: (B, C, x, y, z) of the semantic head.
        count: at most so many a sample.
        threshold: a voxel above it is suspected.
        smallest: voxels that a component has at least.

    Returns:
        (B, x, y, z) component numbers 1..count from the largest to the smallest, 0 elsewhere.
    """
    suspected = probabilities[:, FIRST_LESION:].sum(dim=1) > threshold
    samples = []
    for mask in suspected:
        parts = join_components(mask)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        order = np.argsort(-sizes, kind="stable")[:count]
        order = order[sizes[order] >= max(smallest, 1.0)]
        names = np.zeros(len(sizes), np.int64)
        names[order] = np.arange(1, len(order) + 1)
        samples.append(torch.from_numpy(names[parts]))
    return torch.stack(samples).to(probabilities.device)


def component_means(values: Tensor, parts: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Means of voxel values over each component.

    Args:
        values: (B, W, N) voxel values.
        parts: (B, N) component numbers 0..count.
        count: of components.

    Returns:
        (B, count, W), 0 where there is no such component, and (B, count) bool: which are there.
    """
    values = values.float()  # sums over many voxels, in half precision too
    b, w, _ = values.shape
    slots = parts + torch.arange(b, device=parts.device)[:, None] * (count + 1)
    sums = values.new_zeros((b * (count + 1), w)).index_add(0, slots.flatten(), values.mT.flatten(0, 1))
    voxels = torch.bincount(slots.flatten(), minlength=b * (count + 1)).unflatten(0, (b, count + 1))[:, 1:]
    means = sums.unflatten(0, (b, count + 1))[:, 1:] / voxels.clamp(min=1)[..., None]
    return means, voxels > 0
