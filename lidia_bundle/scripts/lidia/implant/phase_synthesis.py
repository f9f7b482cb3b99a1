"""Makes the phases of an implanted patient: real phases stay, others are made from the reference phase.

All functions work on the whole background and on a crop of it, and give the same voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.implant.scan_noise import sample_noise_tile
from scripts.lidia.implant.tissue_maps import TissueHU, TissueMaps
from scripts.lidia.phantom.scanner import NOISIER
from scripts.lidia.phantom.shapes import Box, Field
from scripts.lidia.vocabulary import PHASES

AIR_HU = -400.0
"""Below this (HU) are air and lung, which stay unchanged; from 100 HU above it voxels are fully changed."""
UNTOUCHED = 1e-3
"""Share of an implant below which a voxel keeps its background value."""
FAINT_HU = 0.05
"""Paint in HU below which a voxel keeps its background value."""


class LesionLayers(NamedTuple):
    """Lesions over a box of the background, as layers that are blended into any image.

    Attributes:
        box: the box, in voxels of the maps.
        through: (4, box) share (0-1) of the background that stays visible.
        paint: (4, box) HU that are added to it.
        beside: (box) share (0-1) of lesions whose HU are relative to the parenchyma.
    """

    box: Box
    through: Field
    paint: Field
    beside: Field


def make_phase(
    maps: TissueMaps, tissue_hu: TissueHU, layers: LesionLayers | None, phase: str, shift: Sequence[int]
) -> Field:
    """Makes one phase on the grid of the maps, with the lesions in it (HU).

    Args:
        maps: maps of the background.
        tissue_hu: HU of the patient's tissues.
        layers: lesions of the patient; None for a patient without lesions.
        phase: phase to make.
        shift: voxels by which the periodic noise is shifted.
    """
    if phase not in maps.scans:
        return _convert_reference(maps, tissue_hu, layers, phase, shift)
    image = maps.scans[phase].hu.astype(np.float32)
    if layers is not None:
        image[layers.box] += _compute_lesion_change(maps, tissue_hu, layers, phase, shift)
    return image


def to_hounsfield(image: Field) -> NDArray[np.int16]:
    """Rounds HU to int16 in the range of CT."""
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _compute_lesion_change(
    maps: TissueMaps, tissue_hu: TissueHU, layers: LesionLayers, phase: str, shift: Sequence[int]
) -> Field:
    """Computes the change (box) of a scanned phase: lesions replace the anatomy, and the noise stays."""
    box, number, scan = layers.box, PHASES.index(phase), maps.scans[phase]
    clean, noise_share = scan.clean[box], scan.noise_share[box]
    through, paint = layers.through[number], layers.paint[number]
    cover = 1 - through
    change = paint - cover * clean + layers.beside * scan.uneven[box]
    # a real phase other than the reference has its own level
    change += layers.beside * np.float32(scan.level - tissue_hu.liver[number])
    lost = cover * noise_share
    change += np.sqrt(np.clip(2 * lost - lost * lost, 0, 1)) * _sample_noise(maps, phase, box, shift)
    touched = (cover > UNTOUCHED) | (np.abs(paint) > FAINT_HU)
    return np.where(touched, change, 0)


def _convert_reference(
    maps: TissueMaps, tissue_hu: TissueHU, layers: LesionLayers | None, phase: str, shift: Sequence[int]
) -> Field:
    """Converts the reference phase to another phase and replaces its noise."""
    number = PHASES.index(phase)
    scan = maps.scans[maps.reference]
    image = scan.clean + _compute_tissue_change(maps, tissue_hu, number)
    remaining_noise = scan.noise_share.astype(np.float32)
    if layers is not None:
        box, through = layers.box, layers.through[number]
        lesions = layers.paint[number] + layers.beside * scan.uneven[box]
        image[box] = through * image[box] + lesions
        remaining_noise[box] *= through
    louder = np.float32(NOISIER[phase] / NOISIER[maps.reference])
    x, y, z = maps.shape
    noise = _sample_noise(maps, maps.reference, (slice(0, x), slice(0, y), slice(0, z)), shift)
    # in place, because new arrays of this size cost more than the arithmetic
    added = np.square(remaining_noise, out=remaining_noise)
    np.subtract(louder**2, added, out=added)
    np.sqrt(np.maximum(added, 0, out=added), out=added)
    image += np.multiply(added, noise, out=added)
    loud = np.subtract(scan.clean, np.float32(AIR_HU), out=noise)
    loud /= np.float32(100)
    np.clip(loud, 0, 1, out=loud)
    image -= scan.hu
    image *= loud
    image += scan.hu
    return image


def _compute_tissue_change(maps: TissueMaps, tissue_hu: TissueHU, number: int) -> Field:
    """Computes the change (X, Y, Z) in HU of each voxel from the reference phase to phase `number`."""
    table = tissue_hu.values[:, PHASES.index(maps.reference)]
    before = np.where(np.isnan(maps.measured), table, maps.measured)
    change = (tissue_hu.values[:, number] - before).astype(np.float32)
    shares = maps.shares.astype(np.float32, copy=False).reshape(len(change), -1)
    return (change @ shares).reshape(maps.shape)


def _sample_noise(maps: TissueMaps, phase: str, box: Box, shift: Sequence[int]) -> Field:
    """Samples noise (box) in HU, the same for a voxel of the background in each crop."""
    scan = maps.scans[phase]
    start = [a + cut.start + s for a, cut, s in zip(maps.origin, box, shift, strict=True)]
    noise = sample_noise_tile(scan.noise_tile, start, [cut.stop - cut.start for cut in box])
    return noise * np.float32(scan.noise_level)
