"""Run inference over a whole volume: find the box of the liver, then predict in overlapping windows."""

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

from scripts.lidia.components import find_bounding_box
from scripts.lidia.inference.box_sides import (
    Side,
    cut_beyond_side,
    extend_box,
    find_touched_sides,
    has_liver_hu,
    liver_ends_beyond,
    measure_contact_diameter_mm,
    measure_contact_mm2,
)
from scripts.lidia.inference.most_probable_classes import find_liver_classes, find_most_probable_classes
from scripts.lidia.postprocess.liver_region import (
    iterate_filled_components,
    limit_length,
)
from scripts.lidia.runtime.precision import uses_bf16
from scripts.lidia.vocabulary import BACKGROUND

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
    """Finds the liver in a coarse pass, then predicts in its box by MONAI's sliding windows.

    Training crops come from the same box (the liver and a margin), so instance norm has the statistics of
    training, and most of the body needs no computation. Outside the box all is background. If the coarse
    pass finds too little liver, a pass at full resolution finds the box; if that finds too little as well,
    the whole volume is predicted.

    The prediction in the box can contradict the coarse pass. If it finds too little liver, the next largest
    component of the coarse map gives the box. If its liver touches a side of the box that is no side of the
    volume, the box is extended across that side and predicted again. The extension is kept if the liver ends
    beyond the side, or continues there with a wide contact area and the liver's HU, see `has_liver_hu`.

    Padding is air (-1): MONAI's default 0 is 100 HU in our window and looks like liver.

    Args:
        roi_size: voxels of a window along X, Y, Z. A volume with no more voxels is one window, rounded up to
            multiples of the greatest common divisor of the sizes, which must be a multiple of the stride.
        overlap: overlap of adjacent windows, as a share of the window.
        sw_batch_size: windows per forward pass.
        tta: average over mirror images along all subsets of the three axes; eight times the computation.
        coarse: downsampling factor of the first pass; 0 omits the pass.
        margin_mm: margin of the box around liver and lesions, as in training crops.
        spacing: mm per voxel of the network's grid along X, Y, Z.
        longest_mm: maximum length of a liver along each axis; see `limit_length`.
        least_ml: minimum volume of a liver, in the coarse pass and in the box.
        contact_cm2: minimum contact area with a side of the box for an extension.
        extension_mm: length of one extension, rounded up to a multiple of the step.
        extensions: maximum number of extensions of a box; 0 disables them.
        contact_diameter_mm: minimum diameter of the largest circle that fits into the contact area, if the
            liver continues beyond the side.
        liver_hu_ratio: minimum share of voxels beyond a side that have liver HU, relative to the share in the
            liver's core, 0..1, see `has_liver_hu`.
        precision: `fp32`; `bf16` runs the network in bfloat16 autocast: half the time on CPUs that have it,
            probabilities that differ by about 0.01 at most (other CPUs run in float32); `fp16` is the
            evaluator's `amp`.
        runtime: converts the network for the box, see `load_runtime`; None is torch.
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
        spacing: Sequence[float] = (1.5, 1.5, 2.5),
        longest_mm: float = 300.0,
        least_ml: float = 300.0,
        contact_cm2: float = 2.0,
        extension_mm: float = 40.0,
        extensions: int = 4,
        contact_diameter_mm: float = 20.0,
        liver_hu_ratio: float = 0.9,
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
        self.contact_diameter_mm, self.liver_hu_ratio = contact_diameter_mm, liver_hu_ratio
        self.extension = [int(-(-extension_mm // (side * self.step))) * self.step for side in spacing]

    def __call__(self, inputs: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Returns probabilities (1, C, X, Y, Z) of an image (1, 4, X, Y, Z), a MetaTensor for a MetaTensor.

        The scores of a network with a patient branch follow the C classes as channels.
        """
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        # The first box is always computed by torch: a rounding difference may move it, and instance norm
        # depends on all of it
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
        """Proposes boxes that may contain the liver, with the margin, the largest component first.

        The pass at full resolution runs only if no box of the coarse pass was sufficient.
        """
        shape = image.shape[2:]
        if not self.coarse or image.shape[0] > 1 or min(shape) < 2 * self.coarse:
            return
        for factor in sorted({self.coarse, 1}, reverse=True):
            for box in self.find_coarse_boxes(image, network, factor):
                yield self.add_margin(box, shape)

    def find_coarse_boxes(self, image: torch.Tensor, network: Network, factor: int) -> Iterator[list[slice]]:
        """Finds boxes of liver-sized components in a pass that is downsampled by `factor`."""
        spacing = [side * factor for side in self.spacing]
        coarse_map = self.run_windows(F.avg_pool3d(image, factor), network)
        min_voxels = self.least_ml * 1000 / prod(spacing)
        for part in iterate_filled_components(
            find_most_probable_classes(coarse_map[0]).cpu().numpy() > BACKGROUND
        ):
            if part.sum() < min_voxels:
                return
            region = limit_length(part, spacing, self.longest_mm)
            box = find_bounding_box(region)
            if box is not None and region.sum() >= min_voxels:
                yield [slice(side.start * factor, side.stop * factor) for side in box]

    def select_box(
        self, image: torch.Tensor, network: Network, boxes: Iterator[list[slice]], *args: Any, **kwargs: Any
    ) -> tuple[list[slice] | None, torch.Tensor | None]:
        """Selects the box in which the prediction finds the liver.

        Returns:
            Box and its map; if all boxes contain too little liver, the box with the most. None and None if
            no box contains liver.
        """
        best: tuple[list[slice], torch.Tensor] | None = None
        largest = 0.0
        for box in boxes:
            class_map = self.run_windows(image[(slice(None), slice(None), *box)], network, *args, **kwargs)
            size = float(np.count_nonzero(find_liver_classes(class_map)) * prod(self.spacing))
            if size > largest:
                best, largest = (box, class_map), size
            if size >= self.least_ml * 1000:
                break
        return (None, None) if best is None else self.extend_to_liver(image, network, *best, *args, **kwargs)

    def extend_to_liver(
        self,
        image: torch.Tensor,
        network: Network,
        box: list[slice],
        class_map: torch.Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[list[slice], torch.Tensor]:
        """Extends a box and its map across the sides beyond which the liver continues."""
        shape, refused = image.shape[2:], set[Side]()
        volume = image[0].cpu().numpy()
        for _ in range(self.extensions):
            before = find_liver_classes(class_map)
            touched = find_touched_sides(before > 0, box, shape, self.spacing, self.contact_cm2)
            sides = [side for side in touched if side not in refused]
            if not sides:
                break
            wider = extend_box(box, sides, self.extension, shape)
            wider_map = self.run_windows(image[(slice(None), slice(None), *wider)], network, *args, **kwargs)
            classes_before = _place_in_volume(before, box, shape)
            classes_after = _place_in_volume(find_liver_classes(wider_map), wider, shape)
            accepted = []
            for side in sides:
                beyond = cut_beyond_side(side, box, wider)
                area = measure_contact_mm2(before > 0, side, self.spacing)
                diameter_mm = measure_contact_diameter_mm(before > 0, side, self.spacing)
                if liver_ends_beyond(classes_after, beyond, self.spacing, area) or (
                    diameter_mm >= self.contact_diameter_mm
                    and has_liver_hu(
                        volume, classes_before, classes_after, beyond, self.spacing, self.liver_hu_ratio
                    )
                ):
                    accepted.append(side)
            refused |= {*sides} - {*accepted}
            if not accepted:
                break
            if accepted != sides:
                wider = extend_box(box, accepted, self.extension, shape)
                wider_map = self.run_windows(
                    image[(slice(None), slice(None), *wider)], network, *args, **kwargs
                )
            box, class_map = wider, wider_map
        return box, class_map

    def add_margin(self, box: Sequence[slice], shape: Sequence[int]) -> list[slice]:
        """Adds the margin to a box, in multiples of the step, within the volume."""
        low = np.array([side.start for side in box]) - self.margin
        high = np.array([side.stop for side in box]) + self.margin
        # Rounding up includes more of the body, instead of padding with air
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
        """Predicts an image, with `tta` also its mirror images; `first` is the map without mirroring."""
        total = self.run_windows(image, network, *args, **kwargs) if first is None else first
        if self.tta:
            for axes in (axes for count in (1, 2, 3) for axes in combinations((2, 3, 4), count)):
                total = total + self.run_windows(image.flip(axes), network, *args, **kwargs).flip(axes)
            total = total / 8.0
        return total

    def run_windows(self, image: torch.Tensor, network: Network, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Runs MONAI's sliding windows; a single window if it has no more voxels than `roi_size`."""
        sides = [-(-size // self.step) * self.step for size in image.shape[2:]]
        if prod(sides) > prod(self.roi_size):
            sides = [min(roi, size) for roi, size in zip(self.roi_size, sides, strict=True)]
        if max(sides) == self.step:  # one voxel on the coarsest level has no variance
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


def _place_in_volume(
    part: NDArray[np.uint8], box: Sequence[slice], shape: Sequence[int]
) -> NDArray[np.uint8]:
    """Places `part` in the box of a volume of zeros."""
    volume = np.zeros(tuple(shape), np.uint8)
    volume[tuple(box)] = part
    return volume
