"""Defines outlines of lesions as fields in mm around a centre, positive inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.shapes import Box, Field, Frame, Grain, capsule, ellipsoid


class Site(NamedTuple):
    """Surroundings of one lesion.

    Attributes:
        frame: the frame of the patient.
        box: the voxels around the lesion.
        grid: coordinates of the box in mm from the lesion's centre, open.
        centre: in mm.
        radius: half the planned diameter in mm.
        capsule: field of the liver over the box in mm (distance to its surface).
        grain: noise tiles.
        shift: offset of this lesion in the tiles, in voxels.
        outwards: unit vector from the porta to the lesion.
        width: mean voxel size in mm.
    """

    frame: Frame
    box: Box
    grid: tuple[Field, Field, Field]
    centre: NDArray
    radius: float
    capsule: Field
    grain: Grain
    shift: tuple[int, int, int]
    outwards: NDArray
    width: float


def _blob(
    site: Site, rng: np.random.Generator, uneven: float, wave: float, rough: float, pitch: float = 4.0
) -> Field:
    """Makes an ellipsoid with `uneven` axes, `wave` lobules and a `rough` margin (shares of the radius)."""
    x, y, z = site.grid
    a, b, c = (np.float32(1 / (site.radius * f)) for f in np.exp(rng.uniform(-uneven, uneven, 3)))
    turn = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    x, y = (cos * x + sin * y) * a, (cos * y - sin * x) * b
    z = z * c
    r = np.sqrt(x * x + y * y + z * z)
    if wave:
        bulge = np.zeros_like(r)
        inverse = 1 / np.maximum(r, np.float32(0.2))
        for _ in range(3):
            k = (rng.standard_normal(3) * pitch).astype(np.float32)
            bulge += np.cos((x * k[0] + y * k[1] + z * k[2]) * inverse + np.float32(rng.uniform(0, 6)))
        r = r * (1 + np.float32(wave) * bulge)
    if rough:
        r = r + np.float32(rough) * site.grain("lump", site.box, site.shift)
    return (1 - r) * np.float32(site.radius)


def _round(site: Site, rng: np.random.Generator) -> Field:
    return _blob(site, rng, 0.1, 0.025, 0.01)


def _smooth(site: Site, rng: np.random.Generator) -> Field:
    return _blob(site, rng, 0.18, 0.012, 0.0)


def _lobulated(site: Site, rng: np.random.Generator) -> Field:
    return _blob(site, rng, 0.14, 0.06, 0.02)


def _infiltrating(site: Site, rng: np.random.Generator) -> Field:
    return _blob(site, rng, 0.2, 0.08, 0.08, 5.0)


def _geographic(site: Site, rng: np.random.Generator) -> Field:
    return _blob(site, rng, 0.35, 0.12, 0.14, 3.0)


def _wedge(site: Site, rng: np.random.Generator) -> Field:
    """Makes a straight-edged cone that opens towards the liver's surface."""
    x, y, z = site.grid
    v = (site.outwards + rng.uniform(-0.2, 0.2, 3)).astype(np.float32)
    v /= np.linalg.norm(v)
    along = x * v[0] + y * v[1] + z * v[2]
    across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
    half = np.float32(rng.uniform(0.42, 0.62))
    return np.minimum(
        (along + np.float32(site.radius)) * half - across, np.float32(1.3 * site.radius) - along
    )


def _crescent(site: Site, rng: np.random.Generator) -> Field:
    """Makes a layer close under the capsule."""
    thick = site.radius * rng.uniform(0.45, 0.65)
    return np.minimum(_blob(site, rng, 0.1, 0.02, 0.02), np.float32(thick) - site.capsule)


def _plaque(site: Site, rng: np.random.Generator) -> Field:
    return np.minimum(_blob(site, rng, 0.2, 0.03, 0.05), np.float32(rng.uniform(4, 6)) - site.capsule)


def _cluster(site: Site, rng: np.random.Generator) -> Field:
    """Makes locules that merge."""
    field = _blob(site._replace(radius=site.radius * 0.6), rng, 0.1, 0.02, 0.02)
    for _ in range(int(rng.integers(5, 8))):
        way = rng.standard_normal(3)
        at = way / np.linalg.norm(way) * site.radius * rng.uniform(0.45, 0.65)
        size = site.radius * rng.uniform(0.3, 0.45)
        field = np.maximum(field, ellipsoid(site.grid, at, (size, size, size)))
    return field


def _branching(site: Site, rng: np.random.Generator) -> Field:
    """Makes a filled duct of forked rods."""
    radius = float(np.clip(site.radius * 0.22, 2.4, 8))
    way = site.outwards + rng.uniform(-0.5, 0.5, 3)
    way = way / np.linalg.norm(way) * site.radius
    origin = np.zeros(3)
    field = capsule(site.grid, -way, origin, radius, radius)
    for _ in range(2):
        end = way * 0.6 + rng.standard_normal(3) * site.radius * 0.4
        field = np.maximum(field, capsule(site.grid, origin, end, radius, radius * 0.7))
    return field


OUTLINES: dict[str, Callable[[Site, np.random.Generator], Field]] = {
    "round": _round,
    "smooth": _smooth,
    "lobulated": _lobulated,
    "infiltrating": _infiltrating,
    "geographic": _geographic,
    "wedge": _wedge,
    "crescent": _crescent,
    "plaque": _plaque,
    "cluster": _cluster,
    "branching": _branching,
    "gallbladder": _lobulated,
}
