"""Render one card for each lesion: pictures in all phases, size, location, types, enhancement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scripts.lidia.morphometry.liver_surface import LiverSurface
from scripts.lidia.morphometry.lobes import MIDDLE_MM, assign_lobe, find_lobe_plane
from scripts.lidia.report.contour_overlays import compute_view_box, draw_contours
from scripts.lidia.report.enhancement_chart import Curve, draw_chart, render_hu_table
from scripts.lidia.report.lesion_certainty import describe_coverage
from scripts.lidia.report.lirads_tables import render_lirads
from scripts.lidia.report.probability_bars import format_number, render_lesion_probabilities
from scripts.lidia.report.read_results import Patient, match_true_lesions
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.scan_layout import AORTA, LIVER, Layout, Scan
from scripts.lidia.report.tables import render_name, render_table
from scripts.lidia.report.viewer import find_nearest_slice
from scripts.lidia.vocabulary import CLASSES, PHASES

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
        number, lesions = int(row["instance"]), self.patient.predicted.lesions
        part = next(lesion.component for lesion in lesions if lesion.number == number)
        mask = self.patient.predicted.numbers[part.box] == part.instance
        depth_mm = self.capsule.distance_mm(mask, [side.start for side in part.box])
        if depth_mm is not None:
            place = "at" if depth_mm < 0.5 else f"{depth_mm:.0f} mm below"
            parts.append(f"{place} the liver's surface")
        return ", ".join(parts) or "–"


def render_lesion_cards(
    patient: Patient, layout: Layout, scans: Mapping[str, Scan], locations: LesionLocations
) -> Markup:
    """Render cards of the larger lesions, a table of the smaller ones, and the missed true lesions.

    Args:
        patient: results of the patient.
        layout: rectangles to show.
        scans: from `read_scans`.
        locations: of the patient's lesions.
    """
    rows = {int(row["instance"]): row for row in patient.result["lesions"]}
    truth = _find_true_types(patient)
    order = sorted(rows, key=lambda name: -rows[name]["volume_mm3"])
    cards = [
        _make_card(patient, layout, scans, rows[name], locations, truth.get(name))
        for name in order[:MAX_PICTURED]
    ]
    lines = []
    for name in order[MAX_PICTURED:]:
        row = rows[name]
        volume, diameter = row["volume_mm3"] / 1000, row["diameter_mm"]
        sizes = (format_number(volume, 2), format_number(diameter, 0), format_number(row.get("existence"), 2))
        lines.append((name, render_name(str(rows[name]["type"])), *sizes))
    head = ("no.", "type", "ml", "mm", "exists")
    smaller = render_table(head, lines, numbers=(2, 3, 4), label="Smaller lesions", style="tight")
    missed = _list_missed(patient, layout, scans)
    return render_template("lesions", cards=cards, smaller=smaller if lines else "", missed=missed)


def _find_true_types(patient: Patient) -> dict[int, str]:
    """Find the true type of each predicted lesion; empty without a label."""
    if patient.truth is None:
        return {}
    pairs = match_true_lesions(patient)
    kinds = {lesion.number: lesion.kind for lesion in patient.truth.lesions}
    names = [lesion.number for lesion in patient.predicted.lesions]
    return {name: render_name(CLASSES[kinds[pairs[name]]]) if name in pairs else "nothing" for name in names}


def _make_card(
    patient: Patient,
    layout: Layout,
    scans: Mapping[str, Scan],
    row: Mapping[str, Any],
    locations: LesionLocations,
    truth: str | None,
) -> dict[str, Any]:
    """Make the content of a card for the template."""
    name, kind = int(row["instance"]), str(row["type"])
    facts = {
        "Longest diameter": f"{format_number(row['diameter_mm'], 0)} mm (axial)",
        "Volume": f"{format_number(row['volume_mm3'] / 1000, 2)} ml",
        "Location": locations.describe(row),
    }
    if "existence" in row:
        facts["Probability that it exists"] = format_number(row["existence"], 2)
    if row.get("type_set"):
        facts[f"Types ({describe_coverage(patient.result)})"] = ", ".join(map(str, row["type_set"]))
    card: dict[str, Any] = {
        "number": name,
        "type": render_name(kind),
        "probability": format_number(row["probabilities"].get(kind), 2),
        "facts": facts if truth is None else {**facts, "Truth": truth},
        "bars": render_lesion_probabilities(row["probabilities"]),
        "slice": None,
        "panes": [],
        "chart": "",
        "lirads": render_lirads(row),
    }
    if scans:
        curves = _collect_curves(scans, name)
        card["chart"] = draw_chart(curves, f"Enhancement of lesion {name}")
        card["hu_table"] = render_hu_table(curves)
    if scans and name in layout.crops:
        window = layout.crops[name]
        box, letters = compute_view_box(layout, window)
        card |= {"box": box, "letters": f"{letters:.0f}", "slice": find_nearest_slice(layout, window.level)}
        card["contours"] = draw_contours(patient, layout, window.level, liver=False)
        place = f"slice {window.level + patient.first}"
        for phase in PHASES:
            picture = scans[phase].crops[name] if phase in scans else ""
            card["panes"].append((phase, picture, f"Lesion {name}, {kind}, {phase} phase, {place}"))
    return card


def _collect_curves(scans: Mapping[str, Scan], name: int) -> list[Curve]:
    lines: dict[int | str, tuple[str, str]] = {name: (f"lesion {name}", "lesion"), LIVER: (LIVER, LIVER)}
    if any(AORTA in scan.hu for scan in scans.values()):
        lines[AORTA] = (AORTA, AORTA)
    return [
        Curve(*words, {phase: scan.hu[key] for phase, scan in scans.items()}) for key, words in lines.items()
    ]


def _list_missed(
    patient: Patient, layout: Layout, scans: Mapping[str, Scan]
) -> list[tuple[str, str, int | None]]:
    """List type, volume in ml and slice of the true lesions that no prediction matches."""
    if patient.truth is None:
        return []
    hit = set(match_true_lesions(patient).values())
    missed: list[tuple[str, str, int | None]] = []
    for lesion in patient.truth.lesions:
        if lesion.number not in hit:
            side = lesion.component.box[2]
            index = find_nearest_slice(layout, int(side.start + side.stop) // 2) if scans else None
            volume = format_number(lesion.component.volume_mm3 / 1000, 2)
            missed.append((render_name(CLASSES[lesion.kind]), volume, index))
    return missed
