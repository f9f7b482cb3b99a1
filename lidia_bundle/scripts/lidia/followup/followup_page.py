"""Write the follow-up page of one patient: response, diameters over time, and a card for each lesion."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scripts.lidia.followup.comparison import Comparison
from scripts.lidia.followup.date_pictures import PIXELS, picture_track
from scripts.lidia.followup.diameter_chart import draw_diameters
from scripts.lidia.report.html_page import build_section, write_page
from scripts.lidia.report.lirads_tables import join_contradictions
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.tables import render_name, render_table

MAX_PICTURED = 24
"""Number of lesions (the largest) with pictures; the others are in the table."""
LINKS = {"response": "Response", "lesions": "Lesions", "pictures": "Pictures", "reading": "How to read it"}
RESPONSES = {
    "CR": "complete response (CR)",
    "PR": "partial response (PR)",
    "SD": "stable disease (SD)",
    "PD": "progressive disease (PD)",
    "NE": "not evaluable (NE)",
    "non-CR/non-PD": "neither complete response nor progression (non-CR/non-PD)",
}


def write_followup_page(path: Path, record: Mapping[str, Any], comparison: Comparison) -> Path:
    """Write the page.

    Args:
        path: the file.
        record: content of the patient's JSON.
        comparison: the comparison behind it.
    """
    synthetic = any(study.is_synthetic for study in comparison.studies)
    title = f"LIDIA follow-up: {record['patient']}"
    return write_page(path, title, build_sections(record, comparison), synthetic=synthetic)


def build_sections(record: Mapping[str, Any], comparison: Comparison) -> list[Markup]:
    """Build the sections of the page."""
    warnings = [Markup("<li>{}</li>").format(warning) for warning in record["warnings"]]
    notes = Markup('<ul class="warn">{}</ul>').format(Markup("").join(warnings)) if warnings else Markup("")
    return [
        render_template("navigation", links=LINKS),
        build_section("Response", render_response(record), notes, _render_dates(record), name="response"),
        build_section("Lesions", draw_diameters(record), _render_lesions(record), name="lesions"),
        build_section("Pictures", _render_cards(record, comparison), name="pictures"),
        build_section("How to read it", *render_notes(record), name="reading"),
    ]


def render_response(record: Mapping[str, Any]) -> Markup:
    """Render the response as a paragraph."""
    last, recist = record["recist"]["dates"][-1], record["recist"]
    if last["response"] is None:
        return Markup(
            '<p class="lead">No response: the first date shows no lesion of the target types, and no new one '
            "appeared.</p>"
        )
    text = Markup('<p class="lead">RECIST 1.1, liver only: <strong>{}</strong>').format(
        RESPONSES[last["response"]]
    )
    if last["sum_mm"] is not None and recist["targets"]:
        text += Markup(". Sum of {} targets: {} mm").format(len(recist["targets"]), format_mm(last["sum_mm"]))
        if last["from_baseline_percent"] is not None:
            text += Markup(", {} % from the first date").format(f"{last['from_baseline_percent']:+.0f}")
    if last["new_lesions"]:
        text += Markup(". New lesions: {}").format(", ".join(map(str, last["new_lesions"])))
    return text + Markup(".</p>")


def _render_dates(record: Mapping[str, Any]) -> Markup:
    head, rows = list_dates(record)
    return render_table(head, rows, numbers=(2, 3, 4), label="Dates")


def list_dates(record: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """List the dates with their response: head and rows of a table."""
    rows: list[tuple[str, ...]] = []
    for study, row in zip(record["studies"], record["recist"]["dates"], strict=True):
        alignment = study["alignment"]
        rows.append((
            study["date"] or study["id"],
            ", ".join(study["phases_used"]),
            "–" if row["sum_mm"] is None else format_mm(row["sum_mm"]),
            format_percent(row["from_baseline_percent"]),
            format_percent(row["from_nadir_percent"]),
            ", ".join(map(str, row["new_lesions"])) or "–",
            row["response"] or "–",
            alignment["method"],
        ))
    head = ("date", "phases", "sum, mm", "vs first, %", "vs smallest, %", "new", "response", "matched by")
    return head, rows


def _render_lesions(record: Mapping[str, Any]) -> Markup:
    head, rows = list_changes(record)
    return render_table(head, rows, numbers=(4, 5, 6), label="Lesions over time")


def list_changes(record: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """List the lesions with their last change: head and rows of a table."""
    rows = []
    for lesion in record["lesions"]:
        last = lesion["changes"][-1] if lesion["changes"] else {}
        sizes = [_format_state(measurement) for measurement in lesion["measurements"]]
        rows.append((
            Markup('<a href="#lesion-{0}">{0}</a>').format(lesion["lesion"]),
            Markup(", ").join(render_name(kind) for kind in lesion["types"]),
            " → ".join(sizes),
            last.get("change", "–"),
            format_percent(last.get("longest_percent")),
            format_percent(last.get("volume_percent")),
            "–" if last.get("doubling_days") is None else f"{last['doubling_days']:.0f}",
            {True: "yes", False: "no", None: "–"}[lesion["threshold_growth"]],
            "target" if lesion["target"] else "",
        ))
    head = ("no.", "type", "longest, mm", "last change", "diameter, %", "volume, %", "doubling, days",
            "threshold growth", "")  # fmt: skip
    return head, rows


def _format_state(measurement: Mapping[str, Any]) -> str:
    longest = measurement["longest_mm"]
    return str(measurement["state"]) if longest is None else format_mm(longest)


def list_labels(comparison: Comparison) -> dict[tuple[int, int], int]:
    """List the number that a lesion of a date has on the page: (date number, instance) -> lesion."""
    return {
        (number, instance): track.lesion
        for track in comparison.tracks
        for number, instance in track.instances.items()
    }


def _render_cards(record: Mapping[str, Any], comparison: Comparison) -> Markup:
    tracks = {track.lesion: track for track in comparison.tracks}
    labels = list_labels(comparison)
    order = sorted(record["lesions"], key=find_largest, reverse=True)[:MAX_PICTURED]
    cards = []
    for lesion in order:
        last = lesion["changes"][-1] if lesion["changes"] else {}
        cards.append({
            "number": lesion["lesion"],
            "types": Markup(", then ").join(render_name(kind) for kind in list_types_by_date(lesion)),
            "summary": last.get("change", ""),
            "note": make_note(lesion, last),
            "pictures": picture_track(comparison, tracks[lesion["lesion"]], labels),
            "table": _render_measurements(lesion),
        })
    size = 2 * PIXELS
    return render_template(
        "followup_lesions", cards=cards, view_box=f"0 0 {size} {size}", letters=f"{size * 0.07:.0f}"
    )


def list_types_by_date(lesion: Mapping[str, Any]) -> list[str]:
    """List the types of a lesion in order of date; dates in succession with the same type count once."""
    return [kind for kind, _ in groupby(entry["type"] for entry in lesion["measurements"] if entry["type"])]


def find_largest(lesion: Mapping[str, Any]) -> float:
    """Find the longest diameter of a lesion at all dates in mm."""
    return max(measurement["longest_mm"] or 0.0 for measurement in lesion["measurements"])


def make_note(lesion: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Make the remarks on a lesion."""
    notes = []
    if lesion["types_differ"]:
        notes.append("The dates give different types: one of them is wrong, or the mask changed.")
    contradictions = join_contradictions(lesion.get("lirads") or {})
    if contradictions:
        notes.append(f"At the latest date the enhancement contradicts the type: {contradictions}.")
    if lesion["merged_into"] is not None:
        notes.append(f"It merged with lesion {lesion['merged_into']}.")
    if lesion["split_from"] is not None:
        notes.append(f"It was a part of lesion {lesion['split_from']}.")
    if last.get("exceeds_repeatability") is False:
        notes.append("The last change is within the repeatability: it may be measurement error.")
    if last.get("change") == "not covered":
        notes.append("A scan does not show this place, or has none of the phases that show the lesion.")
    return " ".join(notes)


def _render_measurements(lesion: Mapping[str, Any]) -> Markup:
    rows = [
        (
            measurement["date"] or measurement["id"],
            measurement["type"] or measurement["state"],
            "–" if measurement["longest_mm"] is None else format_mm(measurement["longest_mm"]),
            "–" if measurement["short_mm"] is None else format_mm(measurement["short_mm"]),
            "–" if measurement["volume_mm3"] is None else f"{measurement['volume_mm3'] / 1000:.2f}",
        )
        for measurement in lesion["measurements"]
    ]
    head = ("date", "type", "longest, mm", "short axis, mm", "ml")
    return render_table(head, rows, numbers=(2, 3, 4), label=f"Lesion {lesion['lesion']}", style="tight")


def render_notes(record: Mapping[str, Any]) -> list[Markup]:
    """Render the paragraphs on how to read the page."""
    limits = record["limits"]
    repeatability, change, recist = limits["repeatability"], limits["change"], limits["recist"]
    texts = [
        "Pictures: one date beside the other, the same width and window (-60 to 240 HU), on the axial slice "
        "where the lesion is widest; where a date does not show it, on the slice to which the alignment maps "
        "its place. The numbers at the contours are those of the lesions on this page.",
        f"Repeatability: a change of at most {repeatability['longest_mm']:g} mm in the longest diameter and "
        f"{repeatability['volume_percent']:g} % in volume is marked, because it may be measurement error "
        "(by default the 95 % limits of agreement of two scans of unchanged phantoms with the masks of the "
        "network, synthetic).",
        f"Grown: longest diameter + {change['grown_percent']:g} % and + {change['grown_mm']:g} mm; shrunk: "
        f"- {change['shrunk_percent']:g} % (the limits of RECIST 1.1 for sums).",
        f"RECIST 1.1 (Eisenhauer et al. 2009), liver only: at most {recist['max_targets']} targets of at "
        f"least {recist['min_target_mm']:g} mm, of the types {', '.join(recist['target_types'])} as this "
        "software names them. Disease outside the liver and unequivocal progression of non-targets are left "
        "to the reader.",
        f"Threshold growth (LI-RADS CT/MRI v2018): + {limits['lirads']['growth_percent']:g} % in at most "
        f"{limits['lirads']['growth_days']:g} days.",
        "Not covered: a scan does not show the whole place of the lesion, or has none of the phases in which "
        "the lesion differs from the liver. Such a lesion is called neither gone nor new.",
    ]
    return [Markup("<p>{}</p>").format(text) for text in texts]


def format_mm(value: float) -> str:
    """Format a length with one decimal."""
    return f"{value:.1f}"


def format_percent(value: float | None) -> str:
    """Format a relative change with its sign; a dash if it is unknown."""
    return "–" if value is None else f"{value:+.0f}"
