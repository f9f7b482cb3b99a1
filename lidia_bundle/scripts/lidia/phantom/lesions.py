"""Paints a patient's lesions into the liver: positions, outlines, parts and labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.phantom.enhancement import ORDERS, deviation, part_values
from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.looks import Look
from scripts.lidia.phantom.outlines import OUTLINES, Site
from scripts.lidia.phantom.parts import FORMS, OUTSIDE
from scripts.lidia.phantom.patient import Patient
from scripts.lidia.phantom.shapes import Box, Field, Frame, Grain, soft
from scripts.lidia.phantom.vessels import PORTA

SURFACE = ("crescent", "plaque")
FULLEST = 0.4
"""Largest share of the liver that lesions may occupy."""


class Lesion(NamedTuple):
    """A painted lesion.

    Attributes:
        look: its look.
        instance: number in the instance map.
        centre: in mm.
        diameter: planned diameter in mm.
        values: HU per phase, by kind of part, the body first.
    """

    look: Look
    instance: int
    centre: tuple[float, float, float]
    diameter: float
    values: dict[str, list[float]]


class Places:
    """Free space in the liver: a coarse map of the distance to its surface.

    Args:
        frame: of the patient.
        liver: its box and mask.
    """

    def __init__(self, frame: Frame, liver: Liver) -> None:
        coarse = liver.mask[::2, ::2, ::2]
        step = [2 * s for s in frame.spacing]
        room = distance_transform_edt(np.pad(coarse, 1), sampling=step)[1:-1, 1:-1, 1:-1]
        at = np.argwhere(coarse)
        self._room = room[coarse]
        axes = [axis[cut][::2] for axis, cut in zip(frame, liver.box, strict=True)]
        self._at = np.stack([axis[i] for axis, i in zip(axes, at.T, strict=True)], 1)
        self._taken: list[tuple[NDArray, float]] = []
        self._left = FULLEST * len(at) * float(np.prod(step))
        self._gallbladder = liver.gallbladder

    def find(self, look: Look, diameter: float, rng: np.random.Generator) -> tuple[NDArray, float] | None:
        """Draws a free centre (mm) and the radius (mm) that fits there; None if there is no space."""
        for _ in range(5):
            radius = diameter / 2
            free = self._fits(look, radius, rng)
            for centre, gap in self._taken:
                free &= ((self._at - centre) ** 2).sum(1) > (gap + radius + 5) ** 2
            choice = np.flatnonzero(free)
            if len(choice) and 4.2 * radius**3 < self._left:
                centre = self._at[choice[int(rng.integers(len(choice)))]].astype(float)
                self._taken.append((centre, radius))
                self._left -= 4.2 * radius**3
                return centre, radius
            diameter *= 0.8
            if diameter < max(look.diameter[1] * 0.7, 6):
                return None
        return None

    def _fits(self, look: Look, radius: float, rng: np.random.Generator) -> NDArray[np.bool_]:
        if look.shape in SURFACE:
            return self._room < 7
        if look.shape == "wedge":
            return (self._room > 0.25 * radius) & (self._room < 0.7 * radius + 8)
        if look.shape == "gallbladder":
            return ((self._at - self._gallbladder) ** 2).sum(1) < (0.8 * radius + 16) ** 2
        need = min(radius * rng.uniform(0.55, 1.0), 0.93 * float(self._room.max()))
        return self._room >= need


def paint_lesions(
    hu: Field,
    frame: Frame,
    liver: Liver,
    veins: Field,
    patient: Patient,
    spread: float,
    grain: Grain,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint16], list[Lesion]]:
    """Paints the patient's plan into `hu` (4, liver box) and returns the instance map and the lesions.

    Args:
        hu: HU of all phases over the liver's box, changed in place.
        frame: of the patient.
        liver: its box, field and mask.
        veins: share (0-1) of vessel in each voxel of the box.
        patient: the patient whose lesions are painted.
        spread: factor on the deviations of the tables.
        grain: noise tiles.
        rng: random generator of positions and shapes.
    """
    places = Places(frame, liver)
    instances = np.zeros(liver.mask.shape, np.uint16)
    shared = {look.name: deviation(rng) for look in patient.plan}
    lesions: list[Lesion] = []
    wanted = [(look, _diameter(look, rng)) for look in patient.plan]
    for look, diameter in wanted:
        found = places.find(look, diameter, rng)
        if found is None:
            continue
        centre, radius = found
        site, local = _site(frame, liver, grain, centre, radius, look, rng)
        view = (slice(None), *local)
        values = _paint(
            hu[view], site, look, patient, spread, shared[look.name], liver.mask[local], veins[local],
            instances[local], len(lesions) + 1, rng,
        )  # fmt: skip
        place = (float(centre[0]), float(centre[1]), float(centre[2]))
        lesions.append(Lesion(look, len(lesions) + 1, place, 2 * radius, values))
    return instances, lesions


def _diameter(look: Look, rng: np.random.Generator) -> float:
    median, low, high = look.diameter
    return float(np.clip(median * np.exp(0.45 * rng.standard_normal()), low, high))


def _site(
    frame: Frame,
    liver: Liver,
    grain: Grain,
    centre: NDArray,
    radius: float,
    look: Look,
    rng: np.random.Generator,
) -> tuple[Site, Box]:
    reach = radius * (2.3 if any(p.kind in OUTSIDE for p in look.parts) else 1.6) + 4
    box = frame.box(centre, reach)
    cuts = [
        slice(max(c.start, b.start), max(min(c.stop, b.stop), max(c.start, b.start)))
        for c, b in zip(box, liver.box, strict=True)
    ]
    box = (cuts[0], cuts[1], cuts[2])
    local = tuple(slice(c.start - b.start, c.stop - b.start) for c, b in zip(box, liver.box, strict=True))
    grid = frame.open(box)
    moved = tuple(g - np.float32(c) for g, c in zip(grid, centre, strict=True))
    way = centre - np.array(PORTA)
    shift = tuple(int(s) for s in rng.integers(0, 48, 3))
    width = float(np.mean(frame.spacing))
    field = liver.depth[local]
    unit = way / max(float(np.linalg.norm(way)), 1e-3)
    return Site(frame, box, moved, centre, radius, field, grain, shift, unit, width), local  # type: ignore[arg-type, return-value]


def _paint(
    hu: Field, site: Site, look: Look, patient: Patient, spread: float, shared: NDArray,
    mask: NDArray[np.bool_], veins: Field, instances: NDArray[np.uint16], number: int,
    rng: np.random.Generator,
) -> dict[str, list[float]]:  # fmt: skip
    """Paints one lesion over (4, box) and marks it in the instance map of the box."""
    depth = OUTLINES[look.shape](site, rng)
    free = mask & (instances == 0)
    keep = free * (1 - veins) if look.through else free.astype(np.float32)
    owned = soft(depth, site.width) > 0.5
    values: dict[str, list[float]] = {}
    for part in look.parts:
        part_rng = np.random.default_rng(rng.integers(2**63))
        if part_rng.random() >= part.chance or 2 * site.radius < part.above:
            continue
        drawn = part_values(part, look, patient, spread, shared, part_rng)
        if part.kind == "body" and look.order:
            drawn = ORDERS[look.order](drawn, patient, 2 * site.radius, part_rng)
        share = FORMS[part.kind](site, depth, part, part_rng)
        mottle = part.mottle and part.mottle * site.grain("lump", site.box, site.shift)
        for phase in range(4):
            cover = (share[phase] if isinstance(share, list) else share) * keep
            if part.base == "added":
                hu[phase] += cover * (drawn[phase] + mottle)
            else:
                hu[phase] += cover * (drawn[phase] + mottle - hu[phase])
        if part.kind == "satellites":
            owned |= share > 0.5  # type: ignore[operator]
        values.setdefault(part.kind, [round(float(v), 1) for v in drawn])
    instances[owned & free] = number
    return values
