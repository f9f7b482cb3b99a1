"""Inference over a whole volume: the liver's box first, then overlapping windows, mirrored too if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import combinations
from math import gcd, prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.inferers import Inferer, SlidingWindowInferer

from scripts.lidia.components import bounding_box
from scripts.lidia.engine.half import has_bf16
from scripts.lidia.postprocess import liver_region, no_longer_than
from scripts.lidia.vocabulary import BACKGROUND

Network = Callable[..., torch.Tensor]


class WindowInferer(Inferer):
    """Finds the liver in a coarse pass, then looks at its box alone, in MONAI's sliding windows.

    The box is what training crops are cut from (the liver and a margin): instance norm's statistics stay what
    the network was trained with, and most of the body costs nothing. Outside the box all is background. Where
    the coarse pass finds too little to be a liver, a pass at full resolution finds the box; where that finds
    too little as well, the whole volume is the answer.

    Whatever pads, pads air: MONAI's own 0 is 100 HU under our window and looks like liver.

    Args:
        roi_size: voxels of a window along X, Y, Z. A volume of no more voxels is one window of its own
            shape, in steps of the sizes' greatest common divisor, which has to suit the network.
        overlap: share of a window that the next one covers again.
        sw_batch_size: windows a forward pass.
        tta: averages over mirror images along all subsets of the three axes, eight times the work.
        coarse: how many times coarser the first pass is; 0 leaves it out.
        margin_mm: of the box round liver and lesions, as training crops have it.
        spacing: mm of the network's grid along X, Y, Z.
        longest_mm: of a liver along each axis: whatever is longer is cut at its thinnest places first.
        least_ml: of a liver that a box is made of.
        bf16: runs the network in bfloat16 autocast: half the time on CPUs that have it, probabilities that
            differ by about 0.01 at most. Others run in float32.
        runtime: what the network is handed to before it looks at the box, see `runtime`; None is torch.
    """

    def __init__(
        self,
        *,
        roi_size: Sequence[int],
        overlap: float = 0.25,
        sw_batch_size: int = 1,
        tta: bool = False,
        coarse: int = 2,
        margin_mm: float = 20.0,
        spacing: Sequence[float] = (2.5, 2.5, 2.5),
        longest_mm: float = 300.0,
        least_ml: float = 300.0,
        bf16: bool = False,
        runtime: Callable[[Network], Network] | None = None,
    ) -> None:
        self.runtime = runtime
        self.roi_size = tuple(int(size) for size in roi_size)
        self.overlap, self.sw_batch_size, self.tta, self.bf16 = overlap, sw_batch_size, tta, bf16
        self.coarse, self.margin = coarse, np.ceil(margin_mm / np.asarray(spacing)).astype(int)
        self.spacing, self.longest_mm, self.least_ml = spacing, longest_mm, least_ml
        self.step = gcd(*self.roi_size)

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Probabilities (1, C, X, Y, Z) for an image (1, 4, X, Y, Z); a MetaTensor stays one.

        A network with a patient branch is asked for its scores too: they follow the C classes as channels.
        """
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        # The box is torch's whatever runs the rest: a last bit may move it, and instance norm sees all of it
        box = self.liver_box(image, network) if self.coarse else None
        network = network if self.runtime is None else self.runtime(network)
        network = getattr(network, "with_branch", network)
        if box is None:
            total = self.averaged(image, network, *args, **kwargs)
        else:
            x, y, z = box
            inside = self.averaged(image[:, :, x, y, z], network, *args, **kwargs)
            total = inside.new_zeros((*inside.shape[:2], *image.shape[2:]))
            total[:, BACKGROUND] = 1.0
            total[:, :, x, y, z] = inside
        return MetaTensor(total, meta=inputs.meta) if isinstance(inputs, MetaTensor) else total

    def liver_box(self, image: torch.Tensor, network: Network) -> list[slice] | None:
        """Box of liver and lesions with the margin, seen from afar if that will do; None without a liver."""
        shape = image.shape[2:]
        if image.shape[0] > 1 or min(shape) < 2 * self.coarse:
            return None
        for factor in sorted({self.coarse, 1}, reverse=True):
            box = self.seen_box(image, network, factor)
            if box is not None:
                return self.widened(box, shape)
        return None

    def seen_box(self, image: torch.Tensor, network: Network, factor: int) -> list[slice] | None:
        """Box of liver and lesions as seen so many times coarser; None where they are less than a liver."""
        spacing = [side * factor for side in self.spacing]
        seen = self.windows(F.avg_pool3d(image, factor), network)
        classes = seen[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
        region = no_longer_than(liver_region(classes, spacing, grow_mm=0.0), spacing, self.longest_mm)
        box = bounding_box(region)
        if box is None or region.sum() * prod(spacing) < self.least_ml * 1000:
            return None
        return [slice(side.start * factor, side.stop * factor) for side in box]

    def widened(self, box: Sequence[slice], shape: Sequence[int]) -> list[slice]:
        """A box with the margin, in steps that suit the network, within the volume."""
        low = np.array([side.start for side in box]) - self.margin
        high = np.array([side.stop for side in box]) + self.margin
        # rounded up into the body rather than padded with air
        more = -(high - low) % self.step
        low, high = low - more // 2, high + more - more // 2
        ends = zip(low.tolist(), high.tolist(), shape, strict=True)
        return [slice(max(a, 0), min(b, size)) for a, b, size in ends]

    def averaged(self, image: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The map of an image, over its mirror images too where `tta` says so."""
        total = self.windows(image, network, *args, **kwargs)
        if self.tta:
            for axes in (axes for count in (1, 2, 3) for axes in combinations((2, 3, 4), count)):
                total = total + self.windows(image.flip(axes), network, *args, **kwargs).flip(axes)
            total = total / 8.0
        return total

    def windows(self, image: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """MONAI's sliding windows: a single one where it has no more voxels than `roi_size`."""
        sides = [-(-size // self.step) * self.step for size in image.shape[2:]]
        if prod(sides) > prod(self.roi_size):
            sides = [min(roi, size) for roi, size in zip(self.roi_size, sides, strict=True)]
        if max(sides) == self.step:  # may be one voxel on the coarsest level, of which there is no variance
            sides[0] = min(self.roi_size[0], 2 * self.step)
        slide = SlidingWindowInferer(
            roi_size=sides,
            sw_batch_size=self.sw_batch_size,
            overlap=self.overlap,
            mode="gaussian",
            padding_mode="constant",
            cval=-1.0,
        )
        half = self.bf16 and has_bf16(image.device)
        with torch.autocast(image.device.type, dtype=torch.bfloat16) if half else nullcontext():
            return slide(image, network, *args, **kwargs).float()
