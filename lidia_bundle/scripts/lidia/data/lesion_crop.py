"""Crops training patches from the cached case, before any other transform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from monai.transforms import Randomizable, Transform

from scripts.lidia.data.crop_source import CachedSource, CropSource, cut_padded, ignore_small_lesions
from scripts.lidia.data.deformation import RandDeformation, sample_positions
from scripts.lidia.vocabulary import BACKGROUND, FIRST_LESION, LIVER

MIN_COARSE_VOXELS = 4
"""Voxels of the smallest lesion that a crop at twice the spacing teaches; smaller ones are ignored."""
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
        deformation: turns, scales, shears and bends crops; None leaves them as they are.
        coarse_prob: share of crops at twice the spacing, as the coarse pass of the inference sees the body.
    """

    def __init__(
        self,
        size: Sequence[int] = (80, 80, 32),
        samples: int = 1,
        lesion_share: float = 0.75,
        liver_share: float = 0.7,
        jitter: float = 0.7,
        deformation: RandDeformation | None = None,
        coarse_prob: float = 0.0,
    ) -> None:
        self._state = torch.zeros(4, dtype=torch.int64).share_memory_()
        self.size = tuple(size)
        self.samples = samples
        self.lesion_share = lesion_share
        self.liver_share = liver_share
        self.jitter = jitter
        self.deformation = deformation
        self.coarse_prob = coarse_prob

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

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Self:
        """Seeds the crops and their deformation."""
        super().set_random_state(seed, state)
        if self.deformation is not None:
            self.deformation.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        """Crops a case to `image` float32 (4, X, Y, Z) and `label` int16 (2, X, Y, Z).

        Args:
            data: `source`, a CropSource; or `image` and `label` of the case, with `landmarks` (see
                `find_crop_centres`) or without.
        """
        rest = {k: v for k, v in data.items() if k not in ("image", "label", "landmarks", "source")}
        source = data["source"] if "source" in data else _make_source(data)
        crops = [{**rest, **self._crop(source)} for _ in range(self.samples)]
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

    def _crop(self, source: CropSource) -> dict[str, torch.Tensor]:
        is_coarse = self.coarse_prob > 0 and self.R.random_sample() < self.coarse_prob
        if is_coarse:
            source = source.halve()
        size, shape = np.asarray(self.size), np.asarray(source.shape)
        half = size * self.jitter / 2
        start = np.rint(
            self.draw_voxel(source.centres) + self.R.uniform(-half, half) - (size - 1) / 2
        ).astype(np.int64)
        # inside the volume if it is large enough, else the whole volume, centred
        start = np.where(shape > size, np.clip(start, 0, np.maximum(shape - size, 0)), -((size - shape) // 2))
        positions = None if self.deformation is None else self.deformation.draw(self.size)
        if positions is None:
            image, label = cut_padded(source, start.tolist(), (start + size).tolist())
        else:
            positions += torch.as_tensor(start + (size - 1) / 2, dtype=torch.float32)[:, None, None, None]
            flat = positions.reshape(3, -1)
            low, high = flat.amin(1).floor().long(), flat.amax(1).ceil().long() + 1
            around, around_label = cut_padded(source, low.tolist(), high.tolist())
            offset = low[:, None, None, None]
            image, label = sample_positions(around, around_label, positions - offset)
        return {
            "image": image,
            "label": ignore_small_lesions(label, MIN_COARSE_VOXELS) if is_coarse else label,
        }


def _make_source(data: Mapping[str, Any]) -> CachedSource:
    image, label, marks = (
        torch.as_tensor(data["image"]),
        torch.as_tensor(data["label"]),
        data.get("landmarks"),
    )
    return CachedSource(image, label, (find_crop_centres(label) if marks is None else marks).numpy())
