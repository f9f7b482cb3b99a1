"""Draw the contours of a slice as SVG: liver, true lesions, predicted lesions, each in a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from markupsafe import Markup

from scripts.lidia.metrics.lesion_matching import LesionMap
from scripts.lidia.report.contours import Outline, find_label_position, trace_outline
from scripts.lidia.report.palette import COLOURS
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.scan_layout import Layout, SliceRectangle
from scripts.lidia.vocabulary import CLASSES

_NAME_SIZE = 0.05
"""Height of a lesion's number as a share of the shown width."""


def draw_contours(patient: Patient, layout: Layout, level: int, *, liver: bool = True) -> Markup:
    """Draw the contours of a slice as SVG elements in half voxels of the layout's box.

    Args:
        patient: results and, if known, the truth.
        layout: from `lay_out`.
        level: slice number in the patient's box.
        liver: whether to draw the liver's contour.

    Returns:
        SVG elements, each in a group of the class `liver`, `truth` or `found`.
    """
    plane = (*layout.box, level)
    parts = []
    if liver:
        outline = trace_outline(patient.liver[plane])
        parts.append(_wrap_group("liver", [f'<path d="{outline}"/>'] if outline else []))
    if patient.truth is not None:
        masks = (mask for _, _, mask in _iterate_lesions(patient.truth, plane))
        parts.append(_wrap_group("truth", (f'<path d="{trace_outline(mask)}"/>' for mask in masks)))
    paths = []
    for path, colour, number, (x, y) in trace_lesions(patient, layout, level):
        paths.append(
            f'<path class="under" d="{path}"/><path d="{path}" stroke="{colour}"/>'
            f'<text x="{x}" y="{y - 4}">{number}</text>'
        )
    parts.append(_wrap_group("found", paths))
    return Markup("".join(parts))  # numbers and colours only


def trace_lesions(patient: Patient, layout: Layout, level: int) -> list[Outline]:
    """Trace the predicted lesions of a slice, in half voxels of the layout's box."""
    return [
        Outline(trace_outline(mask), COLOURS[kind], str(number), find_label_position(mask))
        for number, kind, mask in _iterate_lesions(patient.predicted, (*layout.box, level))
    ]


def _wrap_group(name: str, elements: Iterable[str]) -> str:
    inner = "".join(elements)
    return f'<g class="{name}">{inner}</g>' if inner else ""


def _iterate_lesions(lesions: LesionMap, plane: tuple) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield number, class and mask of each lesion on a plane."""
    numbers = lesions.numbers[plane]
    present = set(np.unique(numbers).tolist())
    for lesion in lesions.lesions:
        if lesion.number in present:
            yield lesion.number, lesion.kind, numbers == lesion.number


def list_lesions(lesions: LesionMap, layout: Layout, level: int) -> str:
    """List the lesions of a slice as text: `1 HCC, 3 cyst`."""
    visible = _iterate_lesions(lesions, (*layout.box, level))
    return ", ".join(f"{number} {CLASSES[kind]}" for number, kind, _ in visible) or "no lesion"


def compute_view_box(layout: Layout, window: SliceRectangle | None = None) -> tuple[str, float]:
    """Compute the `viewBox` of a slice or of a rectangle, and the font size, in half voxels."""
    width, height = (side.stop - side.start for side in layout.box)
    if window is None:
        return f"0 0 {2 * width} {2 * height}", 2 * width * _NAME_SIZE
    ends = []
    for side, (centre, half) in zip(layout.box, (window.left, window.front), strict=True):
        ends.append((2 * (side.stop - 0.5 - centre - half), 4 * half))
    (x, wide), (y, high) = ends
    return f"{x:.2f} {y:.2f} {wide:.2f} {high:.2f}", wide * _NAME_SIZE * 1.4
