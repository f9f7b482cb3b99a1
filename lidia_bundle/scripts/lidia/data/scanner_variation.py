"""Randomises the scanner appearance of training crops (domain randomisation).

In real CT contrast, level, noise and resolution vary far more than in the phantom. All phases share one draw,
because washout is defined by their differences.
"""

from __future__ import annotations

from typing import Any

import torch

from scripts.lidia.data.random_change import RandomChange


class RandScanner(RandomChange):
    """Simulates thick slices or a soft kernel, another contrast and level, and coarser or stronger noise.

    Args:
        prob: share of crops that are changed.
        gain: largest relative change of contrast.
        offset: largest change of level, in units of the window's half width.
        noise: largest SD of added noise, in units of the window's half width.
    """

    def __init__(
        self, prob: float = 0.0, gain: float = 0.15, offset: float = 0.06, noise: float = 0.08
    ) -> None:
        super().__init__(prob)
        self.gain, self.offset, self.noise = gain, offset, noise

    def change(self, item: dict[str, Any]) -> None:
        """Changes `image` (4, X, Y, Z); NaN stays NaN."""
        image = item["image"]
        if self.R.random_sample() < 0.6:
            image = blur(image, int(self.R.randint(3)), float(self.R.uniform(0.2, 1.0)))
        if self.R.random_sample() < 0.6:
            source = torch.Generator().manual_seed(int(self.R.randint(2**31 - 1)))
            grain = torch.randn(image.shape, generator=source)
            if self.R.random_sample() < 0.5:
                grain = blur(grain, int(self.R.randint(3)), 1.0)
            image = image + grain * float(self.R.uniform(0, self.noise))
        gain, level = 1 + self.R.uniform(-self.gain, self.gain), self.R.uniform(-self.offset, self.offset)
        item["image"] = image * float(gain) + float(level)


def blur(volume: torch.Tensor, axis: int, strength: float) -> torch.Tensor:
    """Mixes a volume (C, X, Y, Z) with its mean over three voxels along one axis."""
    return torch.lerp(volume, average_neighbours(volume, axis), strength)


def average_neighbours(volume: torch.Tensor, axis: int) -> torch.Tensor:
    """Averages a volume (C, X, Y, Z) over three voxels along one axis; edges are repeated."""
    side, last = 1 + axis, volume.shape[1 + axis] - 1
    if last == 0:
        return volume.clone()
    total = volume.clone()
    total.narrow(side, 1, last).add_(volume.narrow(side, 0, last))
    total.narrow(side, 0, last).add_(volume.narrow(side, 1, last))
    for edge in (0, last):
        total.narrow(side, edge, 1).add_(volume.narrow(side, edge, 1))
    return total.div_(3)
