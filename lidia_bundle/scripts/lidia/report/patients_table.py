"""Render all patients of a run as one table, highest probability of a malignant lesion first."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts.lidia.inference.result_files import result_files
from scripts.lidia.report.html_page import build_section
from scripts.lidia.report.probability_bars import (
    format_number,
    format_probability,
    get_mapping,
    render_name,
    to_finite,
)

SCRIPT = "sorting.js"
COLUMNS = (
    "patient",
    "malignant",
    "benign",
    "likeliest type",
    "probability",
    "lesions",
    "largest, mm",
    "phases",
    "warnings",
)
_NUMBER_COLUMNS = {1, 2, 4, 5, 6, 7, 8}


def render_patients(results_dir: str | Path, output_dir: str | Path, cases: Sequence[str]) -> str:
    """Render the table, with a link to each patient's page that exists.

    Args:
        results_dir: folder with the results of inference.
        output_dir: folder of the page, for relative links.
        cases: ids of the patients.

    Returns:
        An HTML block.
    """
    results = {}
    for case in cases:
        results[case] = json.loads(result_files(results_dir, case)["result"].read_text(encoding="utf-8"))
    order = sorted(results, key=lambda case: -(to_finite(results[case]["malignant"]) or 0.0))
    triage = any(get_mapping(result, "triage") for result in results.values())
    rows = "".join(
        _render_row(results[case], _link_page(results_dir, output_dir, case), triage) for case in order
    )
    heads = [*COLUMNS[:2], "triage", *COLUMNS[2:]] if triage else list(COLUMNS)
    cells = "".join(
        f'<th scope="col"{_align_column(name)}{" aria-sort=descending" if name == "malignant" else ""}>'
        f'<button type="button" class="sort">{name}</button></th>'
        for name in heads
    )
    note = "A heading sorts the table by its column, a second press the other way round."
    return build_section(
        "All patients",
        f'<p class="soft screen">{note}</p>',
        '<div class="scroll" role="region" aria-label="All patients" tabindex="0"><table class="sortable">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>",
        name="patients",
    )


def _align_column(name: str) -> str:
    return ' class="number"' if name in COLUMNS and COLUMNS.index(name) in _NUMBER_COLUMNS else ""


def _link_page(results_dir: str | Path, output_dir: str | Path, case: str) -> str:
    page = Path(results_dir) / f"{case}.html"
    if not page.is_file():
        return escape(case)
    path = os.path.relpath(page.resolve(), Path(output_dir).resolve())
    # "./" because a name with a colon would be read as a URL scheme
    return f'<a href="{escape("./" + quote(Path(path).as_posix()))}">{escape(case)}</a>'


def _render_row(result: Mapping[str, Any], name: str, triage: bool) -> str:
    probabilities, lesions = result["probabilities"], result["lesions"]
    likeliest = max(probabilities, key=lambda item: to_finite(probabilities[item]) or 0.0)
    sizes = [to_finite(item.get("diameter_mm")) or 0.0 for item in lesions]
    warnings = result.get("warnings") or ()
    phases = result.get("phases_used") or ()
    cells = {
        "malignant": (format_probability(result, "malignant"), result["malignant"]),
        "triage": (escape(str(get_mapping(result, "triage").get("malignant", ""))), None),
        "benign": (format_probability(result, "benign"), result["benign"]),
        "likeliest type": (render_name(likeliest), None),
        "probability": (format_number(probabilities[likeliest], 2), probabilities[likeliest]),
        "lesions": (str(len(lesions)), len(lesions)),
        "largest, mm": (format_number(max(sizes), 0) if sizes else "–", max(sizes, default=-1.0)),
        "phases": (f"{len(phases)} of 4", len(phases)),
        "warnings": (str(len(warnings)), len(warnings)),
    }
    if not triage:
        del cells["triage"]
    row_cells = "".join(
        f"<td{_align_column(column)}{_make_sort_key(value)}>{words}</td>"
        for column, (words, value) in cells.items()
    )
    return f'<tr><th scope="row">{name}</th>{row_cells}</tr>'


def _make_sort_key(value: Any) -> str:
    number = to_finite(value)
    return "" if number is None else f' data-key="{number!r}"'
