"""Defines the forms of lesion parts as the share of each voxel that a rim, scar, core or septum occupies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from scripts.lidia.phantom.looks import Part
from scripts.lidia.phantom.outlines import Site
from scripts.lidia.phantom.shapes import Field, capsule, ellipsoid, soft

Shares = Field | list[Field]
"""One field for all phases, or one per phase."""
Form = Callable[[Site, Field, Part, np.random.Generator], Shares]


def _body(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    return soft(depth, site.width)


def _noise(site: Site, name: str, rng: np.random.Generator) -> Field:
    shift = tuple(int(s) for s in rng.integers(0, 48, 3))
    return site.grain(name, site.box, shift)


def _rim(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes an uneven outer layer of `size` mm."""
    thick = min(rng.uniform(*part.size), 0.45 * site.radius)
    uneven = np.float32(thick) * (1 + np.float32(0.22) * _noise(site, "lump", rng))
    return soft(depth, site.width) * soft(uneven - depth, site.width)


def _shell(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a smooth capsule of `size` mm."""
    thick = np.float32(rng.uniform(*part.size))
    return soft(depth, site.width) * soft(thick - depth, site.width)


def _band(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a ring under an outer halo of 2 mm."""
    thick = np.float32(min(rng.uniform(*part.size), 0.4 * site.radius))
    return soft(depth - 2, site.width) * soft(thick + 2 - depth, site.width)


def _core(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes an irregular core of `size` of the radius; `fill` scales it per phase."""
    share = rng.uniform(*part.size)
    ragged = depth + np.float32(0.06 * site.radius) * _noise(site, "lump", rng)
    parts = [
        soft(ragged - np.float32((1 - share * f) * site.radius), site.width) * np.float32(f > 0)
        for f in part.fill
    ]
    return parts if len(set(part.fill)) > 1 else parts[0]


def _clumps(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes clumps that occupy `size` of the volume."""
    limit = np.float32(ndtri(1 - rng.uniform(*part.size)))
    name = "clump" if site.radius > 14 else "lump"
    return soft(depth - 1, site.width) * soft((_noise(site, name, rng) - limit) * 5, site.width)


def _septa(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes thin septa of `size` of the volume, around the zero level of a random field."""
    limit = np.float32(ndtri(0.5 + rng.uniform(*part.size) / 2))
    sheet = limit - np.abs(_noise(site, "clump", rng))
    return soft(depth, site.width) * soft(sheet * 8, site.width)


def _mosaic(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes nodules of another attenuation in half of the volume."""
    return soft(depth - 1, site.width) * soft(_noise(site, "lump", rng) * 4, site.width)


def _globules(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes globules under the rim that grow to `fill` of the volume per phase."""
    spread = np.full(depth.shape, 1e3, np.float32)
    for _ in range(int(rng.integers(part.count[0], part.count[1] + 1))):
        way = rng.standard_normal(3)
        at = way / np.linalg.norm(way) * site.radius * rng.uniform(0.75, 0.95)
        size = rng.uniform(*part.size)
        spread = np.minimum(spread, -ellipsoid(site.grid, at, (size, size, size)))
    spread = spread + np.float32(0.35) * depth + np.float32(1.2) * _noise(site, "lump", rng)
    inside = spread[depth > 0]
    whole = soft(depth, site.width)
    shares = []
    for fill in part.fill:
        share = float(np.clip(fill * rng.uniform(0.75, 1.2), 0, 0.98)) if fill else 0.0
        limit = np.quantile(inside, share) if share and inside.size else -1e3
        shares.append(whole * soft(np.float32(limit) - spread, site.width))
    return shares


def _scar(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a stellate scar: a centre with `count` thin septa outwards, `size` mm wide."""
    x, y, z = site.grid
    wide = np.float32(rng.uniform(*part.size) * np.clip(site.radius / 25, 0.6, 1.6))
    r = np.sqrt(x * x + y * y + z * z)
    reach = np.float32(0.62 * site.radius)
    star = wide * np.float32(0.8) - r
    for _ in range(int(rng.integers(part.count[0], part.count[1] + 1))):
        n = rng.standard_normal(3).astype(np.float32)
        n /= np.linalg.norm(n)
        sheet = wide / 2 * (1 - r / reach) - np.abs(x * n[0] + y * n[1] + z * n[2])
        star = np.maximum(star, sheet)
    return soft(depth - 2, site.width) * soft(star + np.float32(0.4) * _noise(site, "lump", rng), site.width)


def _artery(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    way = rng.standard_normal(3)
    end = way / np.linalg.norm(way) * site.radius * 0.9
    radius = rng.uniform(*part.size)
    return soft(depth, site.width) * soft(
        capsule(site.grid, np.zeros(3), end, radius, radius * 0.7), site.width
    )


def _balls(site: Site, part: Part, rng: np.random.Generator, low: float, high: float, scale: float) -> Field:
    field = np.full([len(g.ravel()) for g in site.grid], -1e3, np.float32)
    for _ in range(int(rng.integers(part.count[0], part.count[1] + 1))):
        way = rng.standard_normal(3)
        at = way / np.linalg.norm(way) * site.radius * rng.uniform(low, high)
        size = rng.uniform(*part.size) * scale
        field = np.maximum(field, ellipsoid(site.grid, at, (size, size, size)))
    return field


def _spots(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes small balls of `size` mm inside the lesion."""
    return soft(depth, site.width) * soft(_balls(site, part, rng, 0.0, 0.7, 1.0), site.width)


def _daughters(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes balls of `size` of the radius inside the lesion."""
    return soft(depth - 2, site.width) * soft(_balls(site, part, rng, 0.35, 0.7, site.radius), site.width)


def _satellites(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes small balls of `size` mm just outside the lesion."""
    return soft(_balls(site, part, rng, 1.05, 1.3, 1.0), site.width)


def _half(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes one half of the lesion."""
    x, y, z = site.grid
    n = rng.standard_normal(3).astype(np.float32)
    n /= np.linalg.norm(n)
    side = x * n[0] + y * n[1] + z * n[2] + np.float32(0.15 * site.radius) * _noise(site, "lump", rng)
    return soft(depth, site.width) * soft(side, site.width)


def _layer(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a dependent layer at the back of the supine patient, below `size` of the radius."""
    level = np.float32(rng.uniform(*part.size) * site.radius)
    return soft(depth, site.width) * soft(level - site.grid[1], site.width)


def _gas(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes gas that rises to the front."""
    level = np.float32(rng.uniform(*part.size) * site.radius)
    return soft(depth - 3, site.width) * soft(site.grid[1] - level, site.width)


def _halo(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a halo of the parenchyma within `size` mm of the lesion."""
    thick = np.float32(rng.uniform(*part.size))
    return soft(depth + thick, 2 * site.width) * (1 - soft(depth, site.width))


def _wedge(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes a cone of altered perfusion behind the lesion, towards the surface."""
    x, y, z = site.grid
    v = site.outwards.astype(np.float32)
    along = x * v[0] + y * v[1] + z * v[2]
    across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
    cone = (along + np.float32(site.radius)) * np.float32(rng.uniform(*part.size)) - across
    return soft(cone, 2 * site.width) * (1 - soft(depth, site.width))


def _ducts(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    """Makes dilated bile ducts upstream of the lesion."""
    field = np.full(depth.shape, -1e3, np.float32)
    for _ in range(int(rng.integers(part.count[0], part.count[1] + 1))):
        way = site.outwards + rng.uniform(-0.7, 0.7, 3)
        way /= np.linalg.norm(way)
        radius = rng.uniform(*part.size)
        end = way * site.radius * 2.2
        field = np.maximum(field, capsule(site.grid, way * site.radius * 0.7, end, radius, radius * 0.5))
    return soft(field, site.width) * (1 - soft(depth, site.width))


def _track(site: Site, depth: Field, part: Part, rng: np.random.Generator) -> Shares:
    radius = rng.uniform(*part.size)
    rod = capsule(site.grid, np.zeros(3), site.outwards * site.radius * 2.2, radius, radius)
    return soft(rod, site.width) * (1 - soft(depth, site.width))


FORMS: dict[str, Form] = {
    "body": _body,
    "rim": _rim,
    "shell": _shell,
    "band": _band,
    "core": _core,
    "clumps": _clumps,
    "septa": _septa,
    "mosaic": _mosaic,
    "globules": _globules,
    "scar": _scar,
    "artery": _artery,
    "spots": _spots,
    "daughters": _daughters,
    "satellites": _satellites,
    "half": _half,
    "layer": _layer,
    "gas": _gas,
    "halo": _halo,
    "wedge": _wedge,
    "ducts": _ducts,
    "track": _track,
}
OUTSIDE = ("halo", "wedge", "ducts", "track")
"""Parts outside the lesion's outline; they are not labelled."""
