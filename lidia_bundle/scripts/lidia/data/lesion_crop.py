"""Crops training patches from the cached case, before any other transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

from scripts.lidia.vocabulary import BACKGROUND, FIRST_LESION, LIVER

POINTS_PER_LESION = 64
"""Voxels sampled per instance; 16 times as many of liver and of background."""


def find_crop_centres(label: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Samples voxels of every lesion, liver and background, so that cropping needs no search of the label.

    Args:
        label: (2, X, Y, Z), class and instance.
        seed: seed of the draw.

    Returns:
        int16 (N, 5): x, y, z, class, instance. Ignored voxels are never sampled.
    """
    classes, instances = label[0].numpy(), label[1].numpy()
    random = np.random.default_rng(seed)
    rows = []
    for kind, count in ((BACKGROUND, POINTS_PER_LESION * 16), (LIVER, POINTS_PER_LESION * 16)):
        places = np.flatnonzero(classes == kind)
        rows.append(random.choice(places, min(count, len(places)), replace=False))
    lesion = np.flatnonzero(classes >= FIRST_LESION)
    owner = instances.reshape(-1)[lesion]
    for instance in np.unique(owner):
        places = lesion[owner == instance]
        rows.append(random.choice(places, min(POINTS_PER_LESION, len(places)), replace=False))
    flat = np.concatenate(rows)
    xyz = np.stack(np.unravel_index(flat, classes.shape), axis=1)
    more = np.stack([classes.reshape(-1)[flat], instances.reshape(-1)[flat]], axis=1)
    return torch.as_tensor(np.concatenate([xyz, more], axis=1).astype(np.int16))


class CropLesions(Randomizable, Transform):
    """Crops training patches, most with a lesion, whose class is drawn uniformly from those of the case.

    A handler may set `size` and `samples` between epochs. They live in shared memory, so that DataLoader
    workers see the change too, persistent ones included.

    Args:
        size: voxels of a crop along X, Y, Z.
        samples: crops per visit of a case; with more than one, a list of items is returned.
        lesion_share: share of crops around a lesion (in cases that have one).
        liver_share: of the other crops, the share around a liver voxel; the rest is at any position.
        jitter: largest offset of the drawn voxel from the crop's centre, as a share of half the crop.
    """

    def __init__(
        self,
        size: Sequence[int] = (64, 64, 48),
        samples: int = 1,
        lesion_share: float = 0.75,
        liver_share: float = 0.7,
        jitter: float = 0.7,
    ) -> None:
        self._state = torch.zeros(4, dtype=torch.int64).share_memory_()
        self.size = tuple(size)
        self.samples = samples
        self.lesion_share = lesion_share
        self.liver_share = liver_share
        self.jitter = jitter

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of a crop along X, Y, Z."""
        x, y, z = self._state[:3].tolist()
        return x, y, z

    @size.setter
    def size(self, value: Sequence[int]) -> None:
        if len(value) != 3 or min(value) < 1:
            raise ValueError(f"size {value} must be three positive numbers of voxels")
        self._state[:3] = torch.as_tensor([int(v) for v in value])

    @property
    def samples(self) -> int:
        """Crops per visit of a case."""
        return int(self._state[3])

    @samples.setter
    def samples(self, value: int) -> None:
        if value < 1:
            raise ValueError(f"samples {value} must be at least 1")
        self._state[3] = int(value)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        """Crops `image` (4, X, Y, Z) to float32 and `label` (2, X, Y, Z); removes `landmarks`."""
        rest = {k: v for k, v in data.items() if k not in ("image", "label", "landmarks")}
        marks = data.get("landmarks")
        marks = (find_crop_centres(torch.as_tensor(data["label"])) if marks is None else marks).numpy()
        crops = [{**rest, **self._crop(data["image"], data["label"], marks)} for _ in range(self.samples)]
        return crops[0] if len(crops) == 1 else crops

    def draw_voxel(self, marks: np.ndarray) -> np.ndarray:
        """Draws a voxel that the crop must contain.

        Args:
            marks: (N, 5), see `find_crop_centres`.

        Returns:
            x, y, z.
        """
        kinds = marks[:, 3]
        lesions = np.unique(kinds[kinds >= FIRST_LESION])
        if len(lesions) and self.R.random_sample() < self.lesion_share:
            candidates = marks[kinds == lesions[self.R.randint(len(lesions))]]
            names = np.unique(candidates[:, 4])
            candidates = candidates[candidates[:, 4] == names[self.R.randint(len(names))]]
        else:
            candidates = marks[kinds == LIVER] if self.R.random_sample() < self.liver_share else marks
            candidates = candidates if len(candidates) else marks
        return candidates[self.R.randint(len(candidates)), :3].astype(np.int64)

    def _crop(self, image: torch.Tensor, label: torch.Tensor, marks: np.ndarray) -> dict[str, torch.Tensor]:
        size, shape = np.asarray(self.size), np.asarray(image.shape[1:])
        half = size * self.jitter / 2
        start = np.rint(self.draw_voxel(marks) + self.R.uniform(-half, half) - (size - 1) / 2).astype(
            np.int64
        )
        # inside the volume if it is large enough, else the whole volume, centred
        start = np.where(shape > size, np.clip(start, 0, np.maximum(shape - size, 0)), -((size - shape) // 2))
        low, high = np.maximum(start, 0), np.minimum(start + size, shape)
        box = (slice(None), *(slice(int(a), int(b)) for a, b in zip(low, high, strict=True)))
        # a copy, so that later transforms write into the crop and not into the cached case
        part = torch.as_tensor(image)[box].to(torch.float32, copy=True)
        part_label = torch.as_tensor(label)[box]
        if tuple(part.shape[1:]) == tuple(size):
            return {"image": part, "label": part_label.clone()}
        # pad with air where a phase is present, with NaN where it is absent
        absent = torch.isnan(part[:, :1, :1, :1])
        padded = torch.where(absent, torch.nan, -1.0).expand(-1, *size.tolist()).contiguous()
        padded_label = torch.zeros((part_label.shape[0], *size.tolist()), dtype=part_label.dtype)
        inner = (
            slice(None),
            *(slice(int(a), int(b)) for a, b in zip(low - start, high - start, strict=True)),
        )
        padded[inner], padded_label[inner] = part, part_label
        return {"image": padded, "label": padded_label}
