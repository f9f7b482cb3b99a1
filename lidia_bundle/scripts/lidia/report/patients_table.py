"""All patients of a run in one table, the likeliest to have a malignant lesion first."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scripts.lidia.inference.result_files import result_files
from scripts.lidia.report.html_page import section
from scripts.lidia.report.probability_bars import chance_words, finite, number, table_of, tag

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
_NUMBERS = {1, 2, 4, 5, 6, 7, 8}


def patients_section(results_dir: str | Path, output_dir: str | Path, cases: Sequence[str]) -> str:
    """The table, with a link to each page that is there.

    Args:
        results_dir: where inference wrote.
        output_dir: where the table will stand, for links.
        cases: ids of the patients.

    Returns:
        An HTML block.
    """
    results = {}
    for case in cases:
        results[case] = json.loads(result_files(results_dir, case)["result"].read_text(encoding="utf-8"))
    order = sorted(results, key=lambda case: -(finite(results[case]["malignant"]) or 0.0))
    triage = any(table_of(one, "triage") for one in results.values())
    rows = "".join(_row(results[case], _link(results_dir, output_dir, case), triage) for case in order)
    heads = [*COLUMNS[:2], "triage", *COLUMNS[2:]] if triage else list(COLUMNS)
    cells = "".join(
        f'<th scope="col"{_side(name)}{" aria-sort=descending" if name == "malignant" else ""}>'
        f'<button type="button" class="sort">{name}</button></th>'
        for name in heads
    )
    note = "A heading sorts the table by its column, a second press the other way round."
    return section(
        "All patients",
        f'<p class="soft screen">{note}</p>',
        '<div class="scroll" role="region" aria-label="All patients" tabindex="0"><table class="sortable">'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>",
        name="patients",
    )


def _side(name: str) -> str:
    return ' class="number"' if name in COLUMNS and COLUMNS.index(name) in _NUMBERS else ""


def _link(results_dir: str | Path, output_dir: str | Path, case: str) -> str:
    page = Path(results_dir) / f"{case}.html"
    if not page.is_file():
        return escape(case)
    path = os.path.relpath(page.resolve(), Path(output_dir).resolve())
    # A name with a colon would be taken for a scheme
    return f'<a href="{escape("./" + quote(Path(path).as_posix()))}">{escape(case)}</a>'


def _row(result: Mapping[str, Any], name: str, triage: bool) -> str:
    chances, lesions = result["probabilities"], result["lesions"]
    likeliest = max(chances, key=lambda one: finite(chances[one]) or 0.0)
    sizes = [finite(one.get("diameter_mm")) or 0.0 for one in lesions]
    warnings = result.get("warnings") or ()
    phases = result.get("phases_used") or ()
    cells = {
        "malignant": (chance_words(result, "malignant"), result["malignant"]),
        "triage": (escape(str(table_of(result, "triage").get("malignant", ""))), None),
        "benign": (chance_words(result, "benign"), result["benign"]),
        "likeliest type": (tag(likeliest), None),
        "probability": (number(chances[likeliest], 2), chances[likeliest]),
        "lesions": (str(len(lesions)), len(lesions)),
        "largest, mm": (number(max(sizes), 0) if sizes else "–", max(sizes, default=-1.0)),
        "phases": (f"{len(phases)} of 4", len(phases)),
        "warnings": (str(len(warnings)), len(warnings)),
    }
    if not triage:
        del cells["triage"]
    told = "".join(
        f"<td{_side(column)}{_key(value)}>{words}</td>" for column, (words, value) in cells.items()
    )
    return f'<tr><th scope="row">{name}</th>{told}</tr>'


def _key(value: Any) -> str:
    known = finite(value)
    return "" if known is None else f' data-key="{known!r}"'
