"""Paints the liver: two lobes under the diaphragm, caudate, fissures, gallbladder, cirrhosis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.body import Trunk
from scripts.lidia.phantom.shapes import Box, Field, Frame, Grain, ellipsoid, join, meet
from scripts.lidia.phantom.tissues import NUMBER


class Liver(NamedTuple):
    """Position and shape of the liver.

    Attributes:
        box: the part of the frame that holds it.
        depth: field over the box in mm, positive inside.
        mask: bool over the box: parenchyma and its vessels, without gallbladder and great vessels.
        gallbladder: centre in mm.
    """

    box: Box
    depth: Field
    mask: NDArray[np.bool_]
    gallbladder: NDArray


def paint_liver(
    organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator, trunk: Trunk, kind: str, grain: Grain
) -> Liver:
    """Paints liver and gallbladder into the organ map (X, Y, Z) and returns the liver's field."""
    box = frame.box((35, 5, 0), (125, 100, 95))
    grid = frame.open(box)
    x, y, z = grid
    sick = kind == "cirrhotic"
    right = rng.uniform(0.9, 1.08) * (0.87 if sick else 1.0)
    left = rng.uniform(0.75, 1.2) * (1.2 if sick else 1.0)
    tail = rng.uniform(0.85, 1.1) * (1.5 if sick else 1.0)

    depth = ellipsoid(grid, (60, -6, 4), (74 * right, 84 * right, 92 * right), rng.uniform(-0.15, 0.15))
    arm = ellipsoid(grid, (2, 34, 20), (78 * left, 38, 34 * left), rng.uniform(-0.25, 0.05))
    depth = join(depth, arm, 14)
    depth = join(depth, ellipsoid(grid, (14, -22, 12), (17 * tail, 15 * tail, 27 * tail)), 6)

    roof = trunk.diaphragm[box[0], box[1], None] - 3 - z
    wall = trunk.cavity[box[0], box[1], None] - np.float32(rng.uniform(2.5, 5))
    slope = rng.uniform(0.5, 0.62) * (0.85 if sick else 1)
    floor = z + rng.uniform(74, 90) * (0.86 if sick else 1) - slope * (112 - x) + 0.12 * (30 - y)
    floor = floor - 14 * np.exp(-(((x - 75) / 30) ** 2 + ((y + 45) / 30) ** 2))
    depth = meet(depth, roof, 8)
    depth = meet(depth, wall, 8)
    depth = meet(depth, floor * np.float32(0.85), 12)

    wave = (
        rng.uniform(0.6, 1.6)
        * np.sin(x / rng.uniform(18, 30) + rng.uniform(0, 6))
        * np.cos(y / rng.uniform(18, 30) + rng.uniform(0, 6))
    )
    depth += wave.astype(np.float32) + grain("clump", box) * np.float32(1.8 if sick else 0.35)
    depth = _fissures(depth, grid, rng)

    gallbladder = np.array((rng.uniform(36, 48), rng.uniform(38, 50), 0.0))
    gallbladder[2] = -rng.uniform(74, 80) + slope * (112 - gallbladder[0]) - 0.12 * (30 - gallbladder[1]) - 2
    sac = ellipsoid(grid, gallbladder, np.array((13, 15, 25)) * rng.uniform(0.75, 1.15), 0.4)
    view = organs[box]
    soft = ~np.isin(view, [NUMBER[n] for n in ("rib", "cancellous", "cortical", "muscle", "canal", "lung")])
    mask = (depth > 0) & (sac < -0.5) & soft
    view[mask] = NUMBER["liver"]
    view[(sac > 0) & soft] = NUMBER["bile_wall"]
    view[(sac > 2) & soft] = NUMBER["bile"]
    return Liver(box, np.minimum(depth, -sac), mask, gallbladder)


def _fissures(depth: Field, grid: tuple[Field, Field, Field], rng: np.random.Generator) -> Field:
    """Cuts the falciform fissure, the fissure of the venous ligament and the porta hepatis."""
    x, y, z = grid
    at, tilt = rng.uniform(-6, 8), rng.uniform(-0.1, 0.1)
    width = rng.uniform(1.2, 2.6)
    bend = 3.5 * np.sin(y / 13 + rng.uniform(0, 6)) + 3 * np.sin(z / 15)
    gape = width * (0.35 + 0.9 * np.clip((y - 25) / 60, 0, 1))
    slit = (
        np.abs(x - at - tilt * y - bend) - gape + np.maximum(30 - y, 0) * 0.4 + np.maximum(z - 22, 0) * 0.25
    )
    depth = np.minimum(depth, slit)
    bend = 3.5 * np.sin(x / 12 + rng.uniform(0, 6))
    slit = (
        np.abs(y + 4 - 0.2 * x - bend)
        - 0.7 * width
        + np.maximum(np.abs(x - 2) - 20, 0) * 0.5
        + np.maximum(z - 34, 0) * 0.3
    )
    depth = np.minimum(depth, slit)
    return np.minimum(depth, -ellipsoid(grid, (22, -2, -20), (17, 11, 13)))
