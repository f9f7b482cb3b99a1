"""Build the PDF of one patient: the content of the page that can be printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reportlab.platypus import Flowable

from scripts.lidia.report.contour_overlays import compute_view_box, trace_lesions
from scripts.lidia.report.lesion_cards import LesionLocations
from scripts.lidia.report.lesion_certainty import describe_operating_point
from scripts.lidia.report.lirads_tables import (
    LABELS,
    describe_state,
    describe_suggestion,
    format_measurement,
    join_contradictions,
)
from scripts.lidia.report.patient_pages import READING_NOTES
from scripts.lidia.report.pdf_document import (
    Picture,
    keep_together,
    make_heading,
    make_pictures,
    make_table,
    make_text,
    render_pdf,
)
from scripts.lidia.report.probability_bars import GROUPS, format_number, get_mapping
from scripts.lidia.report.read_results import Patient
from scripts.lidia.report.scan_layout import LIVER, Layout, Scan, lay_out, read_scans
from scripts.lidia.vocabulary import PHASES

MAX_PICTURED = 12
"""Number of lesions (the largest) with pictures and features; all are in the table."""


def render_patient_pdf(patient: Patient, *, synthetic: bool = False, warnings: bool = True) -> bytes:
    """Render the PDF.

    Args:
        patient: results of the patient.
        synthetic: whether the patient is a phantom.
        warnings: whether to show warnings, which may name files and therefore the patient.
    """
    result, layout = patient.result, lay_out(patient, len(patient.phases), MAX_PICTURED)
    scans, locations = read_scans(patient, layout), LesionLocations(patient)
    rows = sorted(result["lesions"], key=lambda row: -row["volume_mm3"])
    blocks = [*_describe_patient(result, warnings), make_heading("Lesions")]
    if rows:
        blocks.append(_list_lesions(rows, locations))
    else:
        blocks.append(make_text("No lesion is reported."))
    if len(rows) > MAX_PICTURED:
        blocks.append(make_text(f"Pictures and features follow for the {MAX_PICTURED} largest.", soft=True))
    for row in rows[:MAX_PICTURED]:
        blocks += _describe_lesion(patient, layout, scans, row)
    blocks += [make_heading("How to read it"), *(make_text(note, soft=True) for note in READING_NOTES)]
    versions = get_mapping(result, "versions")
    if versions:
        listed = ", ".join(f"{name} {value}" for name, value in versions.items())
        blocks.append(make_text(f"Made by: {listed}.", soft=True))
    return render_pdf(f"LIDIA: {result['id']}", blocks, synthetic=synthetic)


def _describe_patient(result: Mapping[str, Any], warnings: bool) -> list[Flowable]:
    used = [str(phase) for phase in result["phases_used"]]
    absent = [phase for phase in PHASES if phase not in used]
    text = f"Phases: {', '.join(used)}." + (f" Not scanned: {', '.join(absent)}." if absent else "")
    blocks: list[Flowable] = [make_text(text), *map(make_text, describe_operating_point(result))]
    if warnings:
        blocks += [make_text(f"Warning: {warning}", warn=True) for warning in result.get("warnings") or ()]
    scores = {**{name: result[name] for name in GROUPS}, **result["probabilities"]}
    intervals, triage = get_mapping(result, "intervals"), get_mapping(result, "triage")
    rows = []
    for name, value in scores.items():
        ends = intervals.get(name)
        interval = " to ".join(format_number(end, 2) for end in ends) if ends else "–"
        rows.append((name, format_number(value, 2), interval, triage.get(name) or "–"))
    kind = "calibrated" if result.get("calibrated") else "not calibrated"
    head = ("patient has", f"probability ({kind})", "95 % interval", "triage")
    return [*blocks, make_heading("Patient"), make_table(head, rows, numbers=(1,))]


def _list_lesions(rows: list[dict[str, Any]], locations: LesionLocations) -> Flowable:
    has_existence = any("existence" in row for row in rows)
    lines = [
        (
            row["instance"],
            row["type"],
            format_number(row["probabilities"].get(row["type"]), 2),
            *((format_number(row.get("existence"), 2),) if has_existence else ()),
            format_number(row["diameter_mm"], 0),
            format_number(row["volume_mm3"] / 1000, 2),
            locations.describe(row),
        )
        for row in rows
    ]
    head = (
        "no.",
        "type",
        "p(type)",
        *(("exists",) if has_existence else ()),
        "longest, mm",
        "ml",
        "location",
    )
    return make_table(head, lines, numbers=range(2, len(head) - 1))


def _describe_lesion(
    patient: Patient, layout: Layout, scans: Mapping[str, Scan], row: Mapping[str, Any]
) -> list[Flowable]:
    """Describe a lesion: pictures of all phases, HU, LI-RADS features."""
    number = int(row["instance"])
    size = f"{format_number(row['diameter_mm'], 0)} mm"
    blocks: list[Flowable] = [make_heading(f"Lesion {number}: {row['type']}, {size}", 3)]
    if scans and number in layout.crops:
        window = layout.crops[number]
        left, top, wide, high = (float(part) for part in compute_view_box(layout, window)[0].split())
        outlines = trace_lesions(patient, layout, window.level)
        pictures = [
            Picture(phase, scan.crops[number], outlines, (left, top, wide, high))
            for phase, scan in scans.items()
        ]
        blocks.append(make_pictures(pictures))
    if scans:
        lines = [
            (
                name,
                *(format_number(scans[phase].hu.get(key), 0) if phase in scans else "–" for phase in PHASES),
            )
            for name, key in ((f"lesion {number}", number), (LIVER, LIVER))
        ]
        blocks.append(make_table(("HU", *PHASES), lines, numbers=range(1, 5)))
    evidence = get_mapping(row, "lirads")
    features = get_mapping(evidence, "features")
    if not features:
        return [keep_together(blocks)]
    by_phase = get_mapping(evidence, "phases")
    lines = [
        (
            LABELS[name],
            describe_state(features[name], get_mapping(by_phase, name)),
            *format_measurement(features[name], name),
            features[name].get("reason") or "",
        )
        for name in LABELS
        if name in features
    ]
    head = ("LI-RADS feature", "finding", "measured", "limit", "")
    contradictions = join_contradictions(evidence)
    if contradictions:
        blocks.append(make_text(f"The enhancement contradicts the type: {contradictions}.", warn=True))
    suggestion = get_mapping(evidence, "suggestion")
    remark = [make_text(f"Suggested category: {describe_suggestion(suggestion)}")] if suggestion else []
    return [keep_together(blocks), make_table(head, lines), *remark]
