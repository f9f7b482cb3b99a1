"""One card a lesion: pictures in all phases, size, place, types, enhancement."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from scripts.lidia.morphometry.liver_surface import LiverSurface
from scripts.lidia.morphometry.lobes import MIDDLE_MM, lobe_of, middle_plane
from scripts.lidia.report.contour_overlays import frame, overlay
from scripts.lidia.report.enhancement_chart import Curve, chart, numbers
from scripts.lidia.report.probability_bars import lesion_chances, number, tag
from scripts.lidia.report.read_results import Patient, counterparts
from scripts.lidia.report.scan_layout import AORTA, LIVER, Layout, Scan
from scripts.lidia.report.tables import swatch, table
from scripts.lidia.report.viewer import nearest
from scripts.lidia.vocabulary import PHASES

PICTURED = 24
"""Lesions that have a card with pictures, the largest; smaller ones stand in a table."""
_LOBES = {
    "right": "right lobe",
    "left": "left lobe",
    "middle": f"within {MIDDLE_MM:.0f} mm of the plane between the lobes",
}


class Places:
    """Where lesions lie in a liver, in words.

    Args:
        patient: his results.
    """

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.plane = middle_plane(patient.liver, patient.affine)
        self.capsule = LiverSurface(patient.liver, patient.spacing)

    def words(self, row: Mapping[str, Any]) -> str:
        """Lobe and distance to the liver's surface.

        Args:
            row: the lesion in `ID.json`.
        """
        said = [] if self.plane is None else [_LOBES[lobe_of(row["centroid_ras_mm"], self.plane)]]
        part = next(one.part for one in self.patient.found.lesions if one.number == int(row["instance"]))
        mask = self.patient.found.numbers[part.box] == part.instance
        away = self.capsule.distance_mm(mask, [side.start for side in part.box])
        if away is not None:
            said.append(
                "at the liver's surface" if away < 0.5 else f"{away:.0f} mm below the liver's surface"
            )
        return ", ".join(said) or "–"


def lesion_cards(patient: Patient, layout: Layout, scans: Mapping[str, Scan], places: Places) -> str:
    """Cards of the larger lesions, then a table of the smaller ones, then what was not found.

    Args:
        patient: his results.
        layout: which rectangles are shown.
        scans: of `scans.read_scans`.
        places: of the patient.

    Returns:
        HTML blocks.
    """
    rows = {int(row["instance"]): row for row in patient.result["lesions"]}
    truth = _truths(patient)
    order = sorted(rows, key=lambda name: -rows[name]["volume_mm3"])
    blocks = [_card(patient, layout, scans, rows[name], places, truth.get(name)) for name in order[:PICTURED]]
    if len(order) > PICTURED:
        lines = [
            (
                str(name),
                tag(str(row["type"])),
                number(row["volume_mm3"] / 1000, 2),
                number(row["diameter_mm"], 0),
            )
            for name in order[PICTURED:]
            for row in [rows[name]]
        ]
        blocks.append("<h3>Smaller lesions</h3>")
        blocks.append(
            table(("no.", "type", "ml", "mm"), lines, numbers=(2, 3), words="Smaller lesions", style="tight")
        )
    if not rows:
        blocks.append('<p class="soft">No lesion was found.</p>')
    blocks.append(_missed(patient, layout, scans))
    return "".join(blocks)


def _truths(patient: Patient) -> dict[int, str]:
    """Lesion -> what it truly is; nothing without a label."""
    if patient.truth is None:
        return {}
    pairs, kinds = counterparts(patient), {lesion.number: lesion.kind for lesion in patient.truth.lesions}
    names = [lesion.number for lesion in patient.found.lesions]
    return {name: swatch(kinds[pairs[name]]) if name in pairs else "nothing" for name in names}


def _card(
    patient: Patient,
    layout: Layout,
    scans: Mapping[str, Scan],
    row: Mapping[str, Any],
    places: Places,
    truth: str | None,
) -> str:
    name, kind = int(row["instance"]), str(row["type"])
    facts = [
        ("Longest diameter", f"{number(row['diameter_mm'], 0)} mm (axial)"),
        ("Volume", f"{number(row['volume_mm3'] / 1000, 2)} ml"),
        ("Location", escape(places.words(row))),
    ]
    facts += [("Truth", truth)] if truth is not None else []
    listed = "".join(f"<div><dt>{term}</dt><dd>{said}</dd></div>" for term, said in facts)
    button = ""
    if scans and name in layout.crops:
        index = nearest(layout, layout.crops[name].level)
        button = (
            f'<button type="button" data-slice="{index}" hidden>Show lesion {name} in the slices</button>'
        )
    right = ""
    if scans:
        curves = _curves(scans, name)
        right = f"<div>{chart(curves, f'Enhancement of lesion {name}')}{numbers(curves)}</div>"
    return (
        f'<article class="card lesion" id="lesion-{name}"><h3>Lesion {name}: {tag(kind)} '
        f'<span class="soft">{number(row["probabilities"].get(kind), 2)}</span></h3>'
        f"{_pictures(patient, layout, scans, name, kind)}"
        f'<div class="columns"><div><dl>{listed}</dl>{button}</div>'
        f"<div>{lesion_chances(row['probabilities'])}</div>{right}</div></article>"
    )


def _pictures(patient: Patient, layout: Layout, scans: Mapping[str, Scan], name: int, kind: str) -> str:
    window = layout.crops.get(name)
    if not scans or window is None:
        return ""
    box, letters = frame(layout, window)
    lines = overlay(patient, layout, window.level, liver=False)
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


def _curves(scans: Mapping[str, Scan], name: int) -> list[Curve]:
    lines: dict[int | str, tuple[str, str]] = {name: (f"lesion {name}", "lesion"), LIVER: (LIVER, LIVER)}
    if any(AORTA in scan.hu for scan in scans.values()):
        lines[AORTA] = (AORTA, AORTA)
    return [
        Curve(*words, {phase: scan.hu[key] for phase, scan in scans.items()}) for key, words in lines.items()
    ]


def _missed(patient: Patient, layout: Layout, scans: Mapping[str, Scan]) -> str:
    """True lesions that nothing was found for."""
    if patient.truth is None:
        return ""
    hit = set(counterparts(patient).values())
    lines = []
    for lesion in patient.truth.lesions:
        if lesion.number in hit:
            continue
        level = int(lesion.part.box[2].start + lesion.part.box[2].stop) // 2
        button = ""
        if scans:
            button = (
                f'<button type="button" data-slice="{nearest(layout, level)}" hidden>Show the slice</button>'
            )
        volume = number(lesion.part.volume_mm3 / 1000, 2)
        lines.append(f"<li>{swatch(lesion.kind)}, {volume} ml {button}</li>")
    if not lines:
        return ""
    return (
        f'<h3>Not found</h3><p class="soft">Lesions of the label.</p><ul class="missed">{"".join(lines)}</ul>'
    )
