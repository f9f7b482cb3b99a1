"""Inference over a whole volume: the liver's box first, then overlapping windows, mirrored too if asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import combinations
from math import gcd, prod
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.inferers import Inferer, SlidingWindowInferer
from numpy.typing import NDArray

from scripts.lidia.components import bounding_box
from scripts.lidia.inference.box_sides import (
    Side,
    cut_beyond_side,
    extend_box,
    find_touched_sides,
    has_liver_hu,
    liver_ends_beyond,
    measure_contact_mm2,
    measure_neck_mm,
)
from scripts.lidia.postprocess.liver_region import iterate_filled_components, limit_length, liver_region
from scripts.lidia.runtime.precision import uses_bf16
from scripts.lidia.vocabulary import BACKGROUND, CLASSES

Network = Callable[..., torch.Tensor]


def predict_with_score_maps(
    predict: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]], window: torch.Tensor
) -> torch.Tensor:
    """Predict a window; its patient scores become channels, so that windows blend them as they blend the map.

    Args:
        predict: gives probabilities (B, C, X, Y, Z) and scores (B, S).
        window: (B, P, X, Y, Z).

    Returns:
        (B, C + S, X, Y, Z); `postprocess.branch_scores` reads the scores where the lesions are.
    """
    probabilities, scores = predict(window)
    maps = scores[:, :, None, None, None].expand(-1, -1, *probabilities.shape[2:])
    return torch.cat([probabilities, maps.to(probabilities.dtype)], dim=1)


class WindowInferer(Inferer):
    """Finds the liver in a coarse pass, then looks at its box alone, in MONAI's sliding windows.

    The box is what training crops are cut from (the liver and a margin): instance norm's statistics stay what
    the network was trained with, and most of the body costs nothing. Outside the box all is background. Where
    the coarse pass finds too little to be a liver, a pass at full resolution finds the box; where that finds
    too little as well, the whole volume is the answer.

    The closer look can contradict the coarse pass. Where it finds too little liver in a box, the next largest
    part of the coarse map gives the box. Where its liver lies on a side of the box that is no side of the
    volume, it looks again with the box extended across that side. The extension is kept where the liver ends
    beyond the side, or continues there: by a wide neck, and with the liver's HU, see `has_liver_hu`.

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
        least_ml: of a liver that a box is made of, and that the closer look has to find in it.
        contact_cm2: area by which a liver has to lie on a side of the box for the box to be extended.
        extension_mm: by how much it is extended at a time, rounded up to steps that suit the network.
        extensions: how many times a box is extended at most; 0 leaves it as the first look found it.
        neck_mm: diameter of the largest circle in the contact from which on tissue beyond may be liver.
        alike: how much the HU beyond a side have to be the liver's, 0..1, see `has_liver_hu`.
        precision: `fp32`; `bf16` runs the network in bfloat16 autocast: half the time on CPUs that have it,
            probabilities that differ by about 0.01 at most (other CPUs run in float32); `fp16` is the
            evaluator's `amp`.
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
        contact_cm2: float = 2.0,
        extension_mm: float = 40.0,
        extensions: int = 4,
        neck_mm: float = 20.0,
        alike: float = 0.9,
        precision: str = "fp32",
        runtime: Callable[[Network], Network] | None = None,
    ) -> None:
        self.runtime = runtime
        self.roi_size = tuple(int(size) for size in roi_size)
        self.overlap, self.sw_batch_size, self.tta, self.precision = overlap, sw_batch_size, tta, precision
        self.coarse, self.margin = coarse, np.ceil(margin_mm / np.asarray(spacing)).astype(int)
        self.spacing, self.longest_mm, self.least_ml = spacing, longest_mm, least_ml
        self.step = gcd(*self.roi_size)
        self.contact_cm2, self.extensions = contact_cm2, extensions
        self.neck_mm, self.alike = neck_mm, alike
        self.extension = [int(-(-extension_mm // (side * self.step))) * self.step for side in spacing]

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Probabilities (1, C, X, Y, Z) for an image (1, 4, X, Y, Z); a MetaTensor stays one.

        A network with a patient branch is asked for its scores too: they follow the C classes as channels.
        """
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        # The first box is torch's whatever runs the rest: a last bit may move it, and instance norm sees
        # all of it
        boxes = self.propose_boxes(image, network)
        network = network if self.runtime is None else self.runtime(network)
        if hasattr(network, "predict_patient"):
            network = partial(predict_with_score_maps, network.predict_patient)
        box, first = self.select_box(image, network, boxes, *args, **kwargs)
        if box is None:
            total = self.average_mirrored(image, network, *args, first=first, **kwargs)
        else:
            x, y, z = box
            inside = self.average_mirrored(image[:, :, x, y, z], network, *args, first=first, **kwargs)
            total = inside.new_zeros((*inside.shape[:2], *image.shape[2:]))
            total[:, BACKGROUND] = 1.0
            total[:, :, x, y, z] = inside
        return MetaTensor(total, meta=inputs.meta) if isinstance(inputs, MetaTensor) else total

    def propose_boxes(self, image: torch.Tensor, network: Network) -> Iterator[list[slice]]:
        """Boxes that may hold the liver, with the margin, the likeliest first.

        The pass at full resolution runs only when no box of the coarse pass was good enough.
        """
        shape = image.shape[2:]
        if not self.coarse or image.shape[0] > 1 or min(shape) < 2 * self.coarse:
            return
        for factor in sorted({self.coarse, 1}, reverse=True):
            for box in self.find_coarse_boxes(image, network, factor):
                yield self.add_margin(box, shape)

    def find_coarse_boxes(self, image: torch.Tensor, network: Network, factor: int) -> Iterator[list[slice]]:
        """Boxes of liver and lesions in a pass so many times coarser, each of a part as large as a liver."""
        spacing = [side * factor for side in self.spacing]
        seen = self.run_windows(F.avg_pool3d(image, factor), network)
        least = self.least_ml * 1000 / prod(spacing)
        for part in iterate_filled_components(seen[0].argmax(dim=0).cpu().numpy() > BACKGROUND):
            if part.sum() < least:
                return
            region = limit_length(part, spacing, self.longest_mm)
            box = bounding_box(region)
            if box is not None and region.sum() >= least:
                yield [slice(side.start * factor, side.stop * factor) for side in box]

    def select_box(
        self, image: torch.Tensor, network: Network, boxes: Iterator[list[slice]], *args: Any, **kwargs: Any
    ) -> tuple[list[slice] | None, torch.Tensor | None]:
        """The box in which a closer look finds the liver, and the map that this look gave.

        Returns:
            Box and map; of boxes in which too little liver was found that with the most. No box and no map
            where none was found in any.
        """
        best: tuple[list[slice], torch.Tensor] | None = None
        most = 0.0
        for box in boxes:
            found = self.run_windows(image[(slice(None), slice(None), *box)], network, *args, **kwargs)
            size = float(np.count_nonzero(_liver_classes(found)) * prod(self.spacing))
            if size > most:
                best, most = (box, found), size
            if size >= self.least_ml * 1000:
                break
        return (None, None) if best is None else self.extend_to_liver(image, network, *best, *args, **kwargs)

    def extend_to_liver(
        self,
        image: torch.Tensor,
        network: Network,
        box: list[slice],
        found: torch.Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[list[slice], torch.Tensor]:
        """A box and its map, extended across the sides that cut the liver where the liver continues there."""
        shape, refused = image.shape[2:], set[Side]()
        volume = image[0].cpu().numpy()
        for _ in range(self.extensions):
            before = _liver_classes(found)
            touched = find_touched_sides(before > 0, box, shape, self.spacing, self.contact_cm2)
            sides = [side for side in touched if side not in refused]
            if not sides:
                break
            wider = extend_box(box, sides, self.extension, shape)
            again = self.run_windows(image[(slice(None), slice(None), *wider)], network, *args, **kwargs)
            old, new = (
                _place_in_volume(before, box, shape),
                _place_in_volume(_liver_classes(again), wider, shape),
            )
            kept = []
            for side in sides:
                beyond, area = (
                    cut_beyond_side(side, box, wider),
                    measure_contact_mm2(before > 0, side, self.spacing),
                )
                wide = measure_neck_mm(before > 0, side, self.spacing) >= self.neck_mm
                if liver_ends_beyond(new, beyond, self.spacing, area) or (
                    wide and has_liver_hu(volume, old, new, beyond, self.spacing, self.alike)
                ):
                    kept.append(side)
            refused |= {*sides} - {*kept}
            if not kept:
                break
            if kept != sides:
                wider = extend_box(box, kept, self.extension, shape)
                again = self.run_windows(image[(slice(None), slice(None), *wider)], network, *args, **kwargs)
            box, found = wider, again
        return box, found

    def add_margin(self, box: Sequence[slice], shape: Sequence[int]) -> list[slice]:
        """A box with the margin, in steps that suit the network, within the volume."""
        low = np.array([side.start for side in box]) - self.margin
        high = np.array([side.stop for side in box]) + self.margin
        # rounded up into the body rather than padded with air
        more = -(high - low) % self.step
        low, high = low - more // 2, high + more - more // 2
        ends = zip(low.tolist(), high.tolist(), shape, strict=True)
        return [slice(max(a, 0), min(b, size)) for a, b, size in ends]

    def average_mirrored(
        self,
        image: torch.Tensor,
        network: Network,
        *args: Any,
        first: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """The map of an image, over its mirror images too where `tta` says so; `first` is the plain one."""
        total = self.run_windows(image, network, *args, **kwargs) if first is None else first
        if self.tta:
            for axes in (axes for count in (1, 2, 3) for axes in combinations((2, 3, 4), count)):
                total = total + self.run_windows(image.flip(axes), network, *args, **kwargs).flip(axes)
            total = total / 8.0
        return total

    def run_windows(self, image: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
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
        half = uses_bf16(self.precision, image.device)
        with torch.autocast(image.device.type, dtype=torch.bfloat16) if half else nullcontext():
            return slide(image, network, *args, **kwargs).float()


def _liver_classes(found: torch.Tensor) -> NDArray[np.uint8]:
    """Classes (X, Y, Z) of the liver and its lesions in a map (1, C, X, Y, Z), 0 elsewhere."""
    classes = found[0, : len(CLASSES)].argmax(dim=0).to(torch.uint8).cpu().numpy()
    return np.where(liver_region(classes, (1.0, 1.0, 1.0), grow_mm=0.0), classes, np.uint8(0))


def _place_in_volume(
    part: NDArray[np.uint8], box: Sequence[slice], shape: Sequence[int]
) -> NDArray[np.uint8]:
    """A volume that holds `part` in the box and 0 around it."""
    volume = np.zeros(tuple(shape), np.uint8)
    volume[tuple(box)] = part
    return volume
