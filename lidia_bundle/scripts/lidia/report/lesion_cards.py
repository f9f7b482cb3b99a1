"""Render one card for each lesion: pictures in all phases, size, location, types, enhancement."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from scripts.lidia.morphometry.liver_surface import LiverSurface
from scripts.lidia.morphometry.lobes import MIDDLE_MM, assign_lobe, find_lobe_plane
from scripts.lidia.report.contour_overlays import compute_view_box, draw_contours
from scripts.lidia.report.enhancement_chart import Curve, draw_chart, render_hu_table
from scripts.lidia.report.probability_bars import format_number, render_lesion_probabilities, render_name
from scripts.lidia.report.read_results import Patient, match_true_lesions
from scripts.lidia.report.scan_layout import AORTA, LIVER, Layout, Scan
from scripts.lidia.report.tables import render_class_name, render_table
from scripts.lidia.report.viewer import find_nearest_slice
from scripts.lidia.vocabulary import PHASES

MAX_PICTURED = 24
"""Number of lesions (the largest) that get a card with pictures; the others are listed in a table."""
_LOBES = {
    "right": "right lobe",
    "left": "left lobe",
    "middle": f"within {MIDDLE_MM:.0f} mm of the plane between the lobes",
}


class LesionLocations:
    """Describes the location of lesions in a liver.

    Args:
        patient: results of the patient.
    """

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.plane = find_lobe_plane(patient.liver, patient.affine)
        self.capsule = LiverSurface(patient.liver, patient.spacing)

    def describe(self, row: Mapping[str, Any]) -> str:
        """Describes lobe and distance to the liver's surface.

        Args:
            row: the lesion in `ID.json`.
        """
        parts = [] if self.plane is None else [_LOBES[assign_lobe(row["centroid_ras_mm"], self.plane)]]
        part = next(
            lesion.component for lesion in self.patient.found.lesions if lesion.number == int(row["instance"])
        )
        mask = self.patient.found.numbers[part.box] == part.instance
        depth_mm = self.capsule.distance_mm(mask, [side.start for side in part.box])
        if depth_mm is not None:
            parts.append(
                "at the liver's surface" if depth_mm < 0.5 else f"{depth_mm:.0f} mm below the liver's surface"
            )
        return ", ".join(parts) or "–"


def render_lesion_cards(
    patient: Patient, layout: Layout, scans: Mapping[str, Scan], locations: LesionLocations
) -> str:
    """Render cards of the larger lesions, a table of the smaller ones, and the missed true lesions.

    Args:
        patient: results of the patient.
        layout: rectangles to show.
        scans: from `read_scans`.
        locations: of the patient's lesions.

    Returns:
        HTML blocks.
    """
    rows = {int(row["instance"]): row for row in patient.result["lesions"]}
    truth = _find_true_types(patient)
    order = sorted(rows, key=lambda name: -rows[name]["volume_mm3"])
    blocks = [
        _render_card(patient, layout, scans, rows[name], locations, truth.get(name))
        for name in order[:MAX_PICTURED]
    ]
    if len(order) > MAX_PICTURED:
        lines = [
            (
                str(name),
                render_name(str(row["type"])),
                format_number(row["volume_mm3"] / 1000, 2),
                format_number(row["diameter_mm"], 0),
            )
            for name in order[MAX_PICTURED:]
            for row in [rows[name]]
        ]
        blocks.append("<h3>Smaller lesions</h3>")
        blocks.append(
            render_table(
                ("no.", "type", "ml", "mm"), lines, numbers=(2, 3), words="Smaller lesions", style="tight"
            )
        )
    if not rows:
        blocks.append('<p class="soft">No lesion was found.</p>')
    blocks.append(_render_missed(patient, layout, scans))
    return "".join(blocks)


def _find_true_types(patient: Patient) -> dict[int, str]:
    """Find the true type of each predicted lesion; empty without a label."""
    if patient.truth is None:
        return {}
    pairs, kinds = (
        match_true_lesions(patient),
        {lesion.number: lesion.kind for lesion in patient.truth.lesions},
    )
    names = [lesion.number for lesion in patient.found.lesions]
    return {name: render_class_name(kinds[pairs[name]]) if name in pairs else "nothing" for name in names}


def _render_card(
    patient: Patient,
    layout: Layout,
    scans: Mapping[str, Scan],
    row: Mapping[str, Any],
    locations: LesionLocations,
    truth: str | None,
) -> str:
    name, kind = int(row["instance"]), str(row["type"])
    facts = [
        ("Longest diameter", f"{format_number(row['diameter_mm'], 0)} mm (axial)"),
        ("Volume", f"{format_number(row['volume_mm3'] / 1000, 2)} ml"),
        ("Location", escape(locations.describe(row))),
    ]
    facts += [("Truth", truth)] if truth is not None else []
    listed = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in facts)
    button = ""
    if scans and name in layout.crops:
        index = find_nearest_slice(layout, layout.crops[name].level)
        button = (
            f'<button type="button" data-slice="{index}" hidden>Show lesion {name} in the slices</button>'
        )
    right = ""
    if scans:
        curves = _collect_curves(scans, name)
        right = f"<div>{draw_chart(curves, f'Enhancement of lesion {name}')}{render_hu_table(curves)}</div>"
    return (
        f'<article class="card lesion" id="lesion-{name}"><h3>Lesion {name}: {render_name(kind)} '
        f'<span class="soft">{format_number(row["probabilities"].get(kind), 2)}</span></h3>'
        f"{_render_pictures(patient, layout, scans, name, kind)}"
        f'<div class="columns"><div><dl>{listed}</dl>{button}</div>'
        f"<div>{render_lesion_probabilities(row['probabilities'])}</div>{right}</div></article>"
    )


def _render_pictures(
    patient: Patient, layout: Layout, scans: Mapping[str, Scan], name: int, kind: str
) -> str:
    window = layout.crops.get(name)
    if not scans or window is None:
        return ""
    box, letters = compute_view_box(layout, window)
    lines = draw_contours(patient, layout, window.level, liver=False)
    panes = []
    for phase in PHASES:
        if phase not in scans:
            panes.append(f'<figure><div class="frame none square">not scanned</div><figcaption>{phase}')
        else:
            alt = f"Lesion {name}, {kind}, {phase} phase, slice {window.level + patient.first}"
            panes.append(
                f'<figure><div class="frame square"><img alt="{escape(alt)}" '
                f'src="{scans[phase].crops[name]}">'
                f'<svg class="over" viewBox="{box}" preserveAspectRatio="none" aria-hidden="true" '
                f'style="font-size:{letters:.0f}px">{lines}</svg></div><figcaption>{phase}'
            )
        panes.append("</figcaption></figure>")
    return f'<div class="four">{"".join(panes)}</div>'


def _collect_curves(scans: Mapping[str, Scan], name: int) -> list[Curve]:
    lines: dict[int | str, tuple[str, str]] = {name: (f"lesion {name}", "lesion"), LIVER: (LIVER, LIVER)}
    if any(AORTA in scan.hu for scan in scans.values()):
        lines[AORTA] = (AORTA, AORTA)
    return [
        Curve(*words, {phase: scan.hu[key] for phase, scan in scans.items()}) for key, words in lines.items()
    ]


def _render_missed(patient: Patient, layout: Layout, scans: Mapping[str, Scan]) -> str:
    """Render the true lesions that no prediction matches."""
    if patient.truth is None:
        return ""
    hit = set(match_true_lesions(patient).values())
    lines = []
    for lesion in patient.truth.lesions:
        if lesion.number in hit:
            continue
        level = int(lesion.component.box[2].start + lesion.component.box[2].stop) // 2
        button = ""
        if scans:
            index = find_nearest_slice(layout, level)
            button = f'<button type="button" data-slice="{index}" hidden>Show the slice</button>'
        volume = format_number(lesion.component.volume_mm3 / 1000, 2)
        lines.append(f"<li>{render_class_name(lesion.kind)}, {volume} ml {button}</li>")
    if not lines:
        return ""
    return (
        f'<h3>Not found</h3><p class="soft">Lesions of the label.</p><ul class="missed">{"".join(lines)}</ul>'
    )
