"""Simulates a scanner: slices, blur, correlated noise, and a separate grid for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter1d

from scripts.lidia.phantom.recipes import Recipe
from scripts.lidia.phantom.shapes import Field, Frame, frame_of
from scripts.lidia.vocabulary import PHASES

FOV = (340.0, 250.0, 200.0)
"""Default field of view in mm."""
FINEST = 2.0
"""Largest thickness (mm) of the layers that a slice is averaged from, which gives partial volume."""
OUTSIDE_BODY = -990.0
"""HU below which air has no noise."""
NOISIER = {"nc": 1.15, "arterial": 1.0, "venous": 1.0, "delayed": 1.1}
"""Factor on the noise of phases with a lower tube current."""


class Scan(NamedTuple):
    """Scan settings of one phase.

    Attributes:
        frame: voxel centres in mm.
        noise: SD in HU.
        kernel: in-plane correlation of the noise in mm.
        psf: in-plane blur in mm.
    """

    frame: Frame
    noise: float
    kernel: float
    psf: float


def plan_scans(
    rng: np.random.Generator,
    recipe: Recipe,
    spacing: Sequence[float] | None,
    fov: Sequence[float] | None,
) -> dict[str, Scan]:
    """Draws the scan settings of the four phases, each with its own grid.

    Args:
        rng: random generator of grids and noise levels.
        recipe: the scanner.
        spacing: voxel size (mm) of all phases; by default that of the recipe.
        fov: field of view (mm); by default `FOV`.
    """
    pixel, level = rng.uniform(*recipe.in_plane), rng.uniform(*recipe.noise)
    kernel, psf = rng.uniform(*recipe.kernel), rng.uniform(*recipe.psf)
    middle = rng.uniform(-3, 3, 3)
    scans = {}
    for phase, choices in zip(PHASES, recipe.slices, strict=True):
        thickness = float(rng.choice(choices))
        step = (pixel * rng.uniform(0.96, 1.04),) * 2 + (thickness,)
        if spacing is not None:
            step = tuple(s * rng.uniform(0.99, 1.01) if phase != "venous" else s for s in spacing)  # type: ignore
        extent = np.asarray(fov or FOV) * (1 if phase == "venous" else rng.uniform(0.98, 1.04))
        offset = middle + rng.uniform(-1, 1, 3) * (4, 4, 6)
        noise = level * NOISIER[phase] * np.sqrt(5 / step[2])
        scans[phase] = Scan(frame_of(extent, step, offset), float(noise), kernel, psf)
    return scans


def drawing_frame(venous: Frame, margin: float) -> tuple[Frame, int, int]:
    """Makes the frame in which the patient is drawn: the venous grid with its slices divided into layers.

    Returns:
        The frame, the layers per slice, and the slices added at both ends (`margin` mm).
    """
    thickness = venous.spacing[2]
    layers = max(1, int(np.ceil(thickness / FINEST - 1e-3)))
    extra = int(np.ceil(margin / thickness))
    slices = len(venous.z) + 2 * extra
    start = venous.z[0] - extra * thickness - thickness / 2
    z = start + (np.arange(slices * layers) + 0.5) * thickness / layers
    return Frame(venous.x, venous.y, z.astype(np.float32)), layers, extra


def to_slices(volume: Field, layers: int, extra: int) -> Field:
    """Averages the layers of each venous slice: (X, Y, Z)."""
    x, y, z = volume.shape
    slices = volume.reshape(x, y, z // layers, layers)
    slices = slices[:, :, extra : z // layers - extra]
    total = slices[..., 0].copy()
    for layer in range(1, layers):
        total += slices[..., layer]
    return total * np.float32(1 / layers)


def to_scan(volume: Field, drawn: Frame, scan: Frame, moved: tuple[Field, Field, Field]) -> Field:
    """Resamples the volume to a scan's grid, displaced by `moved` mm and averaged over slice thickness."""
    step, thickness = drawn.spacing[2], scan.spacing[2]
    reach = int(np.ceil((thickness + step) / (2 * step)))
    overlap = (thickness + step) / 2 - np.abs(np.arange(-reach, reach + 1)) * step
    weights = np.clip(overlap, 0, min(step, thickness))
    weights = weights[weights > 1e-6]
    thick = convolve1d(volume, weights / weights.sum(), axis=2, mode="nearest")
    grid = []
    for axis, wanted, shift in zip(drawn, scan.open(), moved, strict=True):
        middle, half = (axis[-1] + axis[0]) / 2, (axis[-1] - axis[0]) / 2
        grid.append((wanted + shift - middle) * np.float32(1 / half))
    stacked = np.stack(np.broadcast_arrays(*grid[::-1]), -1)
    sampled = torch.nn.functional.grid_sample(
        torch.from_numpy(thick)[None, None],
        torch.from_numpy(stacked)[None],
        padding_mode="border",
        align_corners=True,
    )
    return sampled[0, 0].numpy()


def expose(image: Field, scan: Scan, rng: np.random.Generator) -> NDArray[np.int16]:
    """Adds blur and noise: (X, Y, Z) HU as int16."""
    pixel = scan.frame.spacing[0]
    blur = np.sqrt(scan.psf**2 + (0.29 * pixel) ** 2) / pixel
    for axis in (0, 1):
        image = gaussian_filter1d(image, blur, axis=axis, truncate=2.5)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    colour = scan.kernel / pixel
    for axis in (0, 1):
        noise = gaussian_filter1d(noise, colour, axis=axis, truncate=2.5)
    sample = noise[::4, ::4]
    noise *= np.float32(scan.noise / max(float(sample.std()), 1e-6))
    noise[image < OUTSIDE_BODY] = 0
    image = np.rint(image + noise)
    return np.clip(image, -1024, 3071).astype(np.int16)
