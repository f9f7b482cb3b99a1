"""Aorta, liver, kidneys and spleen in one CT volume of any phase, by position, shape and brightness.

No network and nothing learned: rules that a reader can follow. They serve to tell phases apart and to say
whether a volume shows the liver at all, not to measure organs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from scripts.lidia.phase_id.aorta import FINE_MM, trace_aorta
from scripts.lidia.phase_id.coarse_volume import CoarseVolume, coarsen

WIDE_MM = 5.0
"""Pixels for large organs."""
KIDNEY_MM = (25.0, 27.0, 45.0)
"""Half axes of a kidney's template."""
SHELL_MM = 9.0
"""Thickness of the fat about it."""


class Landmark(NamedTuple):
    """An organ that was found.

    Attributes:
        centre_mm: its middle in RAS mm.
        hu: median HU of its inside.
        sure: 0 to 1, how much it looks like what it should be.
        spread: HU from the 15th to the 85th percentile of its inside: cortex and medulla of a kidney.
    """

    centre_mm: tuple[float, float, float]
    hu: float
    sure: float
    spread: float = 0.0


def find_landmarks(hu: NDArray[np.floating], affine: NDArray[np.float64]) -> dict[str, Landmark]:
    """Finds aorta, liver, kidney_right, kidney_left, spleen; one of which there is no trace is left out.

    Args:
        hu: (X, Y, Z) HU of one phase, in any orientation.
        affine: (4, 4) from voxel indices to RAS mm.
    """
    fine, seen = coarsen(hu, affine, FINE_MM), coarsen(hu, affine, WIDE_MM)
    tube = trace_aorta(fine) if fine is not None else None
    if fine is None or seen is None or tube is None:
        return {}
    found: dict[str, Landmark] = {}
    good = tube.fit >= np.quantile(tube.fit, 0.85)
    middle = fine.place(np.append(tube.path.mean(0), fine.axis(2).mean()))
    found["aorta"] = Landmark(
        middle,
        float(np.median(tube.hu[good])),
        float(np.clip(1.5 * tube.fit[good].mean() - 0.1, 0, 1)),
        float(np.subtract(*np.quantile(tube.hu[good], (0.85, 0.15)))),
    )
    aorta = seen.inside(middle)
    flesh = (seen.hu > -30) & (seen.hu < 350) & seen.body
    liver = _liver(seen, flesh)
    if liver is None:
        return found
    found["liver"], region, centre = liver
    free = flesh & ~region
    for name, side in (("kidney_right", 1.0), ("kidney_left", -1.0)):
        kidney = _kidney(seen, free, side, aorta, centre)
        if kidney is not None:
            found[name], inside = kidney
            free &= ~inside
    spleen = _spleen(seen, free, aorta, centre)
    if spleen is not None:
        found["spleen"] = spleen
    return found


def _liver(
    seen: CoarseVolume, flesh: NDArray[np.bool_]
) -> tuple[Landmark, NDArray[np.bool_], NDArray[np.float64]] | None:
    """The thickest thing on the right, and all that is as bright and joined to it."""
    deep = ndimage.distance_transform_edt(flesh, seen.step)
    x = seen.axis(0)[:, None, None] - seen.middle
    side = np.exp(-np.square(np.clip(35 - x, 0, None) / 30) / 2)
    at = np.unravel_index(int((np.minimum(deep, 60) * side).argmax()), deep.shape)
    radius = float(deep[at])
    if radius < 18:
        return None
    region, hu, spread = _grown(seen, flesh, at, 0.6 * radius, 8.0)
    centre = _middle(region, seen)
    litres = region.sum() * np.prod(seen.step) / 1e6
    sure = (
        np.clip((radius - 18) / 18, 0, 1) * np.clip(litres / 0.5, 0, 1) * np.clip((5.0 - litres) / 1.5, 0, 1)
    )
    sure *= float(-20 < hu < 200)
    return Landmark(seen.place(centre), hu, float(sure), spread), region, centre


def _grown(
    seen: CoarseVolume, flesh: NDArray[np.bool_], at: tuple, radius: float, open_mm: float
) -> tuple[NDArray[np.bool_], float, float]:
    """What is as bright as the ball about a place and joined to it by more than a thin bridge."""
    ball = _far(seen, np.array(at) * seen.step) < radius
    inside = seen.hu[ball & flesh]
    hu, spread = float(np.median(inside)), float(np.subtract(*np.quantile(inside, (0.85, 0.15))))
    tolerance = max(22.0, 1.3 * spread)
    soft = ndimage.gaussian_filter(seen.hu, [3.0 / s for s in seen.step])
    alike = flesh & (np.abs(soft - hu) < tolerance)
    core = ndimage.distance_transform_edt(alike, seen.step) > open_mm
    core |= ball & alike
    parts, _ = ndimage.label(core)
    region = parts == parts[at]
    region = ndimage.distance_transform_edt(~region, seen.step) <= open_mm
    return region & alike, hu, spread


def _kidney(
    seen: CoarseVolume,
    free: NDArray[np.bool_],
    side: float,
    aorta: NDArray[np.float64],
    liver: NDArray[np.float64],
) -> tuple[Landmark, NDArray[np.bool_]] | None:
    """The place beside the spine where an ellipsoid is brightest over the shell about it."""
    grey = np.where(free, np.clip(seen.hu, -110, 170), np.minimum(seen.hu, -60))  # the liver is no kidney
    grey = np.clip(grey, -110, 170)
    best = None
    usual = np.array([seen.middle + side * 63, aorta[1] - 8, liver[2] - 50])
    prior = _squares(seen, usual, (14, 17, 32))
    for size in (0.8, 1.0, 1.2):
        inner, shell = _ellipsoid(size, 0.0, seen.step), _ellipsoid(size, SHELL_MM, seen.step)
        within, around = _means(grey, inner), _means(grey, shell)
        shell_mean = (around * shell.sum() - within * inner.sum()) / (shell.sum() - inner.sum())
        score = within - shell_mean - 6.0 * prior
        at = np.unravel_index(int(score.argmax()), score.shape)
        if best is None or score[at] > best[0]:
            best = float(score[at]), at, size, float(within[at] - shell_mean[at])
    if best is None:
        return None
    _, at, size, contrast = best
    centre = np.array(at) * seen.step
    for _ in range(3):  # the template settles on what is there
        inside = _near(seen, centre, [1.1 * size * half for half in KIDNEY_MM]) & free & (seen.hu > 0)
        if inside.sum() < 30:
            return None
        centre = _middle(inside, seen)
    values = seen.hu[ndimage.binary_erosion(inside)]
    if len(values) < 20:
        return None
    spread = float(np.subtract(*np.quantile(values, (0.85, 0.15))))
    sure = float(np.clip((contrast - 25) / 60, 0, 1))
    where = _near(seen, centre, [1.25 * size * half for half in KIDNEY_MM])
    return Landmark(seen.place(centre), float(np.median(values)), sure, spread), where


def _spleen(
    seen: CoarseVolume, free: NDArray[np.bool_], aorta: NDArray[np.float64], liver: NDArray[np.float64]
) -> Landmark | None:
    """The thickest thing left behind on the left side that is no kidney."""
    deep = ndimage.distance_transform_edt(free, seen.step)
    shadow = np.flatnonzero(seen.body.any((1, 2)))
    edge = shadow.min() * seen.step[0]
    usual = np.array([edge + 0.36 * (seen.middle - edge), aorta[1] + 5, liver[2] + 8])
    prior = _squares(seen, usual, (18, 20, 28))
    score = np.minimum(deep, 24) - 2.5 * prior
    at = np.unravel_index(int(score.argmax()), score.shape)
    radius = float(deep[at])
    if radius < 5 or float(prior[at]) > 9:
        return None
    region, hu, spread = _grown(seen, free, at, max(6.0, 0.8 * radius), 5.0)
    region &= _far(seen, np.array(at) * seen.step) < 75
    centre = _middle(region, seen)
    litres = region.sum() * np.prod(seen.step) / 1e6
    sure = np.clip((radius - 3) / 8, 0, 1) * np.clip(litres / 0.06, 0, 1) * float(10 < hu < 260)
    return Landmark(seen.place(centre), hu, float(sure), spread)


def _middle(region: NDArray[np.bool_], seen: CoarseVolume) -> NDArray[Any]:
    return np.argwhere(region).mean(0) * seen.step


def _far(seen: CoarseVolume, centre: NDArray[Any]) -> NDArray[np.float64]:
    """Distance of all voxels from a place, in mm."""
    return np.sqrt(_squares(seen, centre, (1.0, 1.0, 1.0)))


def _near(seen: CoarseVolume, centre: NDArray[Any], halves: Sequence[float]) -> NDArray[np.bool_]:
    return _squares(seen, centre, halves) < 1


def _squares(seen: CoarseVolume, centre: NDArray[Any], halves: Sequence[float]) -> NDArray[np.float64]:
    """(X, Y, Z): squared distance of all voxels from a place, an axis in units of its half axis."""
    x, y, z = (np.square((seen.axis(n) - centre[n]) / halves[n]) for n in range(3))
    return x[:, None, None] + y[:, None] + z


def _ellipsoid(size: float, more: float, step: tuple[float, float, float]) -> NDArray[np.float32]:
    halves = [size * half + more for half in KIDNEY_MM]
    axes = [np.arange(-int(h / s), int(h / s) + 1) * s / h for h, s in zip(halves, step, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return (x * x + y * y + z * z <= 1).astype(np.float32)


def _means(grey: NDArray[np.float32], form: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over a symmetric form about each voxel; beyond the volume lies its darkest value."""
    low = float(grey.min())
    size = [fft.next_fast_len(n + k - 1, True) for n, k in zip(grey.shape, form.shape, strict=True)]
    product = fft.rfftn(grey - low, size) * fft.rfftn(form / form.sum(), size)
    keep = tuple(slice(k // 2, k // 2 + n) for n, k in zip(grey.shape, form.shape, strict=True))
    return fft.irfftn(product, size)[keep].astype(np.float32) + np.float32(low)
