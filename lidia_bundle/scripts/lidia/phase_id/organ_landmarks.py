"""Finds aorta, liver, kidneys and spleen in a CT volume of any phase by position, shape and HU.

Fixed rules do this, without a network or learned parameters. The landmarks serve to distinguish phases and to
decide whether a volume shows the liver; they are not organ measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from scripts.lidia.phase_id.aorta import PIXEL_MM, trace_aorta
from scripts.lidia.phase_id.coarse_volume import CoarseVolume, coarsen

PIXEL_MM_ORGANS = 5.0
"""Pixel size of the grid for large organs."""
KIDNEY_MM = (25.0, 27.0, 45.0)
"""Half axes of a kidney's template."""
SHELL_MM = 9.0
"""Thickness of the fat around a kidney."""


class Landmark(NamedTuple):
    """An organ that was found.

    Attributes:
        centre_mm: centre, RAS mm.
        hu: median HU.
        confidence: 0 to 1.
        spread: difference of the 85th and 15th percentiles of HU; in a kidney of cortex and medulla.
    """

    centre_mm: tuple[float, float, float]
    hu: float
    confidence: float
    spread: float = 0.0


def find_landmarks(hu: NDArray[np.floating], affine: NDArray[np.float64]) -> dict[str, Landmark]:
    """Finds aorta, liver, kidney_right, kidney_left and spleen; organs that are not found are missing.

    Args:
        hu: (X, Y, Z) HU of one phase, in any orientation.
        affine: (4, 4) from voxel indices to RAS mm.
    """
    fine, volume = coarsen(hu, affine, PIXEL_MM), coarsen(hu, affine, PIXEL_MM_ORGANS)
    tube = trace_aorta(fine) if fine is not None else None
    if fine is None or volume is None or tube is None:
        return {}
    landmarks: dict[str, Landmark] = {}
    good = tube.fit >= np.quantile(tube.fit, 0.85)
    middle = fine.to_world(np.append(tube.path.mean(0), fine.axis(2).mean()))
    landmarks["aorta"] = Landmark(
        middle,
        float(np.median(tube.hu[good])),
        float(np.clip(1.5 * tube.fit[good].mean() - 0.1, 0, 1)),
        float(np.subtract(*np.quantile(tube.hu[good], (0.85, 0.15)))),
    )
    aorta = volume.from_world(middle)
    flesh = (volume.hu > -30) & (volume.hu < 350) & volume.body
    liver = _find_liver(volume, flesh)
    if liver is None:
        return landmarks
    landmarks["liver"], region, centre = liver
    free = flesh & ~region
    for name, side in (("kidney_right", 1.0), ("kidney_left", -1.0)):
        kidney = _find_kidney(volume, free, side, aorta, centre)
        if kidney is not None:
            landmarks[name], inside = kidney
            free &= ~inside
    spleen = _find_spleen(volume, free, aorta, centre)
    if spleen is not None:
        landmarks["spleen"] = spleen
    return landmarks


def _find_liver(
    volume: CoarseVolume, flesh: NDArray[np.bool_]
) -> tuple[Landmark, NDArray[np.bool_], NDArray[np.float64]] | None:
    """Finds the liver: the thickest soft tissue on the right, and connected tissue of the same HU."""
    deep = ndimage.distance_transform_edt(flesh, volume.step)
    x = volume.axis(0)[:, None, None] - volume.middle
    side = np.exp(-np.square(np.clip(35 - x, 0, None) / 30) / 2)
    at = np.unravel_index(int((np.minimum(deep, 60) * side).argmax()), deep.shape)
    radius = float(deep[at])
    if radius < 18:
        return None
    region, hu, spread = _grow_region(volume, flesh, at, 0.6 * radius, 8.0)
    centre = _compute_centre(region, volume)
    litres = region.sum() * np.prod(volume.step) / 1e6
    sure = (
        np.clip((radius - 18) / 18, 0, 1) * np.clip(litres / 0.5, 0, 1) * np.clip((5.0 - litres) / 1.5, 0, 1)
    )
    sure *= float(-20 < hu < 200)
    return Landmark(volume.to_world(centre), hu, float(sure), spread), region, centre


def _grow_region(
    volume: CoarseVolume, flesh: NDArray[np.bool_], at: tuple, radius: float, open_mm: float
) -> tuple[NDArray[np.bool_], float, float]:
    """Grows a region of the HU in a ball at `at`; thin bridges are cut by an opening."""
    ball = _compute_distances(volume, np.array(at) * volume.step) < radius
    inside = volume.hu[ball & flesh]
    hu, spread = float(np.median(inside)), float(np.subtract(*np.quantile(inside, (0.85, 0.15))))
    tolerance = max(22.0, 1.3 * spread)
    soft = ndimage.gaussian_filter(volume.hu, [3.0 / s for s in volume.step])
    alike = flesh & (np.abs(soft - hu) < tolerance)
    core = ndimage.distance_transform_edt(alike, volume.step) > open_mm
    core |= ball & alike
    parts, _ = ndimage.label(core)
    region = parts == parts[at]
    region = ndimage.distance_transform_edt(~region, volume.step) <= open_mm
    return region & alike, hu, spread


def _find_kidney(
    volume: CoarseVolume,
    free: NDArray[np.bool_],
    side: float,
    aorta: NDArray[np.float64],
    liver: NDArray[np.float64],
) -> tuple[Landmark, NDArray[np.bool_]] | None:
    """Finds a kidney: the ellipsoid beside the spine with the largest contrast to the shell around it."""
    grey = np.where(free, np.clip(volume.hu, -110, 170), np.minimum(volume.hu, -60))  # excludes the liver
    grey = np.clip(grey, -110, 170)
    best = None
    usual = np.array([volume.middle + side * 63, aorta[1] - 8, liver[2] - 50])
    prior = _compute_squared_distances(volume, usual, (14, 17, 32))
    for size in (0.8, 1.0, 1.2):
        inner, shell = _make_ellipsoid(size, 0.0, volume.step), _make_ellipsoid(size, SHELL_MM, volume.step)
        within, around = _mean_filter(grey, inner), _mean_filter(grey, shell)
        shell_mean = (around * shell.sum() - within * inner.sum()) / (shell.sum() - inner.sum())
        score = within - shell_mean - 6.0 * prior
        at = np.unravel_index(int(score.argmax()), score.shape)
        if best is None or score[at] > best[0]:
            best = float(score[at]), at, size, float(within[at] - shell_mean[at])
    if best is None:
        return None
    _, at, size, contrast = best
    centre = np.array(at) * volume.step
    for _ in range(3):  # moves the template to the centre of the tissue
        near = _mark_ellipsoid(volume, centre, [1.1 * size * half for half in KIDNEY_MM])
        inside = near & free & (volume.hu > 0)
        if inside.sum() < 30:
            return None
        centre = _compute_centre(inside, volume)
    values = volume.hu[ndimage.binary_erosion(inside)]
    if len(values) < 20:
        return None
    spread = float(np.subtract(*np.quantile(values, (0.85, 0.15))))
    sure = float(np.clip((contrast - 25) / 60, 0, 1))
    where = _mark_ellipsoid(volume, centre, [1.25 * size * half for half in KIDNEY_MM])
    return Landmark(volume.to_world(centre), float(np.median(values)), sure, spread), where


def _find_spleen(
    volume: CoarseVolume, free: NDArray[np.bool_], aorta: NDArray[np.float64], liver: NDArray[np.float64]
) -> Landmark | None:
    """Finds the spleen: the thickest soft tissue at the left back that is not a kidney."""
    deep = ndimage.distance_transform_edt(free, volume.step)
    shadow = np.flatnonzero(volume.body.any((1, 2)))
    edge = shadow.min() * volume.step[0]
    usual = np.array([edge + 0.36 * (volume.middle - edge), aorta[1] + 5, liver[2] + 8])
    prior = _compute_squared_distances(volume, usual, (18, 20, 28))
    score = np.minimum(deep, 24) - 2.5 * prior
    at = np.unravel_index(int(score.argmax()), score.shape)
    radius = float(deep[at])
    if radius < 5 or float(prior[at]) > 9:
        return None
    region, hu, spread = _grow_region(volume, free, at, max(6.0, 0.8 * radius), 5.0)
    region &= _compute_distances(volume, np.array(at) * volume.step) < 75
    centre = _compute_centre(region, volume)
    litres = region.sum() * np.prod(volume.step) / 1e6
    sure = np.clip((radius - 3) / 8, 0, 1) * np.clip(litres / 0.06, 0, 1) * float(10 < hu < 260)
    return Landmark(volume.to_world(centre), hu, float(sure), spread)


def _compute_centre(region: NDArray[np.bool_], volume: CoarseVolume) -> NDArray[Any]:
    return np.argwhere(region).mean(0) * volume.step


def _compute_distances(volume: CoarseVolume, centre: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the distance of all voxels from a point, mm."""
    return np.sqrt(_compute_squared_distances(volume, centre, (1.0, 1.0, 1.0)))


def _mark_ellipsoid(volume: CoarseVolume, centre: NDArray[Any], halves: Sequence[float]) -> NDArray[np.bool_]:
    return _compute_squared_distances(volume, centre, halves) < 1


def _compute_squared_distances(
    volume: CoarseVolume, centre: NDArray[Any], halves: Sequence[float]
) -> NDArray[np.float64]:
    """Returns the squared distances (X, Y, Z) of all voxels from a point, in units of the half axes."""
    x, y, z = (np.square((volume.axis(n) - centre[n]) / halves[n]) for n in range(3))
    return x[:, None, None] + y[:, None] + z


def _make_ellipsoid(size: float, more: float, step: tuple[float, float, float]) -> NDArray[np.float32]:
    halves = [size * half + more for half in KIDNEY_MM]
    axes = [np.arange(-int(h / s), int(h / s) + 1) * s / h for h, s in zip(halves, step, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return (x * x + y * y + z * z <= 1).astype(np.float32)


def _mean_filter(grey: NDArray[np.float32], form: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes the mean over a symmetric kernel around each voxel; outside is the lowest value."""
    low = float(grey.min())
    size = [fft.next_fast_len(n + k - 1, True) for n, k in zip(grey.shape, form.shape, strict=True)]
    product = fft.rfftn(grey - low, size) * fft.rfftn(form / form.sum(), size)
    keep = tuple(slice(k // 2, k // 2 + n) for n, k in zip(grey.shape, form.shape, strict=True))
    return fft.irfftn(product, size)[keep].astype(np.float32) + np.float32(low)
