"""Measures a background once: noise, resolution, tissues, and the position of its liver."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.implant.background import Background
from scripts.lidia.implant.edge_preserving import TissueShares, denoise, smooth
from scripts.lidia.implant.mask_morphology import Mask, bounding_box_with_margin, open_mask
from scripts.lidia.implant.scan_noise import make_noise_tile, measure_noise
from scripts.lidia.implant.scan_sharpness import measure_blur
from scripts.lidia.implant.segment_tissues import (
    Tissues,
    find_tissues,
    measure_liver_level,
    measure_local_level,
)
from scripts.lidia.implant.tissue_maps import ScanMaps, TissueMaps
from scripts.lidia.phantom.shapes import Box, Field, Frame
from scripts.lidia.phantom.vessels import CROWN, PORTA

LIVER_CENTRE = (48.0, 4.0, 5.0)
"""Centre of the phantom's livers in its own frame in mm; the real liver is moved to it."""
PURE = 0.8
"""Share from which a voxel counts as one tissue."""
FEWEST_VOXELS = 50
"""Number of pure voxels from which the HU of a tissue are measured."""
MARGIN = 12.0
"""Distance in mm around the liver that an implant may reach."""


class Anatomy(NamedTuple):
    """A measured background, ready for implants.

    Attributes:
        source: the background.
        maps: maps from which the phases are made.
        blur: in-plane blur of the reference phase in mm (sigma).
        large: wide vessels and existing lesions in the liver, which implants avoid.
        frame: the background's voxels in the phantom's mm.
        box: the liver and `MARGIN` around it.
        depth: (box) mm from the liver's surface, positive inside.
    """

    source: Background
    maps: TissueMaps
    blur: float
    large: Mask
    frame: Frame
    box: Box
    depth: Field


def measure_anatomy(background: Background) -> Anatomy:
    """Measures a background."""
    spacing, liver = background.spacing, background.liver
    scans = {phase: _measure_scan(hu, liver, background) for phase, hu in background.phases.items()}
    frame = _make_frame(background)
    phase = background.reference
    reference = scans[phase]
    x, y, z = frame.open()
    to_porta, to_crown = (np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) for a, b, c in (PORTA, CROWN))
    tissues = find_tissues(reference.clean, liver, spacing, phase, to_crown - to_porta)
    body = _find_body_box(reference.clean, spacing)
    shares_of = TissueShares(reference.clean[body], spacing, reference.noise_level)
    shares = np.zeros((len(tissues.parts), *liver.shape), np.float16)
    for number, mask in enumerate(tissues.parts.values()):
        shares[(number, *body)] = shares_of(mask[body])
    box = bounding_box_with_margin(liver)
    box = frame.box(
        [(axis[c.start] + axis[c.stop - 1]) / 2 for axis, c in zip(frame, box, strict=True)],
        [(axis[c.stop - 1] - axis[c.start]) / 2 + MARGIN for axis, c in zip(frame, box, strict=True)],
    )
    inside = liver[box]
    depth = distance_transform_edt(inside, sampling=spacing)
    depth -= distance_transform_edt(~inside, sampling=spacing)
    measured = _measure_tissues(reference.clean, shares, tissues)
    maps = TissueMaps(phase, scans, tuple(tissues.parts), shares, tissues.levels, measured)
    blur = measure_blur(background.phases[phase], spacing)
    return Anatomy(background, maps, blur, tissues.large, frame, box, depth.astype(np.float32))


def _measure_tissues(clean: Field, shares: NDArray, tissues: Tissues) -> Field:
    """Measures the median HU (T,) of each tissue; that of the veins and of the parenchyma is in its levels.

    Lesions that the patient has are not measured: what they are in another phase follows from their type.
    """
    known = {"portal": tissues.levels.veins, "hepatic": tissues.levels.veins, "lesion": np.nan}
    known["parenchyma"] = tissues.levels.liver
    measured = []
    for name, share in zip(tissues.parts, shares, strict=True):
        pure = clean[share > PURE] if name not in known else ()
        measured.append(known.get(name, float(np.median(pure)) if len(pure) >= FEWEST_VOXELS else np.nan))
    return np.array(measured, np.float32)


def _find_body_box(clean: Field, spacing: tuple[float, float, float]) -> Box:
    """Returns the box around the patient, without the table."""
    coarse = open_mask(clean[::4, ::4] > -300, (4 * spacing[0], 4 * spacing[1], spacing[2]), 12.0)
    cuts = bounding_box_with_margin(coarse, 3) if coarse.any() else bounding_box_with_margin(clean > -300)
    x, y = (
        slice(4 * cut.start, min(4 * cut.stop, n)) for cut, n in zip(cuts[:2], clean.shape[:2], strict=True)
    )
    return x, y, slice(0, clean.shape[2])


def _measure_scan(hu: Field, liver: Mask, background: Background) -> ScanMaps:
    spacing = background.spacing
    box = bounding_box_with_margin(liver, 2)
    inside = liver[box]
    rough = smooth(hu[box], spacing, 2.0, 1.0)
    level = measure_liver_level(rough, inside, spacing)
    even = inside & (np.abs(rough - level) < 15)
    deep = even & (distance_transform_edt(inside, sampling=spacing) > 5)
    noise = measure_noise(hu[box], deep if deep.sum() > 500 else even, spacing)
    clean, noise_share = denoise(hu, spacing, noise.level)
    deep &= noise_share[box] < 0.3
    noise = measure_noise((hu - clean)[box], deep if deep.sum() > 500 else even, spacing)
    level = measure_liver_level(clean[box], inside, spacing)
    uneven = measure_local_level(clean, liver, spacing, level) - np.float32(level)
    return ScanMaps(hu, clean, noise_share, uneven, level, noise.level, make_noise_tile(noise))


def _make_frame(background: Background) -> Frame:
    """Returns voxel coordinates in mm, shifted so that the liver's centre is LIVER_CENTRE."""
    axes = []
    for axis, (step, target) in enumerate(zip(background.spacing, LIVER_CENTRE, strict=True)):
        rest = tuple(a for a in range(3) if a != axis)
        weight = background.liver.sum(rest, dtype=float)
        place = np.arange(len(weight)) * step
        axes.append((place - float((weight * place).sum() / weight.sum()) + target).astype(np.float32))
    return Frame(*axes)
