"""What is measured once of a background: noise, resolution, tissues, and where its liver lies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from scripts.lidia.implant.background import Background
from scripts.lidia.implant.edge_preserving import Shares, denoise, smooth
from scripts.lidia.implant.mask_morphology import Mask, around, open_mask
from scripts.lidia.implant.scan_noise import Noise, measure_noise
from scripts.lidia.implant.scan_sharpness import measure_blur
from scripts.lidia.implant.tissue_map import Levels, find_tissues, liver_level, local_level
from scripts.lidia.phantom.shapes import Box, Field, Frame
from scripts.lidia.phantom.vessels import CROWN, PORTA

LIVER_CENTRE = (48.0, 4.0, 5.0)
"""Centre of the phantom's livers in its own frame in mm; a real liver is laid there."""
MARGIN = 12.0
"""mm around the liver that an implant may reach."""


class Scanned(NamedTuple):
    """What one phase of a background shows.

    Attributes:
        clean: (X, Y, Z) denoised HU.
        kept: share (0-1) of the noise that stayed in `clean`.
        noise: strength and colour of the noise that was taken out.
        blur: in the plane in mm (sigma).
        level: HU of the parenchyma.
        uneven: (X, Y, Z) HU by which the parenchyma around a voxel differs from `level`.
    """

    clean: Field
    kept: Field
    noise: Noise
    blur: float
    level: float
    uneven: Field


class Anatomy(NamedTuple):
    """A background that is ready for implants.

    Attributes:
        source: the background.
        scanned: by phase.
        body: box around the patient.
        shares: share (0-1) of each tissue, (body) float16.
        large: wide vessels and existing lesions in the liver, which implants leave free.
        levels: of parenchyma and blood in the reference phase.
        frame: the background's voxels in the phantom's mm.
        box: the liver and `MARGIN` around it.
        depth: (box) mm from the liver's surface, positive inside.
    """

    source: Background
    scanned: dict[str, Scanned]
    body: Box
    shares: dict[str, NDArray[np.float16]]
    large: Mask
    levels: Levels
    frame: Frame
    box: Box
    depth: Field


def measure_anatomy(background: Background) -> Anatomy:
    """Measures a background."""
    spacing, liver = background.spacing, background.liver
    scanned = {phase: _scan(hu, liver, background) for phase, hu in background.phases.items()}
    frame = _frame(background)
    phase = background.reference
    here = scanned[phase]
    x, y, z = frame.open()
    to_porta, to_crown = (np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) for a, b, c in (PORTA, CROWN))
    found = find_tissues(here.clean, liver, spacing, phase, to_crown - to_porta)
    body = _body(here.clean, spacing)
    shares_of = Shares(here.clean[body], spacing, here.noise.level)
    shares = {name: shares_of(mask[body]) for name, mask in found.parts.items()}
    box = around(liver)
    box = frame.box(
        [(axis[c.start] + axis[c.stop - 1]) / 2 for axis, c in zip(frame, box, strict=True)],
        [(axis[c.stop - 1] - axis[c.start]) / 2 + MARGIN for axis, c in zip(frame, box, strict=True)],
    )
    inside = liver[box]
    depth = distance_transform_edt(inside, sampling=spacing)
    depth -= distance_transform_edt(~inside, sampling=spacing)
    return Anatomy(
        background, scanned, body, shares, found.large, found.levels, frame, box, depth.astype(np.float32)
    )


def _body(clean: Field, spacing: tuple[float, float, float]) -> Box:
    """Box around the patient, without the table beside him."""
    coarse = open_mask(clean[::4, ::4] > -300, (4 * spacing[0], 4 * spacing[1], spacing[2]), 12.0)
    cuts = around(coarse, 3) if coarse.any() else around(clean > -300)
    x, y = (
        slice(4 * cut.start, min(4 * cut.stop, n)) for cut, n in zip(cuts[:2], clean.shape[:2], strict=True)
    )
    return x, y, slice(0, clean.shape[2])


def _scan(hu: Field, liver: Mask, background: Background) -> Scanned:
    spacing = background.spacing
    box = around(liver, 2)
    inside = liver[box]
    rough = smooth(hu[box], spacing, 2.0, 1.0)
    level = liver_level(rough, inside, spacing)
    even = inside & (np.abs(rough - level) < 15)
    deep = even & (distance_transform_edt(inside, sampling=spacing) > 5)
    noise = measure_noise(hu[box], deep if deep.sum() > 500 else even, spacing)
    clean, kept = denoise(hu, spacing, noise.level)
    deep &= kept[box] < 0.3
    noise = measure_noise((hu - clean)[box], deep if deep.sum() > 500 else even, spacing)
    level = liver_level(clean[box], inside, spacing)
    uneven = local_level(clean, liver, spacing, level) - np.float32(level)
    return Scanned(clean, kept, noise, measure_blur(hu, spacing), level, uneven)


def _frame(background: Background) -> Frame:
    """The voxels' mm, moved so that the liver's centre lies where the phantom's livers have theirs."""
    axes = []
    for axis, (step, wanted) in enumerate(zip(background.spacing, LIVER_CENTRE, strict=True)):
        rest = tuple(a for a in range(3) if a != axis)
        weight = background.liver.sum(rest, dtype=float)
        place = np.arange(len(weight)) * step
        axes.append((place - float((weight * place).sum() / weight.sum()) + wanted).astype(np.float32))
    return Frame(*axes)
