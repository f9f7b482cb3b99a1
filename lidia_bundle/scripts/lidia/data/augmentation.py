"""Augments training crops: missing phases, shifts between phases, intensity, flips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, EnsureTyped, RandFlipd, Randomizable, RandomizableTransform, Transform

from scripts.lidia.data.lesion_crop import CropLesions
from scripts.lidia.data.scanner_variation import RandScanner
from scripts.lidia.vocabulary import GRID_ORDER, PHASES


def augmentation(
    *,
    crop: CropLesions | Sequence[int] = (80, 80, 32),
    samples: int = 1,
    lesion_share: float = 0.75,
    shift: float = 0.4,
    gain: float = 0.05,
    offset: float = 0.012,
    gamma: float = 0.02,
    noise: float = 0.015,
    flips: bool = True,
    lose: Mapping[str, float] | None = None,
    random_subset_prob: float = 0.06,
    other_scanner: float = 0.2,
    extra: Sequence[Transform] = (),
) -> Compose:
    """Builds the random transform from a cached case to training crops.

    Args:
        crop: size of a crop in voxels, or a CropLesions that a handler adjusts (`samples` and
            `lesion_share` are then those of the CropLesions).
        samples: crops per visit of a case.
        lesion_share: share of crops that hold a lesion.
        shift: largest shift of a phase against the reference phase, in voxels per axis.
        gain: largest relative change of contrast.
        offset: SD of the change of brightness, in units of the window's half width.
        gamma: largest relative change of the exponent.
        noise: largest SD of added noise, in units of the window's half width.
        flips: mirror at random along all three axes.
        lose: probability of dropping a phase, by phase; if None 0.15 for delayed and 0.05 for others.
        random_subset_prob: probability that a uniformly drawn non-empty subset is kept instead.
        other_scanner: share of crops with the appearance of another scanner (domain randomisation).
        extra: more dictionary transforms of `image` and `label`, applied last. A dropped phase is NaN there.

    Returns:
        A Compose that turns `image` (4, X, Y, Z) into float32 crops and `label` (2, X, Y, Z) into theirs.
    """
    cutter = crop if isinstance(crop, CropLesions) else CropLesions(crop, samples, lesion_share)
    steps: list[Transform] = [
        cutter,
        DropPhases(lose, random_subset_prob),
        ShiftPhases(shift),
        JitterIntensity(gain, offset, gamma, noise),
        RandScanner(other_scanner),
    ]
    if flips:
        steps += [RandFlipd(("image", "label"), prob=0.5, spatial_axis=axis) for axis in range(3)]
    # plain tensors: these transforms are never inverted
    return Compose([*steps, *extra, EnsureTyped(("image", "label"), track_meta=False)])


class DropPhases(Randomizable, Transform):
    """Drops phases at random, so that every non-empty subset is trained; a dropped phase is NaN.

    Args:
        lose: probability per item of dropping a phase, by phase.
        random_subset_prob: probability of drawing uniformly from all non-empty subsets of the present phases.
    """

    def __init__(self, lose: Mapping[str, float] | None = None, random_subset_prob: float = 0.06) -> None:
        chances = {"nc": 0.05, "arterial": 0.05, "venous": 0.05, "delayed": 0.15} if lose is None else lose
        unknown = set(chances) - set(PHASES)
        if unknown:
            raise ValueError(f"unknown phases {sorted(unknown)}: the phases are {PHASES}")
        self.lose = [float(chances.get(phase, 0.0)) for phase in PHASES]
        self.random_subset_prob = random_subset_prob

    def choose_phases(self, present: Sequence[int]) -> list[int]:
        """Draws the channels that are kept, at least one of those present."""
        if self.R.random_sample() < self.random_subset_prob:
            bits = self.R.randint(1, 2 ** len(present))
            return [channel for bit, channel in enumerate(present) if bits >> bit & 1]
        draws = self.R.random_sample(len(present))
        channels = [c for c, draw in zip(present, draws, strict=True) if draw >= self.lose[c]]
        return channels or list(present)

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Drops phases of `image` (4, X, Y, Z)."""
        item = dict(data)
        image = item["image"]
        # one voxel is enough: a present phase holds no NaN
        present = torch.nonzero(~torch.isnan(image[:, 0, 0, 0])).flatten().tolist()
        channels = self.choose_phases(present)
        for channel in set(present) - set(channels):
            image[channel] = torch.nan
        return item


class ShiftPhases(Randomizable, Transform):
    """Shifts phases independently by up to one voxel, like residual registration and breathing errors.

    The label and its phase (the first present in `GRID_ORDER`) are not shifted.

    Args:
        shift: largest shift in voxels along each axis (linear interpolation, edges repeated).
        prob: share of the other phases that are shifted.
    """

    def __init__(self, shift: float = 0.4, prob: float = 0.5) -> None:
        if not 0 <= shift <= 1:
            raise ValueError(f"shift {shift} must lie between 0 and 1 voxel")
        self.shift = shift
        self.prob = prob

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Shifts phases of `image` (4, X, Y, Z)."""
        item = dict(data)
        image = item["image"]
        order = [PHASES.index(phase) for phase in GRID_ORDER]
        present = [channel for channel in order if not torch.isnan(image[channel, 0, 0, 0])]
        for channel in present[1:]:
            move = self.R.uniform(-self.shift, self.shift, 3)
            if self.R.random_sample() < self.prob:
                image[channel] = shift_volume(image[channel], move)
        return item


def shift_volume(volume: torch.Tensor, voxels: Sequence[float]) -> torch.Tensor:
    """Shifts a volume (X, Y, Z) by up to one voxel per axis, with linear interpolation and repeated edges."""
    for axis, step in enumerate(voxels):
        last = volume.shape[axis] - 1
        if last < 1 or step == 0:
            continue
        edge, inner = (0, slice(0, last)) if step > 0 else (last, slice(1, None))
        beside = [volume.narrow(axis, edge, 1), volume[(slice(None),) * axis + (inner,)]]
        neighbour = torch.cat(beside if step > 0 else beside[::-1], dim=axis)
        volume = torch.lerp(volume, neighbour, abs(float(step)))
    return volume


class JitterIntensity(RandomizableTransform):
    """Changes contrast, brightness, gamma and noise of a crop.

    All phases share one draw, because washout is defined by their differences.
    MONAI's transforms are not used, because they do not handle the NaN of an absent phase.

    Args:
        gain: largest relative change of contrast.
        offset: SD of the change of brightness.
        gamma: largest relative change of the exponent.
        noise: largest SD of added noise.
        prob: share of crops that are changed.
    """

    def __init__(
        self,
        gain: float = 0.05,
        offset: float = 0.012,
        gamma: float = 0.02,
        noise: float = 0.015,
        prob: float = 0.9,
    ) -> None:
        RandomizableTransform.__init__(self, prob)
        self.gain, self.offset, self.gamma, self.noise = gain, offset, gamma, noise

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Changes `image` (4, X, Y, Z); NaN stays NaN."""
        item = dict(data)
        self.randomize(None)
        gain = 1 + self.R.uniform(-self.gain, self.gain)
        offset = np.clip(self.R.normal(), -2.5, 2.5) * self.offset
        power = 1 + self.R.uniform(-self.gamma, self.gamma)
        apply_gamma, add_noise = self.R.random_sample(2) < 0.3
        deviation = self.R.uniform(0, self.noise)
        # torch draws ten times faster than numpy's RandomState; its seed comes from MONAI's, so that it is
        # repeatable
        source = torch.Generator().manual_seed(int(self.R.randint(2**31 - 1)))
        if not self._do_transform:
            return item
        image = item["image"].mul_(gain).add_(offset)
        if apply_gamma and self.gamma:
            image = image.add_(1).div_(2).clamp_(min=0).pow_(power).mul_(2).sub_(1)
        if add_noise and deviation:
            image = image.add_(torch.randn(image.shape, generator=source), alpha=float(deviation))
        item["image"] = image
        return item
