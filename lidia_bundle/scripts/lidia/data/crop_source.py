"""Sources of training crops: the protocol, and a cached case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from scripts.lidia.vocabulary import FIRST_LESION, IGNORED

AIR = -1.0
"""Value of air in the network's input."""


class CropSource(Protocol):
    """A case from which crops are cut.

    Attributes:
        shape: voxels along X, Y, Z.
        centres: (N, 5) x, y, z, class, instance of voxels that crops may contain.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""

    @property
    def centres(self) -> NDArray[np.int16]:
        """Voxels that crops may contain."""

    def cut(self, low: Sequence[int], high: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cuts a box within the case: image float32 (4, X, Y, Z), label int16 (2, X, Y, Z), both copies."""

    def halve(self) -> CropSource:
        """Returns the case on a grid of twice the spacing, as the coarse pass of the inference sees it."""


class CachedSource(NamedTuple):
    """A cached case.

    Attributes:
        image: (4, X, Y, Z), NaN for an absent phase.
        label: int16 (2, X, Y, Z).
        centres: see `CropSource`.
    """

    image: torch.Tensor
    label: torch.Tensor
    centres: NDArray[np.int16]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along X, Y, Z."""
        return tuple(self.image.shape[1:])

    def cut(self, low: Sequence[int], high: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cuts a box; the copies let later transforms write into the crop and not into the cached case."""
        box = (slice(None), *(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)))
        return self.image[box].to(torch.float32, copy=True), self.label[box].clone()

    def halve(self) -> CachedSource:
        """Averages the image over blocks of 2 x 2 x 2 voxels and takes one voxel of each block's label."""
        half = [size // 2 for size in self.shape]
        label = self.label[(slice(None), *(slice(0, 2 * n, 2) for n in half))]
        centres = self.centres.copy()
        centres[:, :3] = np.minimum(centres[:, :3] // 2, np.array(half, np.int16) - 1)
        return CachedSource(F.avg_pool3d(self.image.float(), 2), label, centres)


def cut_padded(
    source: CropSource, start: Sequence[int], stop: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cuts a box that may reach beyond the case: air where a phase is present, NaN where it is absent.

    Returns:
        image float32 (4, X, Y, Z) and label int16 (2, X, Y, Z).
    """
    first, last = np.asarray(start), np.asarray(stop)
    low, high = np.clip(first, 0, source.shape), np.clip(last, 0, source.shape)
    size = (last - first).tolist()
    if (low >= high).any():
        # a box beside the case: air in the phases that the case has
        corner, _ = source.cut((0, 0, 0), (1, 1, 1))
        absent = torch.isnan(corner)
        image = torch.where(absent, torch.nan, AIR).expand(-1, *size).contiguous()
        return image, torch.zeros((2, *size), dtype=torch.int16)
    image, label = source.cut(low.tolist(), high.tolist())
    if (low == first).all() and (high == last).all():
        return image, label
    absent = torch.isnan(image[:, :1, :1, :1])
    padded = torch.where(absent, torch.nan, AIR).expand(-1, *size).contiguous()
    padded_label = torch.zeros((len(label), *size), dtype=label.dtype)
    ends = zip((low - first).tolist(), (high - first).tolist(), strict=True)
    inner = (slice(None), *(slice(a, b) for a, b in ends))
    padded[inner], padded_label[inner] = image, label
    return padded, padded_label


def ignore_small_lesions(label: torch.Tensor, min_voxels: int) -> torch.Tensor:
    """Sets lesions of fewer than `min_voxels` in a label (2, X, Y, Z) to ignored, in place."""
    instances = label[1].long()
    counts = torch.bincount(instances.flatten())
    small = (counts < min_voxels)[instances] & (label[0] >= FIRST_LESION)
    label[0][small], label[1][small] = IGNORED, 0
    return label
