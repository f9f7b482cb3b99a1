"""Builds the deterministic transform from the files of a case to the network's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    CropForeground,
    InvertibleTransform,
    Orientationd,
    ScaleIntensityRanged,
    Spacingd,
    Transform,
)

from scripts.lidia.components import find_bounding_box
from scripts.lidia.data.annotation import resample_to_grid
from scripts.lidia.data.load_phases import Labels, LoadPhases
from scripts.lidia.data.map_in_threads import map_in_threads
from scripts.lidia.data.read_volume import HU
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.geometry.smoothing import smooth_for_spacing
from scripts.lidia.vocabulary import PHASES

FORMAT = 3
"""Part of the cache key; increase it when equal settings give other tensors."""


class Preprocessing(Compose):
    """A Compose with its `settings`, which are part of the cache key."""

    settings: dict[str, Any]


def preprocessing(
    *,
    spacing: Sequence[float] = (1.5, 1.5, 2.5),
    window: Sequence[float] = (-200.0, 400.0),
    labels: Labels = None,
    margin_mm: float | None = None,
    min_lesion_mm3: float = 25.0,
    antialias: bool = True,
    outside: Literal["error", "drop"] = "error",
    check_hu: bool = True,
    keep_scans: bool = False,
) -> Preprocessing:
    """Builds the transform from an item of a datalist (or of MONAI Label) to the tensors of `contract`.

    The result of the transform holds `image`, a MetaTensor float32 (4, X, Y, Z) in RAS order: HU mapped
    linearly from `window` to -1..1 and clipped, one channel per phase in temporal order, NaN for an absent
    phase. It also holds `id`, `grid_phase`, `phases_used`, `warnings`, `malignant`, the user's `liver` (1, X,
    Y, Z) on the native grid of the reference phase, and `label` according to `labels`. Unless
    labels="network", the grid starts at the body with a margin of air (see `CutAir`), so that a wider or
    shifted field of view does not change the result. `Invertd("pred", transform=this, orig_keys="image")`
    maps a prediction back to the native grid of the reference phase, with zeros where air was cropped.

    Args:
        spacing: mm of the network's grid along R, A, S.
        window: HU that become -1 and 1.
        labels: None (inference); "network" (training): `label` int16 (2, X, Y, Z) on the network's grid,
            class 0..9, or -1 for ignored voxels (small lesions, voxels that are not annotated), and
            instance; "native" (evaluation): the same with small lesions, on the native grid of the reference
            phase.
        margin_mm: with labels="network", crops to the bounding box of the liver with this margin.
        min_lesion_mm3: with labels="network", lesions below this volume are ignored.
        antialias: smooths a phase before it is sampled on a coarser grid.
        outside: a phase that misses half of the liver (or volume) is an "error", or is left out ("drop").
        check_hu: refuses volumes whose values cannot be HU.
        keep_scans: adds `scans`, see `LoadPhases`; no tensor depends on it.

    Raises:
        ValueError: if an argument is out of its range.
    """
    settings = {key: value for key, value in locals().items() if key != "keep_scans"}
    if labels not in (None, "network", "native"):
        raise ValueError(f"labels is {labels!r}: choose None, 'network' or 'native'")
    if len(spacing) != 3 or min(spacing) <= 0 or len(window) != 2 or window[0] >= window[1]:
        raise ValueError(f"spacing {spacing} must be three positive mm, window {window} two rising HU")
    steps: list[Transform] = [LoadPhases(labels, outside, check_hu, min_lesion_mm3, keep_scans)]
    if labels == "native":
        steps.append(TargetOnNativeGrid())
    steps += [
        Orientationd("image", axcodes="RAS", labels=None),
        *([] if labels == "network" else [CutAir(window[0])]),
        SmoothForSpacing(spacing, antialias),
        Spacingd("image", pixdim=tuple(spacing), mode="bilinear", padding_mode="border", dtype=torch.float32),
    ]
    if labels == "network":
        steps.append(TargetOnNetworkGrid(margin_mm))
    steps += [
        StackPhases(antialias),
        ScaleIntensityRanged("image", window[0], window[1], -1.0, 1.0, clip=True),
    ]
    compose = Preprocessing(steps)
    compose.settings = {**settings, "format": FORMAT}
    return compose


class TargetOnNativeGrid(Transform):
    """Converts `drawing` to `label` (2, X, Y, Z) int16 on the native grid of the reference phase."""

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Makes `label`."""
        item = dict(data)
        item["label"] = resample_to_grid(item.pop("drawing").classes, item["image"])
        return item


class CutAir(InvertibleTransform):
    """Crops `image` (1, X, Y, Z, RAS order) to the bounding box of the body, whatever the field of view.

    A margin of air is kept along X and Y, and padded where the field of view ends, because training crops
    also end in air and not at the skin. A volume of air only is not cropped.

    Args:
        air: HU up to which a voxel counts as air.
        margin_mm: margin of air on both sides along X and Y.
    """

    def __init__(self, air: float, margin_mm: float = 20.0) -> None:
        self.air, self.margin_mm = air, margin_mm
        self.cut = CropForeground()  # only for cropping: its search for the box visits every voxel's index

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Crops `image`."""
        item = dict(data)
        image = item["image"]
        box = find_bounding_box((image.as_tensor()[0] > self.air).numpy())
        if box is None:
            start, end = np.zeros(3, int), np.array(image.shape[1:])
        else:
            margin = np.ceil(self.margin_mm / image.pixdim.numpy() * (1, 1, 0) - 1e-3).astype(int)
            start = np.array([side.start for side in box]) - margin
            end = np.array([side.stop for side in box]) + margin
        item["image"] = self.cut.crop_pad(image, start, end, mode="constant", value=HU[0])
        return item

    def inverse(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Pads `image` with zeros where it was cropped."""
        return {**data, "image": self.cut.inverse(data["image"])}


class SmoothForSpacing(Transform):
    """Smooths `image` (1, X, Y, Z, RAS order) along the axes on which the target grid is coarser.

    Args:
        spacing: mm per voxel of the target grid.
        active: False leaves the image unchanged.
    """

    def __init__(self, spacing: Sequence[float], active: bool = True) -> None:
        self.spacing = tuple(spacing)
        self.active = active

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Smooths `image`."""
        item = dict(data)
        if self.active:
            item["image"] = smooth_for_spacing(item["image"], self.spacing)
        return item


class TargetOnNetworkGrid(Transform):
    """Converts `drawing` to `label` (2, X, Y, Z) int16 on the grid of `image`, and crops both.

    Args:
        margin_mm: margin around the bounding box of the annotation; None does not crop.
    """

    def __init__(self, margin_mm: float | None = None) -> None:
        self.margin_mm = margin_mm

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Makes `label` and crops it with `image`."""
        item = dict(data)
        label = resample_to_grid(item.pop("drawing").classes, item["image"])
        if self.margin_mm is not None:
            labelled = torch.nonzero(label.as_tensor()[0] > 0)
            margin = torch.ceil(self.margin_mm / item["image"].pixdim).long()
            low = (labelled.amin(0) - margin).clamp(min=0).tolist()
            high = (labelled.amax(0) + 1 + margin).tolist()
            box = (slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))
            label, item["image"] = _cut(label, box), _cut(item["image"], box)
        item["label"] = label
        return item


class StackPhases(Transform):
    """Resamples all `phases` to the grid of `image` and stacks them in temporal order; absent ones are NaN.

    Voxels outside a phase's field of view are -1024 HU. The result keeps the trace of `image` for Invertd.

    Args:
        antialias: smooths a phase before it is sampled on a coarser grid.
    """

    def __init__(self, antialias: bool = True) -> None:
        self.antialias = antialias

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stacks (1, X, Y, Z) and the other phases to `image` (4, X, Y, Z)."""
        item = dict(data)
        image, others = item["image"], item.pop("phases")
        shape = tuple(image.shape[1:])
        stack = torch.full((len(PHASES), *shape), np.nan, dtype=torch.float32)
        stack[PHASES.index(item["grid_phase"])] = image.as_tensor()[0]
        grid = Grid(image.affine.numpy(), shape)
        to_grid = partial(resample, grid=grid, antialias=self.antialias, outside=HU[0])
        for phase, volume in zip(others, map_in_threads(to_grid, others.values()), strict=True):
            stack[PHASES.index(phase)] = volume[0]
        item["image"] = MetaTensor(stack, meta=image.meta, applied_operations=image.applied_operations)
        return item


def _cut(volume: MetaTensor, box: tuple[slice, ...]) -> MetaTensor:
    """Crops (C, X, Y, Z) to a box and shifts the origin of the affine."""
    affine = volume.affine.clone()
    start = torch.as_tensor([float(s.start) for s in box[1:]], dtype=affine.dtype)
    affine[:3, 3] += affine[:3, :3] @ start
    out = MetaTensor(volume.as_tensor()[box].clone(), meta=volume.meta, applied_operations=[])
    out.affine = affine
    return out
