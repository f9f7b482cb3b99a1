"""Segments the background coarsely into tissues, by HU, liver mask and position.

Tissues are separated if they enhance differently from phase to phase. Without contrast medium, organs and
vessels outside the liver have the same HU and are not separated: all soft tissue is treated as muscle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from scripts.lidia.implant.edge_preserving import smooth
from scripts.lidia.implant.mask_morphology import Mask, bounding_box_with_margin, close_mask, open_mask
from scripts.lidia.phantom.shapes import Field
from scripts.lidia.phantom.tissues import ORGANS, VESSELS
from scripts.lidia.vocabulary import PHASES

BONE = {"nc": 250.0, "arterial": 480.0, "venous": 300.0, "delayed": 280.0}
"""HU above all vessels of the phase, used to detect bone."""
SOFT_TISSUE = 230.0
FLUID = 32.0
"""Below this (HU) are water, bile, bowel content, fat and gas, which do not enhance."""
WIDEST_VESSEL = 9.0
"""Radius in mm of the widest vessel in a liver; wider structures are lesions."""
LOCAL = 12.0
"""Size (mm, sigma) of the neighbourhood for the local level of the parenchyma."""
LARGE_VESSEL = 3.2
"""Radius in mm from which vessels are not overwritten by implants."""
CORRIDOR = 42.0
"""Great vessels lie within this distance in mm beside the middle of the spine."""
CAVA = 6.0
"""The vena cava lies more than this distance in mm to the right of the middle of the spine."""


class Levels(NamedTuple):
    """HU levels measured in the background.

    Attributes:
        liver: HU of the parenchyma.
        blood: HU of the great vessels; from the table if none are found.
        has_vessels: whether great vessels are found.
        veins: HU of the veins in the liver.
    """

    liver: float
    blood: float
    has_vessels: bool
    veins: float


class Tissues(NamedTuple):
    """Masks (X, Y, Z).

    Attributes:
        parts: `parenchyma`, `portal` and `hepatic` veins and `lesion` in the liver mask; outside the
            enhancing tissues, by their names in the phantom's tables.
        large: wide vessels and lesions within the liver, which implants avoid.
        levels: HU levels of the background.
    """

    parts: dict[str, Mask]
    large: Mask
    levels: Levels


def find_tissues(
    clean: Field, liver: Mask, spacing: Sequence[float], phase: str, near_porta: Field
) -> Tissues:
    """Segments the tissues of a background.

    Args:
        clean: (X, Y, Z) denoised HU of the phase.
        liver: the liver mask.
        spacing: voxel size in mm.
        phase: name of the phase.
        near_porta: (X, Y, Z), positive where a vessel in the liver is more likely portal than hepatic.
    """
    level = measure_liver_level(clean, liver, spacing)
    table = VESSELS["aorta"].hu[PHASES.index(phase)]
    if phase == "nc":
        levels = Levels(level, table, False, table)
        outside = {
            "muscle": ~liver & (clean > FLUID) & (clean < SOFT_TISSUE) & ~_segment_bone(clean, spacing, phase)
        }
    else:
        outside, levels = _segment_outside(clean, liver, spacing, phase, level)
    inside, large = _segment_liver(clean, liver, spacing, levels, phase, near_porta)
    veins = clean[open_mask(inside["portal"] | inside["hepatic"], spacing, 2.0)]
    if len(veins) > 50:
        levels = levels._replace(veins=float(np.quantile(veins, 0.75)))
    return Tissues(inside | outside, large, levels)


def measure_liver_level(clean: Field, liver: Mask, spacing: Sequence[float]) -> float:
    """Measures the HU of the parenchyma: the median deep in the mask, without vessels."""
    deep = distance_transform_edt(liver, sampling=spacing) > 6
    values = clean[deep if deep.sum() > 500 else liver]
    level = float(np.median(values))
    for _ in range(3):
        level = float(np.median(values[np.abs(values - level) < 15]))
    return level


def measure_local_level(clean: Field, liver: Mask, spacing: Sequence[float], level: float) -> Field:
    """Measures the HU (X, Y, Z) of the parenchyma around each voxel of the liver; `level` far from it."""
    even = liver & (np.abs(clean - level) < 15)
    box = bounding_box_with_margin(liver, 4)
    weight = smooth(even[box], spacing, LOCAL)
    rest = smooth(np.where(even[box], clean[box] - level, 0), spacing, LOCAL)
    out = np.full(clean.shape, level, np.float32)
    out[box] += rest / np.maximum(weight, 0.02)
    return out


def _segment_liver(
    clean: Field, liver: Mask, spacing: Sequence[float], levels: Levels, phase: str, near_porta: Field
) -> tuple[dict[str, Mask], Mask]:
    calm = smooth(clean, spacing, 1.2)
    contrast = levels.blood - levels.liver
    if phase == "nc":
        # blood is darker than a healthy liver and brighter than a fatty one; in between both are equal
        vessel = (np.sign(contrast) * (calm - levels.liver - contrast / 2) > 0) & (abs(contrast) > 8)
        vessel &= liver & (np.abs(calm - levels.blood) < 14)
    else:
        even = measure_local_level(clean, liver, spacing, levels.liver)
        vessel = liver & (calm > even + np.clip(0.45 * contrast, 11, 25))
    vessel &= ~open_mask(vessel, spacing, WIDEST_VESSEL)
    lesion = open_mask(liver & ~vessel & (np.abs(calm - levels.liver) > 22), spacing, 2.5)
    # the surface is dark by partial volume; a lesion has a core
    deep = distance_transform_edt(liver, sampling=spacing) > 4
    lesion = open_mask(lesion & deep, spacing, 2.5)
    portal = vessel & (near_porta > 0)
    parts = {
        "parenchyma": liver & ~vessel & ~lesion,
        "portal": portal,
        "hepatic": vessel & ~portal,
        "lesion": lesion & (calm > FLUID),
    }
    return parts, open_mask(vessel, spacing, LARGE_VESSEL) | lesion


def _segment_outside(
    clean: Field, liver: Mask, spacing: Sequence[float], phase: str, level: float
) -> tuple[dict[str, Mask], Levels]:
    """Segments the tissues outside the liver in a contrast phase and measures the level of the blood."""
    number = PHASES.index(phase)
    muscle, pancreas, kidney = (ORGANS[n].hu[number] for n in ("muscle", "pancreas", "kidney_cortex"))
    soft = (muscle + pancreas) / 2
    bone = _segment_bone(clean, spacing, phase)
    x, y = _compute_distance_from_spine(bone, clean > 0.55 * BONE[phase], liver, spacing)
    # marrow is as dense as blood; the bone around it is denser
    spine = (np.abs(x) < 28) & (y > -90) & (y < 1)
    bone |= close_mask((clean > 0.55 * BONE[phase]) & spine, spacing, 7.0)
    free = (smooth(clean, spacing, 4.0) > -300) & ~liver & ~bone & (clean > FLUID)
    bright = free & (clean > soft) & (clean < BONE[phase])
    beside = (np.abs(x) < CORRIDOR - 8) & (y > 0) & (y < 40)
    great = clean[open_mask(bright & beside, spacing, 5.0)]
    has_vessels = len(great) * float(np.prod(spacing)) > 5000
    blood = float(np.quantile(great, 0.7)) if has_vessels else VESSELS["aorta"].hu[number]
    levels = Levels(level, blood, has_vessels, blood)

    vertebra = (np.abs(x) < 18) & (y < -2)
    vessel = bright & ~vertebra & (np.abs(x) < CORRIDOR) & (clean > (blood + min(pancreas, blood - 20)) / 2)
    renal = bright & (np.abs(x) > 22) & (y < 30) & (clean > min(blood, kidney) + 18)
    renal = open_mask(renal, spacing, 4.0)
    spleen = open_mask(bright & ~renal & (x < -CORRIDOR) & (y < 25), spacing, 7.0)
    high = _compute_relative_height(liver) > 0.8
    heart = open_mask(bright & high & (y > 0), spacing, 15.0)
    vessel &= ~renal & ~heart
    behind = (y < 28) & (np.abs(x) < 28)
    assigned = vessel | renal | spleen | heart
    return {
        "muscle": free & (clean <= soft),
        "pancreas": bright & ~assigned,
        "spleen": spleen,
        "kidney": renal,
        "heart": heart,
        "cava": vessel & behind & (x > CAVA),
        "portal_trunk": vessel & ~behind,
        "aorta": vessel & behind & (x <= CAVA),
    }, levels


def _segment_bone(clean: Field, spacing: Sequence[float], phase: str) -> Mask:
    """Segments bone with marrow, dense bowel content and metal, which do not enhance."""
    return close_mask(clean > BONE[phase], spacing, 3.0)


def _compute_distance_from_spine(
    bone: Mask, dense: Mask, liver: Mask, spacing: Sequence[float]
) -> tuple[Field, Field]:
    """Computes mm to the right of the spine, (X, 1, 1), and in front of its vertebrae, (1, Y, Z), per voxel.

    The spine is the position with the most bone along z, to the left of the liver's middle.
    """
    heap = bone.sum(2, dtype=np.float32)
    heap[int(np.argwhere(liver.any((1, 2))).mean()) :] = 0
    heap = gaussian_filter(heap, [12 / s for s in spacing[:2]])
    if heap.any():
        i, j = (int(n) for n in np.unravel_index(int(heap.argmax()), heap.shape))
        reach = max(int(8 / spacing[0]), 1)
        column = dense[max(i - reach, 0) : i + reach + 1].mean(0, dtype=np.float32)
        # the spine is curved: the position of its front changes from slice to slice
        column = gaussian_filter(column, (0, 12 / spacing[2]))[j : j + int(60 / spacing[1])] > 0.35
        ahead = np.where(column.any(0), column.shape[0] - 1 - column[::-1].argmax(0), 0)
        front = j + gaussian_filter(ahead.astype(np.float32), 8 / spacing[2])
    else:
        body = np.argwhere(liver.any(2))
        i, front = int(body[:, 0].min()), np.full(bone.shape[2], body[:, 1].min() + 20 / spacing[1])
    x = (np.arange(bone.shape[0]) - i) * spacing[0]
    y = (np.arange(bone.shape[1])[:, None] - front) * spacing[1]
    return x[:, None, None].astype(np.float32), y[None].astype(np.float32)


def _compute_relative_height(liver: Mask) -> Field:
    """Returns the relative height (1, 1, Z), from 0 at the liver's lower end to 1 at its upper end."""
    at = np.flatnonzero(liver.any((0, 1)))
    z = (np.arange(liver.shape[2]) - at[0]) / max(at[-1] - at[0], 1)
    return z[None, None].astype(np.float32)
