"""Varies how a training crop was scanned: slice thickness, kernel, field of view and oral contrast medium.

The transforms work on dictionaries with `image` (4, X, Y, Z), NaN for an absent phase, and `label` (2, X, Y,
Z). They are meant for `augmentation(extra=...)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from scripts.lidia.data.crop_source import AIR
from scripts.lidia.data.random_change import RandomChange
from scripts.lidia.data.scanner_variation import average_neighbours
from scripts.lidia.vocabulary import BACKGROUND

FLUID_HU = (3.0, 35.0)
"""HU of the content of stomach and bowel."""


class RandSliceThickness(RandomChange):
    """Simulates slices of a drawn thickness: averages along Z, then linear interpolation between slices.

    Args:
        prob: share of crops that are changed.
        thickness_mm: range of the thickness, drawn uniformly; also the distance of the slices.
        spacing_mm: mm per voxel along Z.
        per_phase_prob: share of the changed crops whose phases have different thicknesses.
    """

    def __init__(
        self,
        prob: float = 0.3,
        thickness_mm: Sequence[float] = (3.0, 10.0),
        spacing_mm: float = 2.5,
        per_phase_prob: float = 0.3,
    ) -> None:
        super().__init__(prob)
        self.thickness_mm, self.spacing_mm, self.per_phase_prob = thickness_mm, spacing_mm, per_phase_prob

    def change(self, item: dict[str, Any]) -> None:
        """Changes `image`."""
        image = item["image"]
        draws = len(image) if self.R.random_sample() < self.per_phase_prob else 1
        matrices = [self.draw_matrix(image.shape[-1]) for _ in range(draws)]
        stacked = torch.stack(matrices)  # (1 or C, Z, Z)
        item["image"] = torch.einsum("cxyz,cwz->cxyw", image, stacked.expand(len(image), -1, -1))

    def draw_matrix(self, size: int) -> torch.Tensor:
        """Draws the (Z, Z) matrix that averages and interpolates along Z; its rows sum to 1."""
        thickness = self.R.uniform(*self.thickness_mm) / self.spacing_mm
        first = self.R.uniform(-thickness / 2, thickness / 2)
        centres = np.arange(first, size - 1 + thickness, thickness)
        voxels = np.arange(size)
        # a slice averages over its thickness; the overlap with each voxel is its weight
        half = thickness / 2
        overlap = np.minimum(voxels + 0.5, centres[:, None] + half) - np.maximum(
            voxels - 0.5, centres[:, None] - half
        )
        weights = np.clip(overlap, 0, None)
        inside = weights.sum(1) > 0
        centres, weights = centres[inside], weights[inside]
        weights /= weights.sum(1, keepdims=True)
        at = np.interp(voxels, centres, np.arange(len(centres)))
        low = np.minimum(at.astype(int), len(centres) - 1)
        high = np.minimum(low + 1, len(centres) - 1)
        share = (at - low)[:, None]
        matrix = (1 - share) * weights[low] + share * weights[high]
        return torch.as_tensor(matrix, dtype=torch.float32)


class RandKernel(RandomChange):
    """Simulates a sharp kernel by amplifying the difference from the mean over 3 x 3 voxels of a slice.

    Args:
        prob: share of crops that are changed.
        amount: largest factor on the difference.
    """

    def __init__(self, prob: float = 0.15, amount: float = 0.8) -> None:
        super().__init__(prob)
        self.amount = amount

    def change(self, item: dict[str, Any]) -> None:
        """Changes `image`."""
        image = item["image"]
        mean = average_neighbours(average_neighbours(image, 0), 1)
        item["image"] = image + (image - mean) * float(self.R.uniform(0, self.amount))


class RandFieldOfView(RandomChange):
    """Ends the scan within the crop: beyond a plane across one axis are air and background.

    Args:
        prob: share of crops that are changed.
        depth: largest share of the crop that is cut.
    """

    def __init__(self, prob: float = 0.15, depth: float = 0.4) -> None:
        super().__init__(prob)
        self.depth = depth

    def change(self, item: dict[str, Any]) -> None:
        """Changes `image` and `label`."""
        image, label = item["image"], item["label"]
        axis = int(self.R.randint(3))
        size = image.shape[1 + axis]
        cut = int(self.R.uniform(0, self.depth) * size)
        start = 0 if self.R.random_sample() < 0.5 else size - cut
        beyond = image.narrow(1 + axis, start, cut)
        beyond.copy_(torch.where(torch.isnan(beyond), torch.nan, AIR))
        label.narrow(1 + axis, start, cut).zero_()


class RandOralContrast(RandomChange):
    """Fills fluid outside the liver with oral contrast medium, in all phases alike.

    Fluid is what has `FLUID_HU` in the mean over 3 x 3 x 3 voxels of the first phase that is present, where
    a smooth random field is positive; stomach, bowel, gallbladder and bladder are not distinguished.

    Args:
        prob: share of crops that are changed.
        hu: range of the HU that are added.
        window: HU that are -1 and 1 in `image`.
    """

    def __init__(
        self,
        prob: float = 0.15,
        hu: Sequence[float] = (60.0, 350.0),
        window: Sequence[float] = (-200.0, 400.0),
    ) -> None:
        super().__init__(prob)
        self.hu, self.window = hu, window

    def change(self, item: dict[str, Any]) -> None:
        """Changes `image`."""
        image, label = item["image"], item["label"]
        per_hu = 2 / (self.window[1] - self.window[0])
        low, high = ((hu - self.window[0]) * per_hu - 1 for hu in FLUID_HU)
        present = image[~torch.isnan(image[:, 0, 0, 0])]
        mean = F.avg_pool3d(present[:1], 3, stride=1, padding=1, count_include_pad=False)[0]
        control = torch.as_tensor(self.R.normal(size=(1, 1, 3, 3, 3)), dtype=torch.float32)
        field = F.interpolate(control, size=mean.shape, mode="trilinear", align_corners=True)[0, 0]
        fluid = (mean > low) & (mean < high) & (label[0] == BACKGROUND) & (field > 0)
        share = F.avg_pool3d(fluid[None].float(), 3, stride=1, padding=1)
        item["image"] = (image + share * float(self.R.uniform(*self.hu) * per_hu)).clamp(-1, 1)
