"""Cuts the lesions of an implant into small patches, so that thousands of implants fit on disk and in memory.

The packed form is a dictionary of tensors that `torch.load(weights_only=True)` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.implant_case import Implant
from scripts.lidia.implant.phase_synthesis import FAINT_HU, UNTOUCHED, LesionLayers
from scripts.lidia.implant.tissue_maps import collect_tissue_hu
from scripts.lidia.phantom.shapes import Box
from scripts.lidia.vocabulary import FIRST_LESION

POINTS_PER_LESION = 64
"""Voxels sampled per lesion as centres of crops."""

Packed = dict[str, Any]


def pack_implant(anatomy: Anatomy, implant: Implant) -> Packed:
    """Packs an implant.

    Returns:
        `tissue_hu` (T, 4) and `liver_hu` (4,); `noise_shifts` (4, 3); `classes` (N + 1,) class of each
        instance, 0 for none; `centres` int16 (M, 5): x, y, z, class, instance of voxels of the lesions; and
        `patches`: for each group of touching voxels `start` (3,), `through` and `paint` (4, x, y, z),
        `beside` and `instances` (x, y, z).
    """
    matte = implant.matte
    tissue_hu = collect_tissue_hu(implant.patient, anatomy.maps.names)
    touched = (matte.through < 1 - UNTOUCHED).any(0) | (np.abs(matte.paint) > FAINT_HU).any(0)
    touched |= matte.instances > 0
    groups, _ = label(touched, np.ones((3, 3, 3)))
    corner = np.array([cut.start for cut in anatomy.box])
    patches = []
    for number, box in enumerate(find_objects(groups), start=1):
        own = groups[box] == number
        patches.append({
            "start": torch.as_tensor(corner + [cut.start for cut in box]),
            "through": _half(np.where(own, matte.through[(slice(None), *box)], 1)),
            "paint": _half(np.where(own, matte.paint[(slice(None), *box)], 0)),
            "beside": _half(np.where(own, matte.beside[box], 0)),
            "instances": torch.as_tensor(np.where(own, matte.instances[box], 0).astype(np.int16)),
        })
    classes = np.array([0, *(lesion.look.group for lesion in matte.lesions)], np.int16)
    return {
        "tissue_hu": torch.as_tensor(tissue_hu.values),
        "liver_hu": torch.as_tensor(tissue_hu.liver),
        "noise_shifts": torch.as_tensor(implant.noise_shifts),
        "classes": torch.as_tensor(classes),
        "centres": _sample_centres(patches, classes),
        "patches": patches,
    }


def place_patches(
    packed: Mapping[str, Any], box: Box
) -> tuple[LesionLayers | None, NDArray[np.int16] | None]:
    """Places the patches that reach into a box.

    Args:
        packed: the implant.
        box: box of the maps' voxels.

    Returns:
        Layers over the smallest box that holds the patches, relative to `box`, and the instances (box) of
        the whole box; None and None if no patch reaches into it.
    """
    low = np.array([cut.start for cut in box])
    high = np.array([cut.stop for cut in box])
    inner = []
    for patch in packed["patches"]:
        start = patch["start"].numpy()
        first, last = np.maximum(start, low), np.minimum(start + patch["beside"].shape, high)
        if (first < last).all():
            inner.append((patch, first, last, start))
    if not inner:
        return None, None
    start = np.min([first for _, first, _, _ in inner], 0)
    stop = np.max([last for _, _, last, _ in inner], 0)
    shape = tuple(int(n) for n in stop - start)
    through, paint = np.ones((4, *shape), np.float32), np.zeros((4, *shape), np.float32)
    beside, instances = np.zeros(shape, np.float32), np.zeros(tuple(int(n) for n in high - low), np.int16)
    for patch, first, last, corner in inner:
        source, target, whole = (_make_box(first - a, last - a) for a in (corner, start, low))
        channels = (slice(None), *source), (slice(None), *target)
        # boxes of patches may overlap, their voxels do not
        through[channels[1]] *= patch["through"][channels[0]].float().numpy()
        paint[channels[1]] += patch["paint"][channels[0]].float().numpy()
        beside[target] += patch["beside"][source].float().numpy()
        instances[whole] += patch["instances"][source].numpy()
    return LesionLayers(_make_box(start - low, stop - low), through, paint, beside), instances


def halve_implant(packed: Mapping[str, Any]) -> Packed:
    """Averages the patches over blocks of 2 x 2 x 2 voxels; see `halve_maps`.

    A block belongs to a lesion if half of it does.
    """
    patches = [_halve_patch(patch) for patch in packed["patches"]]
    return {**packed, "patches": patches, "centres": _sample_centres(patches, packed["classes"].numpy())}


def _halve_patch(patch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = patch["start"]
    pad: list[int] = []
    for first, size in reversed(list(zip(start.tolist(), patch["beside"].shape, strict=True))):
        before = first % 2
        pad += [before, (before + size) % 2]
    layers = torch.cat([1 - patch["through"], patch["paint"], patch["beside"][None]]).float()
    cover, paint, beside = F.avg_pool3d(F.pad(layers, pad), 2).split((4, 4, 1))
    instances = F.pad(patch["instances"].float(), pad)[None]
    share = F.avg_pool3d((instances > 0).float(), 2)
    halved = torch.where(share >= 0.5, F.max_pool3d(instances, 2), 0)[0].to(torch.int16)
    return {
        "start": torch.div(start, 2, rounding_mode="floor"),
        "through": (1 - cover).half(),
        "paint": paint.half(),
        "beside": beside[0].half(),
        "instances": halved,
    }


def _sample_centres(patches: list[dict[str, torch.Tensor]], classes: NDArray[np.int16]) -> torch.Tensor:
    random = np.random.default_rng(0)
    rows = [np.zeros((0, 5), np.int16)]
    for patch in patches:
        instances = patch["instances"].numpy()
        for number in np.unique(instances[instances > 0]):
            if classes[number] < FIRST_LESION:
                continue
            places = np.argwhere(instances == number)
            chosen = random.choice(len(places), min(POINTS_PER_LESION, len(places)), replace=False)
            xyz = places[chosen] + patch["start"].numpy()
            kind = np.tile([classes[number], number], (len(xyz), 1))
            rows.append(np.concatenate([xyz, kind], 1).astype(np.int16))
    return torch.as_tensor(np.concatenate(rows))


def _make_box(low: NDArray, high: NDArray) -> Box:
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def _half(values: NDArray) -> torch.Tensor:
    return torch.as_tensor(values.astype(np.float16))
