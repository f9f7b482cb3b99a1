"""Draws lesions with the phantom's code as a matte that can be blended into any image.

The phantom paints linearly: new = through * old + paint. Painting over 0 and over 1 gives both terms exactly,
with every part of every lesion. Blurred like the scan, they blend with the real image like partial volume.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.edge_preserving import smooth
from scripts.lidia.implant.scan_noise import sample_noise_tile
from scripts.lidia.implant.tissue_maps import VEINS
from scripts.lidia.phantom.case import GRAINS
from scripts.lidia.phantom.lesions import Lesion, paint_lesions
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.patient import Patient
from scripts.lidia.phantom.scanner import FINEST
from scripts.lidia.phantom.shapes import Box, Field, Frame, Grain

FAR = 1e4
"""Coordinate in mm of a gallbladder that is not segmented: far away."""
PERIOD = 100.0
"""Period in mm of the lesion texture."""


class Matte(NamedTuple):
    """Lesions over the background's box.

    Attributes:
        through: (4, box) share (0-1) of the background that stays visible.
        paint: (4, box) HU that are added to it.
        beside: (box) share (0-1) of lesions whose HU are relative to the parenchyma.
        instances: (box) lesion numbers, 0 none.
        lesions: all lesions, including those without a voxel.
    """

    through: Field
    paint: Field
    beside: Field
    instances: NDArray[np.uint16]
    lesions: list[Lesion]


class WideGrain(Grain):
    """The phantom's texture on tiles as wide as `PERIOD`, for pixels finer than the phantom's.

    Args:
        rng: random generator.
        spacing: voxel size in mm.
    """

    def __init__(self, rng: np.random.Generator, spacing: tuple[float, float, float]) -> None:
        size = [int(np.clip(PERIOD / step, 48, 160)) for step in spacing]
        self._tiles = {}
        for name, grain in GRAINS.items():
            tile = rng.standard_normal(size, dtype=np.float32)
            for axis, step in enumerate(spacing):
                tile = gaussian_filter1d(tile, max(grain / step, 0.4), axis=axis, mode="wrap", truncate=3)
            self._tiles[name] = (tile - tile.mean()) / tile.std()

    def __call__(self, name: str, box: Box, shift: tuple[int, int, int] = (0, 0, 0)) -> Field:
        """Returns the field over a box of the frame; `shift` (voxels) selects another part of it."""
        start = [cut.start + offset for cut, offset in zip(box, shift, strict=True)]
        return sample_noise_tile(self._tiles[name], start, [cut.stop - cut.start for cut in box])


def draw_matte(anatomy: Anatomy, patient: Patient, spread: float, rng: np.random.Generator) -> Matte:
    """Draws a patient's lesions into the liver of a background.

    Args:
        anatomy: the background.
        patient: patient whose planned lesions are drawn.
        spread: factor on the deviations of the tables.
        rng: random generator of positions and shapes.
    """
    frame, parts = _divide_voxels(anatomy)
    depth = _divide_field(anatomy.depth, parts)
    free = ~_repeat(anatomy.large[anatomy.box], parts)
    names = anatomy.maps.names
    veins = np.zeros(anatomy.depth.shape, np.float32)
    for name in VEINS:
        veins += anatomy.maps.shares[(names.index(name), *anatomy.box)]
    whole = (slice(0, depth.shape[0]), slice(0, depth.shape[1]), slice(0, depth.shape[2]))
    liver = Liver(whole, depth, (depth > 0) & free, np.full(3, FAR))
    grain = WideGrain(rng, frame.spacing)
    seed = int(rng.integers(2**63))
    painted = []
    for under in (0, 1):
        hu = np.full((4, *depth.shape), under, np.float32)
        instances, lesions = paint_lesions(
            hu, frame, liver, _repeat(veins, parts), patient, spread, grain, np.random.default_rng(seed)
        )
        painted.append(_average_parts(hu, parts))
    paint, through = painted[0], painted[1] - painted[0]
    plane = (*anatomy.source.spacing[:2], FAR)
    blur = anatomy.blur
    paint, through = (np.stack([smooth(part, plane, blur) for part in layers]) for layers in (paint, through))
    relative = np.isin(instances, [lesion.instance for lesion in lesions if _is_relative(lesion)])
    beside = smooth(_average_parts(relative[None].astype(np.float32), parts)[0], plane, blur)
    i, j, k = parts
    middle = instances[i // 2 :: i, j // 2 :: j, k // 2 :: k]
    return Matte(through, paint, beside, np.where(anatomy.source.liver[anatomy.box], middle, 0), lesions)


def _is_relative(lesion: Lesion) -> bool:
    return lesion.look.parts[0].base == "tissue"


def _divide_voxels(anatomy: Anatomy) -> tuple[Frame, tuple[int, int, int]]:
    """Divides the voxels of the box along each axis into parts as thin as in the phantom."""
    counts, axes = [], []
    for axis, cut, step in zip(anatomy.frame, anatomy.box, anatomy.source.spacing, strict=True):
        count = max(1, int(np.ceil(step / FINEST - 1e-3)))
        centres = axis[cut]
        if count > 1:
            start = centres[0] - step / 2
            centres = start + (np.arange(len(centres) * count) + 0.5) * step / count
        counts.append(count)
        axes.append(centres.astype(np.float32))
    return Frame(*axes), (counts[0], counts[1], counts[2])


def _repeat(volume: NDArray, parts: Sequence[int]) -> NDArray:
    """Repeats the voxels of (X, Y, Z) along each axis."""
    for axis, count in enumerate(parts):
        volume = np.repeat(volume, count, axis) if count > 1 else volume
    return volume


def _divide_field(field: Field, parts: Sequence[int]) -> Field:
    """Interpolates a field (X, Y, Z) linearly at the centres of the parts of each voxel."""
    for axis, parts_of_axis in enumerate(parts):
        if parts_of_axis == 1:
            continue
        count = field.shape[axis]
        at = np.clip((np.arange(count * parts_of_axis) + 0.5) / parts_of_axis - 0.5, 0, count - 1)
        low = np.minimum(at.astype(int), max(count - 2, 0))
        weight = np.expand_dims((at - low).astype(np.float32), [a for a in range(3) if a != axis])
        upper = np.take(field, np.minimum(low + 1, count - 1), axis)
        field = np.take(field, low, axis) * (1 - weight) + upper * weight
    return field


def _average_parts(volume: Field, parts: Sequence[int]) -> Field:
    """Averages over the parts of each voxel: (C, X parts, Y parts, Z parts) to (C, X, Y, Z)."""
    for axis, count in enumerate(parts, start=1):
        if count > 1:
            places = (slice(None),) * axis
            total = volume[(*places, slice(0, None, count))].copy()
            for part in range(1, count):
                total += volume[(*places, slice(part, None, count))]
            volume = total * np.float32(1 / count)
    return volume
