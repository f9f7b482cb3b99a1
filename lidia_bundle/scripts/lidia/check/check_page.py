"""The page of a check: what is wrong first, then what is in the list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from scripts.lidia.report.html_page import section
from scripts.lidia.report.tables import table
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

SHOWN = 500


def check_sections(file: str, summary: Mapping[str, Any], faults: Sequence[Mapping[str, str]]) -> list[str]:
    """HTML blocks of the page.

    Args:
        file: the list that was checked.
        summary: of `summarised`.
        faults: entries of `errors.json`.
    """
    errors = [fault for fault in faults if fault["severity"] == "error"]
    remarks = [fault for fault in faults if fault["severity"] != "error"]
    word = f"{len(errors)} errors and {len(remarks)} remarks in {escape(file)}."
    verdict = "Nothing that would stop a training." if not errors else "Mend the errors before you go on."
    blocks = [section("In short", f"<p>{word} {verdict}</p>")]
    if errors:
        blocks.append(section("Errors", _faults("Errors", errors)))
    if remarks:
        blocks.append(section("Remarks", _faults("Remarks", remarks)))
    blocks.append(section("What is in it", _counts(summary["sections"]), _grids(summary["sections"])))
    blocks.append(section("Patients", _patients(summary["patients"])))
    return blocks


def _table(words: str, header: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """The pages' table of plain text, called `words` for those who do not see it."""
    cells = [[escape(str(cell)) for cell in row] for row in rows]
    return table([escape(cell) for cell in header], cells, words=words)


def _faults(words: str, faults: Sequence[Mapping[str, str]]) -> str:
    shown = [
        [fault[key] for key in ("case", "code", "problem", "remedy", "file")] for fault in faults[:SHOWN]
    ]
    more = f"<p>and {len(faults) - SHOWN} more in errors.json</p>" if len(faults) > SHOWN else ""
    return _table(words, ("case", "code", "what is wrong", "what to do", "file"), shown) + more


def _counts(sections: Mapping[str, Mapping[str, Any]]) -> str:
    header = ("section", "patients", *PHASES, "labelled", "without lesion", *LESION_TYPES)
    rows = [
        [
            *(name, one["patients"], *one["phases"].values(), one["labelled"], one["without_lesion"]),
            *(f"{one['lesions'][kind]} in {one['patients_with'][kind]}" for kind in LESION_TYPES),
        ]
        for name, one in sections.items()
    ]
    return (
        _table("Counts by section", header, rows)
        + '<p class="soft">Of the types: lesions, in so many patients.</p>'
    )


def _grids(sections: Mapping[str, Mapping[str, Any]]) -> str:
    header = ("section", "finest mm", "coarsest mm", "axes", "liver ml", *(f"liver HU, {p}" for p in PHASES))
    rows = [
        [
            *(name, _span(one["spacing_mm"]), _span(one["slice_mm"])),
            ", ".join(f"{axes} {count}" for axes, count in one["orientations"].items()) or "-",
            *(_span(one["liver_ml"]), *(_span(one["liver_hu"][phase]) for phase in PHASES)),
        ]
        for name, one in sections.items()
    ]
    return (
        _table("Grids and livers by section", header, rows) + '<p class="soft">Least, median, greatest.</p>'
    )


def _span(values: Sequence[float] | None) -> str:
    return "-" if values is None else ", ".join(f"{value:g}" for value in values)


def _patients(patients: Mapping[str, Mapping[str, Any]]) -> str:
    header = ("patient", "phases", "lesions", "liver ml", "liver HU")
    rows = [
        [
            case,
            ", ".join(one.get("phases", {})),
            ", ".join(f"{kind} {count}" for kind, count in one.get("lesions", {}).items()) or "-",
            one.get("liver_ml", "-"),
            ", ".join(f"{phase} {hu}" for phase, hu in one.get("liver_hu", {}).items()) or "-",
        ]
        for case, one in list(patients.items())[:SHOWN]
    ]
    more = f"<p>and {len(patients) - SHOWN} more in summary.json</p>" if len(patients) > SHOWN else ""
    return _table("Patients", header, rows) + more
