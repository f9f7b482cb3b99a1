"""Render the slice viewer: all phases of the liver, a slider, contours that can be switched off.

Without scripts and in print the page shows its first slice.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from scripts.lidia.report.contour_overlays import compute_view_box, draw_contours, list_lesions
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.scan_layout import Layout, Scan
from scripts.lidia.vocabulary import PHASES

SCRIPT = "viewer.js"


def render_viewer(patient: Patient, layout: Layout, scans: Mapping[str, Scan]) -> Markup:
    """Render the section with the slices.

    Args:
        patient: results of the patient.
        layout: slices to show.
        scans: from `read_scans`.

    Returns:
        An HTML block; empty without pictures.
    """
    if not scans:
        return Markup("")
    box, letters = compute_view_box(layout)
    width, height = (
        (side.stop - side.start) * step for side, step in zip(layout.box, patient.spacing, strict=False)
    )
    return render_template(
        "viewer",
        title="Slices",
        name="slices",
        phases=PHASES,
        slices={phase: scan.slices for phase, scan in scans.items()},
        words=[_describe_slice(patient, layout, index) for index in range(len(layout.levels))],
        drawn=[draw_contours(patient, layout, level) for level in layout.levels],
        start=find_nearest_slice(layout, _choose_first_level(patient, layout)),
        box=box,
        letters=f"{letters:.0f}",
        ratio=f"{width:.1f}/{height:.1f}",
        truth=patient.truth is not None,
    )


def find_nearest_slice(layout: Layout, level: int) -> int:
    """Find the index of the shown slice nearest to a level of the patient's box."""
    return min(range(len(layout.levels)), key=lambda index: abs(layout.levels[index] - level))


def _choose_first_level(patient: Patient, layout: Layout) -> int:
    """Choose the first slice: where the largest lesion is widest, else where the liver is widest."""
    if layout.crops:
        return next(iter(layout.crops.values())).level
    return int(patient.liver.sum(axis=(0, 1)).argmax())


def _describe_slice(patient: Patient, layout: Layout, index: int) -> str:
    level = layout.levels[index]
    return (
        f"slice {index + 1} of {len(layout.levels)} (no. {level + patient.first} of the scan): "
        f"{list_lesions(patient.predicted, layout, level)}"
    )
