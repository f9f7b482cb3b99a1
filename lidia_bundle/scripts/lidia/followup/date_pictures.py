"""Picture a lesion at each date: the same place, field, slice and window, with contours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scripts.lidia.data.phase_sampling import read_phase_crop, resample_hu
from scripts.lidia.followup.align_studies import choose_phases, sample_mask
from scripts.lidia.followup.comparison import Comparison
from scripts.lidia.followup.read_study import Study
from scripts.lidia.followup.tracks import Track
from scripts.lidia.geometry.grid import Grid, to_mm
from scripts.lidia.report.contours import Outline, find_label_position, trace_outline
from scripts.lidia.report.palette import COLOURS, LABEL_COLOURS
from scripts.lidia.report.scan_layout import encode_jpeg
from scripts.lidia.vocabulary import CLASSES

PIXELS, LEAST_MM = 176, 70.0
"""Edge of a picture in pixels, and its smallest width in mm."""


class DatePicture(NamedTuple):
    """Picture of a lesion at one date.

    Attributes:
        caption: date and phase.
        source: data URI; "" without a readable image.
        contours: SVG elements in half pixels.
        outlines: the same contours, for other formats than HTML.
        alt: description for screen readers.
    """

    caption: str
    source: str
    contours: Markup
    outlines: list[Outline]
    alt: str


def picture_track(
    comparison: Comparison, track: Track, labels: Mapping[tuple[int, int], int]
) -> list[DatePicture]:
    """Picture a lesion at all dates, in fields of equal size.

    A date that shows the lesion is centred on its widest slice; other dates are centred on the place to which
    the alignment maps the lesion.

    Args:
        comparison: the dates.
        track: the lesion.
        labels: (date number, instance) -> number of the track, shown at the contours.
    """
    widest = max(
        comparison.studies[number].sizes[instance].longest_mm for number, instance in track.instances.items()
    )
    size = max(LEAST_MM, 1.6 * widest)
    phases, pictures = choose_phases(comparison.studies), []
    for number, (study, phase) in enumerate(zip(comparison.studies, phases, strict=True)):
        centre = _find_centre(comparison, track, number)
        pictures.append(_draw(study, phase, centre, size, number, labels))
    return pictures


def _find_centre(comparison: Comparison, track: Track, number: int) -> NDArray[np.float64]:
    """Find the centre (3,) RAS mm of the lesion's place at a date."""
    if number in track.instances:
        return _find_own_centre(comparison.studies[number], track.instances[number])
    shown_at = track.last_before(number)
    shown_at = track.first if shown_at is None else shown_at
    points = comparison.points_of(track, shown_at)
    if not points.shape[1]:
        return _find_own_centre(comparison.studies[shown_at], track.instances[shown_at])
    return comparison.alignments[number].map_points(points.mean(axis=1)[:, None])[:, 0]


def _find_own_centre(study: Study, instance: int) -> NDArray[np.float64]:
    content = study.content
    component = study.find_component(instance)
    mask = content.predicted.numbers[component.box] == instance
    level = int(mask.sum(axis=(0, 1)).argmax())
    middle = np.argwhere(mask[:, :, level]).mean(axis=0)
    index = np.array([*middle, level]) + [side.start for side in component.box]
    return to_mm(content.affine, index[:, None])[:, 0]


def _draw(
    study: Study,
    phase: str | None,
    centre: NDArray[np.float64],
    size: float,
    number: int,
    labels: Mapping[tuple[int, int], int],
) -> DatePicture:
    step = size / PIXELS
    affine = np.diag([step, step, 1.0, 1.0])
    affine[:3, 3] = centre - (size / 2 - step / 2, size / 2 - step / 2, 0)
    grid = Grid(affine, (PIXELS, PIXELS, 1))
    when = "unknown date" if study.date is None else study.date.isoformat()
    place = f"{when}, {phase or 'no image'}"
    source = ""
    if phase is not None:
        part = read_phase_crop(study.scans.read(phase), study.id, grid.corners())
        if part.voxels.size:
            source = encode_jpeg(resample_hu(part, grid)[:, :, 0])
    masks = (study.content.predicted.numbers, study.content.liver)
    numbers, liver = (sample_mask(study, voxels, grid)[:, :, 0] for voxels in masks)
    parts, outlines = [], []
    if outline := trace_outline(liver > 0):
        parts.append(f'<g class="liver"><path d="{outline}"/></g>')
        outlines.append(Outline(outline, LABEL_COLOURS["liver"]))
    kinds = {lesion.number: lesion.kind for lesion in study.content.predicted.lesions}
    listed = []
    for instance in (int(value) for value in np.unique(numbers) if value):
        mask = numbers == instance
        x, y = find_label_position(mask)
        path = trace_outline(mask)
        lesion = labels[number, instance]
        listed.append(f"{lesion} {CLASSES[kinds[instance]]}")
        outlines.append(Outline(path, COLOURS[kinds[instance]], str(lesion), (x, y)))
        parts.append(
            f'<g class="found"><path class="under" d="{path}"/>'
            f'<path d="{path}" stroke="{COLOURS[kinds[instance]]}"/>'
            f'<text x="{x}" y="{max(y - 4, 20)}">{lesion}</text></g>'
        )
    alt = f"{place}, lesions shown: {', '.join(listed) or 'none'}"
    return DatePicture(place, source, Markup("".join(parts)), outlines, alt)
