"""Makes the HTML page of a check: faults first, then the content of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from scripts.lidia.report.html_page import build_section
from scripts.lidia.report.tables import render_table
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

MAX_ROWS = 500


def build_check_sections(
    file: str, summary: Mapping[str, Any], faults: Sequence[Mapping[str, str]]
) -> list[Markup]:
    """Returns the HTML blocks of the page.

    Args:
        file: the checked list.
        summary: result of `summarize`.
        faults: entries of `errors.json`.
    """
    errors = [fault for fault in faults if fault["severity"] == "error"]
    warnings = [fault for fault in faults if fault["severity"] != "error"]
    counts = f"{len(errors)} errors and {len(warnings)} remarks in {file}."
    verdict = "No error prevents a training." if not errors else "Correct the errors before you continue."
    blocks = [build_section("Summary", Markup("<p>{} {}</p>").format(counts, verdict))]
    for title, entries in (("Errors", errors), ("Warnings", warnings)):
        if entries:
            blocks.append(build_section(title, _build_fault_table(title, entries)))
    sections = summary["sections"]
    blocks.append(build_section("Content", _build_count_table(sections), _build_grid_table(sections)))
    blocks.append(build_section("Patients", _build_patient_table(summary["patients"])))
    return blocks


def _build_fault_table(caption: str, faults: Sequence[Mapping[str, str]]) -> Markup:
    head = ("case", "code", "problem", "remedy", "file")
    rows = [[fault[key] for key in head] for fault in faults[:MAX_ROWS]]
    return render_table(head, rows, label=caption) + _note_omitted_rows(len(faults), "errors.json")


def _build_count_table(sections: Mapping[str, Mapping[str, Any]]) -> Markup:
    header = ("section", "patients", *PHASES, "labelled", "without lesion", *LESION_TYPES)
    rows = [
        [
            *(name, row["patients"], *row["phases"].values(), row["labelled"], row["without_lesion"]),
            *(f"{row['lesions'][kind]} in {row['patients_with'][kind]}" for kind in LESION_TYPES),
        ]
        for name, row in sections.items()
    ]
    note = Markup('<p class="soft">For each type: number of lesions in number of patients.</p>')
    return render_table(header, rows, label="Counts by section") + note


def _build_grid_table(sections: Mapping[str, Mapping[str, Any]]) -> Markup:
    header = ("section", "finest mm", "coarsest mm", "axes", "liver ml", *(f"liver HU, {p}" for p in PHASES))
    rows = [
        [
            *(name, _format_range(ranges["spacing_mm"]), _format_range(ranges["slice_mm"])),
            ", ".join(f"{axes} {count}" for axes, count in ranges["orientations"].items()) or "-",
            _format_range(ranges["liver_ml"]),
            *(_format_range(ranges["liver_hu"][phase]) for phase in PHASES),
        ]
        for name, ranges in sections.items()
    ]
    note = Markup('<p class="soft">Minimum, median, maximum.</p>')
    return render_table(header, rows, label="Grids and livers by section") + note


def _format_range(values: Sequence[float] | None) -> str:
    return "-" if values is None else ", ".join(f"{value:g}" for value in values)


def _build_patient_table(patients: Mapping[str, Mapping[str, Any]]) -> Markup:
    header = ("patient", "phases", "lesions", "liver ml", "liver HU")
    rows = [
        [
            case,
            ", ".join(measured.get("phases", {})),
            ", ".join(f"{kind} {count}" for kind, count in measured.get("lesions", {}).items()) or "-",
            measured.get("liver_ml", "-"),
            ", ".join(f"{phase} {hu}" for phase, hu in measured.get("liver_hu", {}).items()) or "-",
        ]
        for case, measured in list(patients.items())[:MAX_ROWS]
    ]
    return render_table(header, rows, label="Patients") + _note_omitted_rows(len(patients), "summary.json")


def _note_omitted_rows(count: int, file: str) -> Markup:
    words = Markup("<p>and {} more in {}</p>").format(count - MAX_ROWS, file)
    return words if count > MAX_ROWS else Markup("")
