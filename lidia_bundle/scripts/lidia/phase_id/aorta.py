"""Traces the abdominal aorta: a round, even tube in front and to the left of the spine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.lidia.phase_id.coarse_volume import CoarseVolume, coarsen

CORE_RADIUS_MM = 5.5
"""Radius of the disc whose HU must be even."""
RINGS_MM = (11.0, 14.0, 17.0)
"""Radii at which the tube must end."""
RAYS_MM = (7.0, *RINGS_MM, 19.0, 21.0, 23.0, 25.0, 28.0, 31.0, 34.0, 38.0)
"""Radii at which bone is searched."""
BONE_HU = 200.0
"""Lowest HU of the cortex of a vertebra."""
EDGE_HU = 28.0
"""HU difference between the tube and its surroundings."""
LEFT_MM, SPREAD_MM = 12.0, 13.0
"""Mean distance of the aorta to the left of the midline, and its standard deviation."""
MAX_STEP_MM = 4.0
"""Largest shift of its centre between two slices."""
PIXEL_MM = 3.0
"""Pixel size of the search grid."""
MIN_FIT, MIN_SHARE, MAX_SPREAD_HU = 0.5, 0.5, 20.0
"""The tube is accepted if at least this share of slices has this fit, and their HU differ by no more."""
BLOOD_RADIUS_MM = 4.0
"""Radius of the disc that holds blood only; the wall and its plaques lie outside."""


class Tube(NamedTuple):
    """A traced tube.

    Attributes:
        path: (Z, 2) x and y in mm from the first voxel.
        hu: (Z,) mean of its core.
        fit: (Z,) 0 to 1, similarity of each slice to a tube in front of a spine.
    """

    path: NDArray[np.float64]
    hu: NDArray[np.float64]
    fit: NDArray[np.float64]


def trace_aorta(volume: CoarseVolume) -> Tube | None:
    """Finds the path with the largest sum of fits through all slices; None if the body is too small."""
    x, y = volume.axis(0), volume.axis(1)
    columns = np.flatnonzero((x > volume.middle - 50) & (x < volume.middle + 15))
    rows = np.flatnonzero((y > volume.back + 40) & (y < volume.back + min(165.0, 0.8 * volume.depth)))
    if len(columns) < 8 or len(rows) < 8:
        return None
    pad = [int(RAYS_MM[-1] / size) + 1 for size in volume.step[:2]]
    low = [max(0, near[0] - more) for near, more in zip((columns, rows), pad, strict=True)]
    part = volume.hu[low[0] : columns[-1] + pad[0] + 1, low[1] : rows[-1] + pad[1] + 1]
    box = np.ix_(columns - low[0], rows - low[1], np.arange(part.shape[2]))
    mean, fit = (field[box] for field in _score_tube(part, volume.step))
    lateral_offset = (x[columns] - (volume.middle - LEFT_MM)) / SPREAD_MM
    # squared, so that a few good slices dominate
    score = np.square(fit) - 0.06 * np.square(lateral_offset)[:, None, None]
    steps = np.maximum(1, np.ceil(np.array([MAX_STEP_MM, MAX_STEP_MM]) / volume.step[:2])).astype(int)
    path_indices = _find_best_path(score, int(steps[0]), int(steps[1]))
    layers = np.arange(len(path_indices))
    path = np.stack([x[columns][path_indices[:, 0]], y[rows][path_indices[:, 1]]], 1)
    at = path_indices[:, 0], path_indices[:, 1], layers
    return Tube(path, mean[at].astype(float), fit[at].astype(float))


def find_blood_points(hu: NDArray[np.floating], affine: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Finds points at which blood of the aorta can be measured; None unless the aorta is certain.

    Args:
        hu: (X, Y, Z) HU of a phase after contrast, whole slices, in any orientation.
        affine: (4, 4) from voxel indices to RAS mm.

    Returns:
        (3, N) RAS mm: discs inside the aorta in all slices with a good fit.
    """
    volume = coarsen(hu, affine, PIXEL_MM)
    tube = trace_aorta(volume) if volume is not None else None
    if volume is None or tube is None:
        return None
    good = tube.fit >= MIN_FIT
    if good.mean() < MIN_SHARE or np.subtract(*np.quantile(tube.hu[good], (0.85, 0.15))) > MAX_SPREAD_HU:
        return None
    offsets = np.linspace(-BLOOD_RADIUS_MM, BLOOD_RADIUS_MM, 5)
    x, y = np.meshgrid(offsets, offsets)
    disc = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    disc = disc[np.linalg.norm(disc, axis=1) <= BLOOD_RADIUS_MM]
    centres = np.column_stack([tube.path[good], volume.axis(2)[good]])
    index = (centres[:, None] + disc).reshape(-1, 3) / volume.step
    places: NDArray[np.float64] = volume.affine[:3, :3] @ index.T + volume.affine[:3, 3:]
    return places


def _score_tube(hu: NDArray[np.float32], step: tuple[float, float, float]) -> tuple[NDArray, NDArray]:
    """Computes the mean of the disc around each voxel, and its similarity (0 to 1) to the aorta."""
    hu = np.clip(hu, -150, 700)
    core = _make_disc(CORE_RADIUS_MM, step)
    mean = ndimage.convolve(hu, core)
    spread = np.sqrt(np.maximum(ndimage.convolve(hu * hu, core) - mean * mean, 0))
    even = np.clip(1.5 - spread / EDGE_HU, 0, 1)
    edge = np.maximum(EDGE_HU, 0.15 * mean)
    bone = np.maximum(mean + 18, BONE_HU)
    ended, walled = np.zeros_like(hu), np.zeros_like(hu)
    for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        dark, bright, wall = (np.zeros(hu.shape, bool) for _ in range(3))
        for radius in RAYS_MM:
            there = _shift(hu, radius * np.cos(angle), radius * np.sin(angle), step)
            wall |= there > bone
            if radius in RINGS_MM:
                dark |= there < mean - edge
                bright |= there > bone
        walled += wall / np.float32(16)
        # in front of the tube there is no bone
        ended += (dark | bright if np.sin(angle) < 0 else dark) / np.float32(16)
    outside = np.clip((0.75 - walled) / 0.2, 0, 1)  # inside a vertebra bone is on all sides
    # bridges the intervertebral discs
    column = ndimage.maximum_filter1d(walled, max(1, int(20 / step[2])), axis=2)
    behind = np.clip((_shift(column, 6.0, -20.0, step) - 0.5) / 0.4, 0, 1)
    flesh = np.clip((mean - 10) / 15, 0, 1) * np.clip((650 - mean) / 100, 0, 1)
    bright = np.clip((mean - 70) / 200, 0, 1)
    return mean, even * ended * outside * flesh * (0.3 + 0.7 * behind) * (0.8 + 0.2 * bright)


def _shift(field: NDArray, x: float, y: float, step: tuple[float, float, float]) -> NDArray:
    """Returns for each voxel the value x mm to the right and y mm in front of it."""
    return np.roll(field, (-round(x / step[0]), -round(y / step[1])), (0, 1))


def _make_disc(radius: float, step: tuple[float, float, float]) -> NDArray[np.float32]:
    reach = [int(radius / size) for size in step[:2]]
    axes = [np.arange(-n, n + 1) * size for n, size in zip(reach, step, strict=False)]
    x, y = np.meshgrid(*axes, indexing="ij")
    disc = (x * x + y * y <= radius * radius).astype(np.float32)
    return (disc / disc.sum())[:, :, None]


def _find_best_path(score: NDArray[np.float32], reach_x: int, reach_y: int) -> NDArray[np.int64]:
    """Finds the path (Z, 2) with the largest sum; neighbours are at most `reach_x`, `reach_y` apart."""
    size = (2 * reach_x + 1, 2 * reach_y + 1)
    best = [score[:, :, 0]]
    for layer in range(1, score.shape[2]):
        reachable = ndimage.maximum_filter(best[-1], size, mode="constant", cval=-np.inf)
        best.append(reachable + score[:, :, layer])
    first = np.unravel_index(int(best[-1].argmax()), best[-1].shape)
    where = int(first[0]), int(first[1])
    path = [where]
    for layer in range(score.shape[2] - 2, -1, -1):
        low = [max(0, c - r) for c, r in zip(where, (reach_x, reach_y), strict=True)]
        part = best[layer][low[0] : where[0] + reach_x + 1, low[1] : where[1] + reach_y + 1]
        step = np.unravel_index(int(part.argmax()), part.shape)
        where = (low[0] + int(step[0]), low[1] + int(step[1]))
        path.append(where)
    return np.array(path[::-1], dtype=np.int64)
