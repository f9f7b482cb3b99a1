"""Draws lesions with the phantom's code as a matte that can be blended into any image.

The phantom paints linearly: new = through * old + paint. Painting over 0 and over 1 gives both terms exactly,
with every part of every lesion. Blurred like the scan, they blend with the real image like partial volume.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from scripts.lidia.implant.anatomy import Anatomy
from scripts.lidia.implant.edge_preserving import smooth
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
        self._size = [int(np.clip(PERIOD / step, 48, 160)) for step in spacing]
        self._tiles = {}
        for name, grain in GRAINS.items():
            tile = rng.standard_normal(self._size, dtype=np.float32)
            for axis, step in enumerate(spacing):
                tile = gaussian_filter1d(tile, max(grain / step, 0.4), axis=axis, mode="wrap", truncate=3)
            self._tiles[name] = (tile - tile.mean()) / tile.std()

    def __call__(self, name: str, box: Box, shift: tuple[int, int, int] = (0, 0, 0)) -> Field:
        """Returns the field over a box of the frame; `shift` (voxels) selects another part of it."""
        places = zip(box, shift, self._size, strict=True)
        return self._tiles[name][np.ix_(*[(np.arange(c.start, c.stop) + s) % n for c, s, n in places])]


def draw_matte(anatomy: Anatomy, patient: Patient, spread: float, rng: np.random.Generator) -> Matte:
    """Draws a patient's lesions into the liver of a background.

    Args:
        anatomy: the background.
        patient: patient whose planned lesions are drawn.
        spread: factor on the deviations of the tables.
        rng: random generator of positions and shapes.
    """
    frame, layers = _divide_slices(anatomy)
    depth = _interpolate_depth(anatomy.depth, layers)
    free = ~np.repeat(anatomy.large[anatomy.box], layers, 2)
    veins = np.zeros(anatomy.source.liver.shape, np.float32)
    veins[anatomy.body] = anatomy.shares["portal"] + anatomy.shares["hepatic"]
    veins = veins[anatomy.box]
    whole = (slice(0, depth.shape[0]), slice(0, depth.shape[1]), slice(0, depth.shape[2]))
    liver = Liver(whole, depth, (depth > 0) & free, np.full(3, FAR))
    grain = WideGrain(rng, frame.spacing)
    seed = int(rng.integers(2**63))
    painted = []
    for under in (0, 1):
        hu = np.full((4, *depth.shape), under, np.float32)
        instances, lesions = paint_lesions(
            hu, frame, liver, np.repeat(veins, layers, 2), patient, spread, grain, np.random.default_rng(seed)
        )
        painted.append(_average_layers(hu, layers))
    paint, through = painted[0], painted[1] - painted[0]
    blur = anatomy.scanned[anatomy.source.reference].blur
    plane = (*anatomy.source.spacing[:2], FAR)
    paint, through = (np.stack([smooth(part, plane, blur) for part in parts]) for parts in (paint, through))
    relative = np.isin(instances, [lesion.instance for lesion in lesions if _is_relative(lesion)])
    beside = smooth(_average_layers(relative[None].astype(np.float32), layers)[0], plane, blur)
    middle = instances[:, :, layers // 2 :: layers]
    return Matte(through, paint, beside, np.where(anatomy.source.liver[anatomy.box], middle, 0), lesions)


def _is_relative(lesion: Lesion) -> bool:
    return lesion.look.parts[0].base == "tissue"


def _divide_slices(anatomy: Anatomy) -> tuple[Frame, int]:
    """Divides the slices of the box into layers, as thin as in the phantom."""
    thickness = anatomy.source.spacing[2]
    layers = max(1, int(np.ceil(thickness / FINEST - 1e-3)))
    x, y, z = (axis[cut] for axis, cut in zip(anatomy.frame, anatomy.box, strict=True))
    start = z[0] - thickness / 2
    cut = start + (np.arange(len(z) * layers) + 0.5) * thickness / layers
    return Frame(x, y, cut.astype(np.float32)), layers


def _interpolate_depth(depth: Field, layers: int) -> Field:
    """Interpolates the depth (X, Y, Z) linearly at the layers of each slice."""
    count = depth.shape[2]
    at = np.clip((np.arange(count * layers) + 0.5) / layers - 0.5, 0, count - 1)
    low = np.minimum(at.astype(int), max(count - 2, 0))
    part = (at - low).astype(np.float32)
    return depth[:, :, low] * (1 - part) + depth[:, :, np.minimum(low + 1, count - 1)] * part


def _average_layers(hu: Field, layers: int) -> Field:
    """Averages over the layers of each slice: (4, X, Y, Z layers) to (4, X, Y, Z)."""
    return hu.reshape(*hu.shape[:3], -1, layers).mean(-1, dtype=np.float32)
