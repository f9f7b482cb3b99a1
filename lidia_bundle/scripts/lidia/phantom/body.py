"""Paints the upper abdomen around the liver as a map of organ numbers (uint8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.phantom.shapes import Field, Frame, capsule, ellipsoid
from scripts.lidia.phantom.tissues import NUMBER

FRONT, SIDE = 86.0, 128.0
"""Half axes of the abdominal cavity in mm (front to back, side to side)."""


class Trunk(NamedTuple):
    """Surfaces that bound the organs.

    Attributes:
        cavity: (X, Y) mm, positive inside the abdominal cavity.
        diaphragm: (X, Y) height of the lung base in mm.
        side: half axis of the cavity in x (mm).
        front: half axis in y (mm).
    """

    cavity: Field
    diaphragm: Field
    side: float
    front: float


def paint_trunk(organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator) -> Trunk:
    """Paints wall, ribs, spine, lungs and heart into `organs` (X, Y, Z) and returns their surfaces."""
    x, y = frame.x[:, None], frame.y[None, :]
    scale = rng.uniform(0.93, 1.06)
    side, front = SIDE * scale, FRONT * scale * rng.uniform(0.94, 1.06)
    muscle, fat = rng.uniform(9, 14), rng.uniform(8, 24)
    p = rng.uniform(2.1, 2.5)
    rho = ((np.abs(x) / side) ** p + (np.abs(y) / front) ** p) ** (1 / p)
    cavity = ((1 - rho) * (side + front) / 2).astype(np.float32)
    outer = (
        (np.abs(x) / (side + muscle + 0.8 * fat)) ** p + (np.abs(y + 9) / (front + muscle + 8 + fat)) ** p
    ) ** (1 / p)
    flat = np.zeros(frame.shape[:2], np.uint8)
    flat[outer < 1] = NUMBER["skin_fat"]
    flat[(cavity > -muscle) & (outer < 1)] = NUMBER["muscle"]
    for sign in (-1, 1):
        back = ((x - sign * 34) / 32) ** 2 + ((y + front + 4) / 19) ** 2 < 1
        flat[back & (outer < 0.97)] = NUMBER["muscle"]
    flat[cavity > 0] = NUMBER["fat"]
    organs[:] = flat[:, :, None]

    bump = 12 * np.tanh(x / 50) - 10 * np.exp(-(((x + 25) / 35) ** 2 + ((y - 25) / 40) ** 2))
    diaphragm = (72 + rng.uniform(-8, 8) - 92 * np.clip(rho, 0, 1.2) ** 3.2 + bump).astype(np.float32)
    gx, gy, gz = frame.open()
    inside = cavity[:, :, None] > 0
    organs[inside & (gz > diaphragm[:, :, None])] = NUMBER["lung"]

    around = np.arctan2(y / front, x / side).astype(np.float32)
    ring = (cavity < -1) & (cavity > 1 - muscle) & (np.abs(np.sin(around)) < 0.82)
    gap = rng.uniform(26, 31)
    slant = 30 * np.cos(around) ** 2 - 55 * np.sin(around)
    at = (gz + slant[:, :, None] + rng.uniform(0, gap)) % np.float32(gap)
    organs[ring[:, :, None] & (at < 9) & (gz > -70)] = NUMBER["rib"]

    _spine(organs, frame, rng, front)
    heart = frame.box((-20, 25, 95), 80)
    grid = frame.open(heart)
    form = ellipsoid(grid, (-22, 28, 98), (52, 42, 46), 0.5)
    view = organs[heart]
    view[(form > 0) & (view == NUMBER["lung"])] = NUMBER["heart"]
    return Trunk(cavity, diaphragm, side, front)


def _spine(organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator, front: float) -> None:
    x, y = frame.x[:, None], frame.y[None, :]
    middle, radius = -front + 26, rng.uniform(19, 22)
    body = 1 - np.sqrt((x / radius) ** 2 + ((y - middle) / (radius * 0.85)) ** 2)
    organs[body > 0] = NUMBER["cancellous"]
    organs[(body > 0) & (body < 0.12)] = NUMBER["cortical"]
    z = frame.z[None, None, :]
    disc = (z + rng.uniform(0, 30)) % np.float32(30) < 5
    organs[(body > 0)[:, :, None] & disc] = NUMBER["muscle"]
    back = middle - radius * 0.85 - 9
    organs[(x / 15) ** 2 + ((y - back) / 13) ** 2 < 1] = NUMBER["cortical"]
    organs[(x / 9) ** 2 + ((y - back) / 8) ** 2 < 1] = NUMBER["canal"]
    organs[(np.abs(x) < 3) & (y < back - 11) & (y > back - 32)] = NUMBER["cortical"]


def paint_organs(organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator, trunk: Trunk) -> None:
    """Paints the organs beside the liver: kidneys, spleen, stomach, bowel, pancreas, vessels."""
    fat, lung = NUMBER["fat"], NUMBER["lung"]

    def put(name: str, form: Field, box: tuple[slice, slice, slice], over: tuple[int, ...] = (fat,)) -> None:
        view = organs[box]
        where = form > 0
        where &= np.isin(view, over) if len(over) > 1 else view == over[0]
        view[where] = NUMBER[name]

    for sign in (-1, 1):
        box = frame.box((sign * 40, -trunk.front + 32, -70), (30, 30, 90))
        put(
            "muscle",
            capsule(frame.open(box), *_rod((sign * 26, -50, 0), (sign * 48, -58, -130)), 12, 22),
            box,
        )
        centre = np.array((sign * rng.uniform(64, 72), -46, -48 - 12 * (sign > 0) + rng.uniform(-12, 12)))
        box = frame.box(centre, 62)
        grid = frame.open(box)
        tilt = sign * 0.5
        form = ellipsoid(grid, centre, (27, 31, 55), tilt)
        put("kidney_cortex", form, box)
        cortex = NUMBER["kidney_cortex"]
        put("kidney_medulla", ellipsoid(grid, centre, (19, 22, 46), tilt), box, (cortex,))
        sinus = centre - np.array((sign * 9, -4, 0))
        over = (cortex, NUMBER["kidney_medulla"])
        put("fat", ellipsoid(grid, sinus, (15, 11, 30), tilt), box, over)
        put("bile", ellipsoid(grid, sinus, (6, 5, 12), tilt), box)

    _spleen(put, frame, rng, trunk)
    _stomach(put, frame, rng)
    _bowel(put, frame, rng)
    line = np.array([(8, -2, -42), (-14, 4, -30), (-48, -14, -16), (-80, -30, 0)], float) + rng.uniform(
        -5, 5, 3
    )
    for start, end in zip(line[:-1], line[1:], strict=True):
        box = frame.box((start + end) / 2, np.abs(end - start) / 2 + 16)
        put("pancreas", capsule(frame.open(box), start, end, 11, 10), box, (fat, lung))


def paint_great_vessels(organs: NDArray[np.uint8], frame: Frame, rng: np.random.Generator) -> None:
    """Paints aorta, its branch to the liver, vena cava and portal trunk; drawn last, over the liver."""
    bone = (NUMBER["cancellous"], NUMBER["cortical"])
    rods = (
        ("aorta", (-9, -41, -140), (-8, -41, 140), rng.uniform(9, 12)),
        ("cava", (22, -36, -140), (24, -34, 78), rng.uniform(10, 13)),
        ("portal", (2, -8, -62), (26, -4, -10), rng.uniform(5.5, 7)),
        ("aorta", (-8, -33, -12), (18, 4, -16), 2.4),
    )
    for name, start, end, radius in rods:
        a, b = _rod(start, end)
        box = frame.box((a + b) / 2, np.abs(b - a) / 2 + radius + 2)
        view = organs[box]
        form = capsule(frame.open(box), a, b, radius, radius) > 0
        view[form & ~np.isin(view, (*bone, NUMBER["lung"]))] = NUMBER[name]


def _rod(start: tuple, end: tuple) -> tuple[NDArray, NDArray]:
    return np.asarray(start, float), np.asarray(end, float)


def _spleen(put: Callable[..., None], frame: Frame, rng: np.random.Generator, trunk: Trunk) -> None:
    centre = np.array((-trunk.side + 36, -34, 18)) + rng.uniform(-6, 6, 3)
    box = frame.box(centre, 72)
    grid = frame.open(box)
    size = rng.uniform(0.85, 1.25)
    form = ellipsoid(grid, centre, (32 * size, 46 * size, 52 * size), -0.45)
    form = np.minimum(form, -ellipsoid(grid, centre + np.array((42, 18, 0)), (34, 52, 70)))
    form = np.minimum(form, trunk.cavity[box[0], box[1], None] - 2)
    put("spleen", form, box)


def _stomach(put: Callable[..., None], frame: Frame, rng: np.random.Generator) -> None:
    centre = np.array((-58, 26, 14)) + rng.uniform(-8, 8, 3)
    box = frame.box(centre, 70)
    grid = frame.open(box)
    radii = np.array((42, 36, 46)) * rng.uniform(0.8, 1.1)
    form = ellipsoid(grid, centre, radii, 0.5)
    put("stomach_wall", form, box)
    wall = NUMBER["stomach_wall"]
    put("stomach_content", ellipsoid(grid, centre, radii - 4, 0.5), box, (wall,))
    level = grid[1] - np.float32(centre[1] + radii[1] * rng.uniform(0.0, 0.6))
    put("gas", np.minimum(ellipsoid(grid, centre, radii - 4, 0.5), level), box, (NUMBER["stomach_content"],))


def _bowel(put: Callable[..., None], frame: Frame, rng: np.random.Generator) -> None:
    """Paints loops of bowel below and in front of the liver; fluid, gas and walls may resemble lesions."""
    for _ in range(int(rng.integers(10, 15))):
        centre = np.array((rng.uniform(-100, 100), rng.uniform(0, 62), rng.uniform(-112, -35)))
        radius = rng.uniform(9, 17)
        turn = rng.standard_normal(3) * np.array((1.0, 0.5, 0.4))
        half = turn / np.linalg.norm(turn) * rng.uniform(4, 26)
        box = frame.box(centre, np.abs(half) + radius + 2)
        grid = frame.open(box)
        form = capsule(grid, centre - half, centre + half, radius, radius)
        put("bowel_wall", form, box)
        put("bowel_content", form - 3, box, (NUMBER["bowel_wall"],))
        if rng.random() < 0.5:
            level = grid[1] - np.float32(centre[1] + radius * rng.uniform(-0.4, 0.5))
            put("gas", np.minimum(form - 3, level), box, (NUMBER["bowel_content"],))
