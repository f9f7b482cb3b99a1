"""Grows the portal and hepatic venous trees in the liver by branching (calibres in mm)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.liver import Liver
from scripts.lidia.phantom.shapes import Field, Frame, capsule, soft

PORTA = (25.0, -3.0, -11.0)
CROWN = (24.0, -28.0, 44.0)
PORTAL_TARGETS = ((62, 4, -6), (92, 34, 18), (98, -30, -12), (70, -52, 22), (58, 44, -18), (84, 6, 44))
PORTAL_LEFT = ((6, 22, 10), (-30, 38, 24), (-58, 36, 30), (22, 52, 8))
HEPATIC_TARGETS = ((104, -18, -14), (90, -50, 8), (52, 38, 2), (66, 14, 36), (-34, 32, 28), (12, 42, 30))


class Twig(NamedTuple):
    """One tapering segment of a vessel, in mm."""

    start: NDArray
    end: NDArray
    radius: float
    radius_end: float


def grow_trees(rng: np.random.Generator) -> dict[str, list[Twig]]:
    """Grows the segments of both trees, from the trunks outwards."""
    portal: list[Twig] = []
    right = np.array((46, -2, -6)) + rng.uniform(-4, 4, 3)
    left = np.array((8, 12, 6)) + rng.uniform(-4, 4, 3)
    portal += [Twig(np.array(PORTA), right, 5.0, 4.4), Twig(np.array(PORTA), left, 4.6, 3.8)]
    for target in PORTAL_TARGETS:
        portal += _limb(rng, right, np.array(target, float), rng.uniform(2.6, 3.6))
    for target in PORTAL_LEFT:
        portal += _limb(rng, left, np.array(target, float), rng.uniform(2.2, 3.2))
    hepatic: list[Twig] = []
    for target in HEPATIC_TARGETS:
        root = np.array(CROWN) + rng.uniform(-4, 4, 3)
        hepatic += _limb(rng, root, np.array(target, float), rng.uniform(3.6, 4.8))
    return {"portal": portal, "hepatic": hepatic}


def _limb(rng: np.random.Generator, start: NDArray, target: NDArray, radius: float) -> list[Twig]:
    """Grows a curved vessel towards `target` with side branches."""
    target = target + rng.uniform(-10, 10, 3)
    bend = rng.uniform(-7, 7, 3)
    points = [start + (target - start) * t + bend * np.sin(np.pi * t) for t in (0, 0.35, 0.7, 1.0)]
    twigs = []
    for step in range(3):
        thick, thin = radius * (1 - 0.24 * step), radius * (0.76 - 0.24 * step)
        twigs.append(Twig(points[step], points[step + 1], thick, max(thin, 0.9)))
        along = points[step + 1] - points[step]
        side = np.cross(along, rng.standard_normal(3))
        side /= max(np.linalg.norm(side), 1e-6)
        way = along / np.linalg.norm(along) * 0.7 + side
        end = points[step + 1] + way * rng.uniform(14, 26)
        twigs.append(Twig(points[step + 1], end, max(thin * 0.8, 1.0), 0.7))
    return twigs


def vessel_shares(frame: Frame, liver: Liver, trees: dict[str, list[Twig]]) -> dict[str, Field]:
    """Computes the share (0-1) of each voxel of the liver's box that is portal or hepatic vein."""
    low = [cut.start for cut in liver.box]
    shares = {}
    width = float(np.mean(frame.spacing))
    for name, twigs in trees.items():
        share = np.zeros(liver.mask.shape, np.float32)
        for twig in twigs:
            reach = np.abs(twig.end - twig.start) / 2 + max(twig.radius, twig.radius_end) + width
            box = frame.box((twig.start + twig.end) / 2, reach)
            local = tuple(
                slice(max(c.start - a, 0), max(min(c.stop - a, n), 0))  # type: ignore[var-annotated]
                for c, a, n in zip(box, low, share.shape, strict=True)
            )
            box = tuple(  # type: ignore[assignment]
                slice(c.start + a, c.stop + a) for c, a in zip(local, low, strict=True)
            )
            view = share[local]
            if view.size:
                form = capsule(frame.open(box), *twig)
                np.maximum(view, soft(form, width), out=view)
        share *= liver.mask
        shares[name] = share
    return shares
