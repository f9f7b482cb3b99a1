"""The contours over a slice as SVG: liver, truth, what was found, each of which can be switched off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from scripts.lidia.metrics.lesion_matching import Found
from scripts.lidia.report.contours import outline, spot
from scripts.lidia.report.palette import COLOURS
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.scan_layout import Layout, Window
from scripts.lidia.vocabulary import CLASSES

_NAME_SIZE = 0.05
"""Height of a lesion's number, of the width of what is shown."""


def overlay(patient: Patient, layout: Layout, level: int, *, liver: bool = True) -> str:
    """The contours of a slice, as elements of an SVG in half voxels of the layout's box.

    Args:
        patient: results and, where it is known, the truth.
        layout: of `scans.lay_out`.
        level: slice number in the patient's box.
        liver: whether the liver has a contour.

    Returns:
        SVG elements, each in a group of the class `liver`, `truth` or `found`.
    """
    plane = (*layout.box, level)
    parts = []
    if liver:
        parts.append(
            _group("liver", [f'<path d="{path}"/>'] if (path := outline(patient.liver[plane])) else [])
        )
    if patient.truth is not None:
        drawn = (f'<path d="{outline(mask)}"/>' for _, _, mask in _there(patient.truth, plane))
        parts.append(_group("truth", drawn))
    found = []
    for number, kind, mask in _there(patient.found, plane):
        x, y = spot(mask)
        path = outline(mask)
        found.append(
            f'<path class="under" d="{path}"/><path d="{path}" stroke="{COLOURS[kind]}"/>'
            f'<text x="{x}" y="{y - 4}">{number}</text>'
        )
    parts.append(_group("found", found))
    return "".join(parts)


def _group(name: str, elements: Iterable[str]) -> str:
    inner = "".join(elements)
    return f'<g class="{name}">{inner}</g>' if inner else ""


def _there(lesions: Found, plane: tuple) -> Iterator[tuple[int, int, np.ndarray]]:
    """Number, class and mask of the lesions on a plane."""
    numbers = lesions.numbers[plane]
    present = set(np.unique(numbers).tolist())
    for lesion in lesions.lesions:
        if lesion.number in present:
            yield lesion.number, lesion.kind, numbers == lesion.number


def names_at(lesions: Found, layout: Layout, level: int) -> str:
    """What lies on a slice, in words: `1 HCC, 3 cyst`."""
    there = [f"{number} {CLASSES[kind]}" for number, kind, _ in _there(lesions, (*layout.box, level))]
    return ", ".join(there) or "no lesion"


def frame(layout: Layout, window: Window | None = None) -> tuple[str, float]:
    """The `viewBox` of a slice or of a rectangle of it, and the size of its letters, in half voxels."""
    width, height = (side.stop - side.start for side in layout.box)
    if window is None:
        return f"0 0 {2 * width} {2 * height}", 2 * width * _NAME_SIZE
    ends = []
    for side, (centre, half) in zip(layout.box, (window.left, window.front), strict=True):
        ends.append((2 * (side.stop - 0.5 - centre - half), 4 * half))
    (x, wide), (y, high) = ends
    return f"{x:.2f} {y:.2f} {wide:.2f} {high:.2f}", wide * _NAME_SIZE * 1.4
