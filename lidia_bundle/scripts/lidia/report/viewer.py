"""Render the slice viewer: all phases of the liver, a slider, contours that can be switched off.

Without scripts and in print the page shows its first slice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from scripts.lidia.report.contour_overlays import compute_view_box, draw_contours, list_lesions
from scripts.lidia.report.html_page import build_section
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.scan_layout import Layout, Scan
from scripts.lidia.vocabulary import PHASES

SCRIPT = "viewer.js"
HELP = (
    "Drag the slider, or press the arrow keys on it (Page Up and Page Down for larger steps); over the "
    "pictures the mouse wheel works once the slider or a picture was clicked. The patient's right is on your "
    "left; lesions carry their number and the colour of their type."
)


def render_viewer(patient: Patient, layout: Layout, scans: Mapping[str, Scan]) -> str:
    """Render the section with the slices.

    Args:
        patient: results of the patient.
        layout: slices to show.
        scans: from `read_scans`.

    Returns:
        An HTML block; empty without pictures.
    """
    if not scans:
        return ""
    start = find_nearest_slice(layout, _choose_first_level(patient, layout))
    words = [_describe_slice(patient, layout, index) for index in range(len(layout.levels))]
    overlays = [draw_contours(patient, layout, level) for level in layout.levels]
    box, letters = compute_view_box(layout)
    width, height = (
        (side.stop - side.start) * step for side, step in zip(layout.box, patient.spacing, strict=False)
    )
    panes = []
    for phase in PHASES:
        if phase not in scans:
            panes.append(
                f'<figure class="pane"><div class="frame none" style="aspect-ratio:{width:.1f}/{height:.1f}">'
                f"not scanned</div><figcaption>{phase}</figcaption></figure>"
            )
            continue
        panes.append(
            f'<figure class="pane"><div class="frame" style="aspect-ratio:{width:.1f}/{height:.1f}">'
            f'<img data-phase="{phase}" src="{scans[phase].slices[start]}" alt="{phase}, {words[start]}">'
            f'<svg class="over" viewBox="{box}" preserveAspectRatio="none" aria-hidden="true" '
            f'style="font-size:{letters:.0f}px">{overlays[start]}</svg></div>'
            f"<figcaption>{phase}</figcaption></figure>"
        )
    stack = {
        "slices": {phase: scan.slices for phase, scan in scans.items()},
        "words": words,
        "drawn": overlays,
    }
    return build_section(
        "Slices",
        f'<div id="viewer" class="viewer no-liver"><div class="panes">{"".join(panes)}</div>'
        f"{_render_controls(patient, start, words)}</div>",
        f'<p class="soft screen">{HELP}</p>',
        f'<script type="application/json" id="stack">{_encode_json(stack)}</script>',
        name="slices",
    )


def _render_controls(patient: Patient, start: int, words: list[str]) -> str:
    kinds = [("found", "lesions", True), ("liver", "liver", False)]
    if patient.truth is not None:
        kinds.append(("truth", "truth (dashed)", True))
    boxes = "".join(
        f'<label><input type="checkbox" data-contour="{kind}"{" checked" if on else ""}> {word}</label>'
        for kind, word, on in kinds
    )
    return (
        '<div class="controls"><label for="level">Slice</label>'
        f'<input type="range" id="level" min="0" max="{len(words) - 1}" value="{start}" '
        f'aria-valuetext="{words[start]}"><output for="level" id="where">{words[start]}</output>'
        f"<fieldset><legend>Contours</legend>{boxes}</fieldset>"
        '<label class="wide"><input type="checkbox" id="large"> large pictures</label></div>'
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
        f"{list_lesions(patient.found, layout, level)}"
    )


def _encode_json(content: object) -> str:
    """Encode JSON so that it cannot close the script element around it."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
