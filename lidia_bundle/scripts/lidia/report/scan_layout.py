"""Choose and sample what a patient's page shows: slices of the liver, pictures of lesions, HU values.

Each phase is read once.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scripts.lidia.components import Component
from scripts.lidia.data.phase_sampling import AIR, read_phase_crop, resample_hu, sample_hu
from scripts.lidia.data.read_volume import HU
from scripts.lidia.geometry.grid import Grid, to_mm
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.morphometry.tissue_samples import sample_mask, sample_parenchyma
from scripts.lidia.phase_id.aorta import find_blood_points
from scripts.lidia.report.contours import orient_for_display
from scripts.lidia.report.phase_pictures import WINDOW
from scripts.lidia.report.read_results import Patient, find_box_with_margin
from scripts.lidia.report.slice_choice import find_box
from scripts.lidia.vocabulary import PHASES

PIXEL_MM, APART_MM, WIDEST_APART_MM = 1.0, 3.0, 5.0
"""Finest pixel of a slice, and finest and coarsest distance between slices."""
MAX_PIXELS = 12e6
"""Largest number of pixels in all slices of all phases: about 2.5 MB of JPEG."""
QUALITY = 80
CROP_PIXELS, CROP_MM = 176, 70.0
"""Sides of a lesion's picture in pixels and mm; larger for a large lesion."""
LIVER, AORTA = "liver", "aorta"
BRIGHT = ("arterial", "venous")
"""Phases in which the aorta is searched, in this order; in later phases bone is as bright as blood."""
BLOOD_HU = (20.0, 75.0)
"""Range of blood before contrast (low for anaemia); brighter samples in `nc` contain bone or plaque."""


class SliceRectangle(NamedTuple):
    """A rectangle of one slice.

    Attributes:
        level: slice number in the patient's box.
        left: centre and half width along x, voxels.
        front: centre and half width along y, voxels.
    """

    level: int
    left: tuple[float, float]
    front: tuple[float, float]


class Layout(NamedTuple):
    """Slices and rectangles that a page shows.

    Attributes:
        box: x and y of the slices.
        levels: slice numbers in the patient's box, from inferior to superior.
        pixels: columns and rows of a slice's picture.
        crops: lesion -> its rectangle.
    """

    box: tuple[slice, slice]
    levels: list[int]
    pixels: tuple[int, int]
    crops: dict[int, SliceRectangle]


class Scan(NamedTuple):
    """Pictures (data URIs) and HU values of one phase.

    Attributes:
        slices: one for each level of the layout.
        crops: lesion -> its picture.
        hu: lesion -> mean, `liver` -> median of its parenchyma, `aorta` -> median of blood if the aorta was
            found with certainty; NaN outside the scan.
    """

    slices: list[str]
    crops: dict[int, str]
    hu: dict[int | str, float]


def lay_out(patient: Patient, phases: int, pictured: int) -> Layout:
    """Lay out slices and rectangles.

    Args:
        patient: results of the patient.
        phases: number of phases to show.
        pictured: number of lesions with pictures, the largest first.
    """
    size = patient.spacing
    mask = patient.liver | (patient.predicted.numbers > 0)
    box = find_box(mask, size, margin=12.0)
    extent = [(side.stop - side.start) * step for side, step in zip(box, size, strict=False)]
    *_, slices = find_box_with_margin([mask], size, margin=0.0)
    low, high = slices.start, slices.stop - 1
    pixel = [max(PIXEL_MM, step) for step in size[:2]]
    area = extent[0] / pixel[0] * (extent[1] / pixel[1]) * max(phases, 1)
    finest, coarsest = (max(1, round(apart / size[2])) for apart in (APART_MM, WIDEST_APART_MM))
    step = int(np.clip(np.ceil((high - low + 1) * area / MAX_PIXELS), finest, coarsest))
    levels = list(range(low + ((high - low) % step) // 2, high + 1, step))
    shrink = max(1.0, np.sqrt(area * len(levels) / MAX_PIXELS))
    pixels = (round(extent[0] / pixel[0] / shrink), round(extent[1] / pixel[1] / shrink))
    largest = sorted(patient.predicted.lesions, key=lambda lesion: -lesion.component.voxels)[:pictured]
    crops = {lesion.number: _choose_rectangle(patient, lesion.component) for lesion in largest}
    return Layout(box, levels, (max(pixels[0], 1), max(pixels[1], 1)), crops)


def _choose_rectangle(patient: Patient, part: Component) -> SliceRectangle:
    mask = patient.predicted.numbers[part.box] == part.instance
    level = int(part.box[2].start + mask.sum(axis=(0, 1)).argmax())
    widest = max((side.stop - side.start) * patient.spacing[axis] for axis, side in enumerate(part.box[:2]))
    half = max(CROP_MM, 1.6 * widest) / 2
    (x, y) = ((side.start + side.stop - 1) / 2 for side in part.box[:2])
    return SliceRectangle(level, (x, half / patient.spacing[0]), (y, half / patient.spacing[1]))


def _make_grid(patient: Patient, window: SliceRectangle, pixels: tuple[int, int], levels: list[int]) -> Grid:
    """Make the grid of pixels of a rectangle on evenly spaced slices."""
    affine = np.eye(4)
    for axis, ((centre, half), count) in enumerate(zip((window.left, window.front), pixels, strict=True)):
        affine[axis, axis] = 2 * half / count
        affine[axis, 3] = centre - half + half / count
    affine[2, 2] = levels[1] - levels[0] if len(levels) > 1 else 1
    affine[2, 3] = levels[0]
    return Grid(patient.affine @ affine, (*pixels, len(levels)))


def read_scans(patient: Patient, layout: Layout) -> dict[str, Scan]:
    """Read the used phases, make their pictures and measure HU.

    Args:
        patient: results of the patient, with the paths of the phases.
        layout: from `lay_out`.

    Returns:
        Phase -> pictures and HU, in temporal order.
    """
    sides = [((side.start + side.stop - 1) / 2, (side.stop - side.start) / 2) for side in layout.box]
    slice_grid = _make_grid(patient, SliceRectangle(0, sides[0], sides[1]), layout.pixels, layout.levels)
    crops = {
        number: _make_grid(patient, window, (CROP_PIXELS, CROP_PIXELS), [window.level])
        for number, window in layout.crops.items()
    }
    points = _collect_points(patient)
    region = np.concatenate([slice_grid.corners(), *(grid.corners() for grid in crops.values())], axis=1)
    used = [phase for phase in PHASES if phase in patient.phases and phase in patient.result["phases_used"]]
    case = str(patient.result["id"])
    parts = {}
    for phase in (phase for phase in BRIGHT if phase in used):
        parts[phase] = read_phase_crop(patient.phases[phase], case, region, whole_slices=True)
        if (blood := _find_aorta_points(parts[phase])) is not None:
            points[AORTA] = blood
            break
    needed = np.concatenate([region, *points.values()], axis=1)
    scans = {}
    for phase in used:
        part = parts.pop(phase, None) or read_phase_crop(patient.phases[phase], case, needed)
        volume = resample_hu(part, slice_grid)
        scans[phase] = Scan(
            [encode_jpeg(volume[:, :, plane]) for plane in range(volume.shape[2])],
            {number: encode_jpeg(resample_hu(part, grid)[:, :, 0]) for number, grid in crops.items()},
            _measure_hu(part, points),
        )
    if "nc" in used and not is_blood_hu(scans["nc"].hu.get(AORTA, math.nan)):
        for scan in scans.values():
            scan.hu.pop(AORTA, None)
    return scans


def is_blood_hu(hu: float) -> bool:
    """Check whether a value is in the range of blood before contrast."""
    return BLOOD_HU[0] < hu < BLOOD_HU[1]


def _find_aorta_points(part: Volume) -> NDArray[np.float64] | None:
    """Find the points where the aorta's HU are read, (3, N) RAS mm; None if the aorta is uncertain."""
    if not part.voxels.size:
        return None
    values = part.voxels
    if values.dtype != np.int16:  # int16 is the scanners' type: avoid a copy to a wider one
        values = np.nan_to_num(values.astype(np.float32), nan=AIR)
    return find_blood_points(np.clip(values, *(values.dtype.type(end) for end in HU)), part.affine)


def _collect_points(patient: Patient) -> dict[int | str, NDArray[np.float64]]:
    """Collect the points where HU are read, (3, N) RAS mm each."""
    indices: dict[int | str, NDArray] = {
        LIVER: sample_parenchyma(patient.liver, patient.predicted.numbers, patient.spacing)
    }
    for lesion in patient.predicted.lesions:
        box = lesion.component.box
        index = sample_mask(patient.predicted.numbers[box] == lesion.number)
        indices[lesion.number] = index + [side.start for side in box]
    return {name: to_mm(patient.affine, index.T) for name, index in indices.items()}


def _measure_hu(part: Volume, points: Mapping[int | str, NDArray[np.float64]]) -> dict[int | str, float]:
    means: dict[int | str, float] = {}
    for name, points_ras in points.items():
        values = sample_hu(part, points_ras)
        values = values[np.isfinite(values)]
        # The mean of a part of a lesion may differ from that of the whole
        if len(values) < 0.9 * points_ras.shape[1] or not len(values):
            means[name] = float("nan")
        else:
            means[name] = float(np.median(values) if name in (LIVER, AORTA) else values.mean())
    return means


def encode_jpeg(plane: NDArray) -> str:
    """Encode a plane of HU as a grey JPEG in a data URI.

    Args:
        plane: `(X, Y)` in RAS, HU.
    """
    low, high = WINDOW
    grey = np.clip((orient_for_display(plane) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
