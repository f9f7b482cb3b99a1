"""What a patient's page shows of the phases: slices of the liver, pictures of lesions, and their HU.

Every phase is read once; all that is shown and measured of it comes from that.
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
from scripts.lidia.data.read_volume import HU
from scripts.lidia.geometry.grid import Grid, to_mm
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.morphometry.tissue_samples import inside, parenchyma
from scripts.lidia.phase_id.aorta import find_blood_points
from scripts.lidia.report.contours import upright
from scripts.lidia.report.phase_pictures import WINDOW
from scripts.lidia.report.phase_sampling import AIR, read_part, resample_hu, sample_hu
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.slice_choice import box_of
from scripts.lidia.vocabulary import PHASES

PIXEL_MM, APART_MM, WIDEST_APART_MM = 1.0, 3.0, 5.0
"""Finest pixel of a slice, and finest and coarsest distance between slices."""
PIXELS = 12e6
"""Of all slices of all phases: about 2.5 MB of JPEG."""
QUALITY = 80
CROP_PIXELS, CROP_MM = 176, 70.0
"""Sides of a lesion's picture; larger where the lesion is."""
LIVER, AORTA = "liver", "aorta"
BRIGHT = ("arterial", "venous")
"""Phases that the aorta is looked for in until it is surely found; in later ones bone is as bright."""
BLOOD_HU = (20.0, 75.0)
"""Blood before contrast, from anaemia to thick blood; what is brighter in `nc` holds bone or plaque."""


class Window(NamedTuple):
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
    """Which slices and rectangles are shown.

    Attributes:
        box: x and y of the slices.
        levels: slice numbers in the patient's box, from the feet up.
        pixels: columns and rows of a slice's picture.
        crops: lesion -> its rectangle.
    """

    box: tuple[slice, slice]
    levels: list[int]
    pixels: tuple[int, int]
    crops: dict[int, Window]


class Scan(NamedTuple):
    """What is shown of one phase; pictures are data URIs.

    Attributes:
        slices: one a level of the layout.
        crops: lesion -> its picture.
        hu: lesion -> its mean, `liver` -> the median of its own tissue, and `aorta` -> that of blood where
            it was surely found; NaN beyond the scan.
    """

    slices: list[str]
    crops: dict[int, str]
    hu: dict[int | str, float]


def lay_out(patient: Patient, phases: int, pictured: int) -> Layout:
    """Choose slices and rectangles.

    Args:
        patient: his results.
        phases: how many phases there are to show.
        pictured: how many lesions get pictures, the largest first.
    """
    size = patient.spacing
    box = box_of(patient.liver | (patient.found.numbers > 0), size, margin=12.0)
    extent = [(side.stop - side.start) * step for side, step in zip(box, size, strict=False)]
    there = np.flatnonzero((patient.liver | (patient.found.numbers > 0)).any(axis=(0, 1)))
    low, high = (int(there[0]), int(there[-1])) if len(there) else (0, patient.liver.shape[2] - 1)
    pixel = [max(PIXEL_MM, step) for step in size[:2]]
    area = extent[0] / pixel[0] * (extent[1] / pixel[1]) * max(phases, 1)
    finest, coarsest = (max(1, round(apart / size[2])) for apart in (APART_MM, WIDEST_APART_MM))
    step = int(np.clip(np.ceil((high - low + 1) * area / PIXELS), finest, coarsest))
    levels = list(range(low + ((high - low) % step) // 2, high + 1, step))
    shrink = max(1.0, np.sqrt(area * len(levels) / PIXELS))
    pixels = (round(extent[0] / pixel[0] / shrink), round(extent[1] / pixel[1] / shrink))
    largest = sorted(patient.found.lesions, key=lambda lesion: -lesion.part.voxels)[:pictured]
    crops = {lesion.number: _window(patient, lesion.part) for lesion in largest}
    return Layout(box, levels, (max(pixels[0], 1), max(pixels[1], 1)), crops)


def _window(patient: Patient, part: Component) -> Window:
    mask = patient.found.numbers[part.box] == part.instance
    level = int(part.box[2].start + mask.sum(axis=(0, 1)).argmax())
    widest = max(
        (side.stop - side.start) * step for side, step in zip(part.box[:2], patient.spacing, strict=False)
    )
    half = max(CROP_MM, 1.6 * widest) / 2
    (x, y) = ((side.start + side.stop - 1) / 2 for side in part.box[:2])
    return Window(level, (x, half / patient.spacing[0]), (y, half / patient.spacing[1]))


def _grid(patient: Patient, window: Window, pixels: tuple[int, int], levels: list[int]) -> Grid:
    """Pixels that fill a rectangle on evenly spaced slices."""
    affine = np.eye(4)
    for axis, ((centre, half), count) in enumerate(zip((window.left, window.front), pixels, strict=True)):
        affine[axis, axis] = 2 * half / count
        affine[axis, 3] = centre - half + half / count
    affine[2, 2] = levels[1] - levels[0] if len(levels) > 1 else 1
    affine[2, 3] = levels[0]
    return Grid(patient.affine @ affine, (*pixels, len(levels)))


def read_scans(patient: Patient, layout: Layout) -> dict[str, Scan]:
    """Read the phases that were used and make their pictures and means.

    Args:
        patient: his results, with the paths of his phases.
        layout: of `lay_out`.

    Returns:
        Phase -> what is shown of it, in temporal order.
    """
    sides = [((side.start + side.stop - 1) / 2, (side.stop - side.start) / 2) for side in layout.box]
    whole = _grid(patient, Window(0, sides[0], sides[1]), layout.pixels, layout.levels)
    crops = {
        number: _grid(patient, window, (CROP_PIXELS, CROP_PIXELS), [window.level])
        for number, window in layout.crops.items()
    }
    places = _places(patient)
    region = np.concatenate([whole.corners(), *(grid.corners() for grid in crops.values())], axis=1)
    used = [phase for phase in PHASES if phase in patient.phases and phase in patient.result["phases_used"]]
    case = str(patient.result["id"])
    parts = {}
    for phase in (phase for phase in BRIGHT if phase in used):
        parts[phase] = read_part(patient.phases[phase], case, region, whole_slices=True)
        if (blood := _blood(parts[phase])) is not None:
            places[AORTA] = blood
            break
    wanted = np.concatenate([region, *places.values()], axis=1)
    scans = {}
    for phase in used:
        part = parts.pop(phase, None) or read_part(patient.phases[phase], case, wanted)
        shown = resample_hu(part, whole)
        scans[phase] = Scan(
            [_jpeg(shown[:, :, plane]) for plane in range(shown.shape[2])],
            {number: _jpeg(resample_hu(part, grid)[:, :, 0]) for number, grid in crops.items()},
            _means(part, places),
        )
    if "nc" in used and not is_blood(scans["nc"].hu.get(AORTA, math.nan)):
        for scan in scans.values():
            scan.hu.pop(AORTA, None)
    return scans


def is_blood(hu: float) -> bool:
    """Whether that can be blood alone before contrast."""
    return BLOOD_HU[0] < hu < BLOOD_HU[1]


def _blood(part: Volume) -> NDArray[np.float64] | None:
    """Where the aorta's HU are read, (3, N) RAS mm; None where it was not surely found."""
    if not part.voxels.size:
        return None
    values = part.voxels
    if values.dtype != np.int16:  # as scanners say it; a large scan is not copied to a wider type
        values = np.nan_to_num(values.astype(np.float32), nan=AIR)
    return find_blood_points(np.clip(values, *(values.dtype.type(end) for end in HU)), part.affine)


def _places(patient: Patient) -> dict[int | str, NDArray[np.float64]]:
    """Where HU are read, (3, N) RAS mm each."""
    found: dict[int | str, NDArray] = {
        LIVER: parenchyma(patient.liver, patient.found.numbers, patient.spacing)
    }
    for lesion in patient.found.lesions:
        box = lesion.part.box
        index = inside(patient.found.numbers[box] == lesion.number)
        found[lesion.number] = index + [side.start for side in box]
    return {name: to_mm(patient.affine, index.T) for name, index in found.items()}


def _means(part: Volume, places: Mapping[int | str, NDArray[np.float64]]) -> dict[int | str, float]:
    found: dict[int | str, float] = {}
    for name, where in places.items():
        values = sample_hu(part, where)
        values = values[np.isfinite(values)]
        # Half of a lesion beyond the scan has another mean than all of it
        if len(values) < 0.9 * where.shape[1] or not len(values):
            found[name] = float("nan")
        else:
            found[name] = float(np.median(values) if name in (LIVER, AORTA) else values.mean())
    return found


def _jpeg(plane: NDArray) -> str:
    low, high = WINDOW
    grey = np.clip((upright(plane) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
