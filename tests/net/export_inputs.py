"""Inputs of the tests of exported networks: subsets of phases and sizes."""

from __future__ import annotations

from itertools import combinations

import torch

SUBSETS = [subset for count in range(1, 5) for subset in combinations(range(4), count)]
SIZES = [(32, 32, 32), (48, 32, 64), (64, 80, 32)]


def with_phases(image: torch.Tensor, subset: tuple[int, ...]) -> torch.Tensor:
    image = image.clone()
    image[:, [p for p in range(4) if p not in subset]] = torch.nan
    return image


def noise(size: tuple[int, ...], batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 4, *size) * 2 - 1
