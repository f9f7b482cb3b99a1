"""Render all patients of a run as one table, highest probability of a malignant lesion first."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from scripts.lidia.inference.result_files import result_files
from scripts.lidia.report.probability_bars import (
    format_number,
    format_probability,
    get_mapping,
    to_finite,
)
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.tables import render_name

SCRIPT = "sorting.js"
COLUMNS = (
    "patient",
    "malignant",
    "triage",
    "benign",
    "likeliest type",
    "probability",
    "lesions",
    "largest, mm",
    "phases",
    "warnings",
)
_TEXT_COLUMNS = {"patient", "triage", "likeliest type"}


def render_patients(results_dir: str | Path, output_dir: str | Path, cases: Sequence[str]) -> Markup:
    """Render the table, with a link to each patient's page that exists.

    Args:
        results_dir: folder with the results of inference.
        output_dir: folder of the page, for relative links.
        cases: ids of the patients.
    """
    results = {}
    for case in cases:
        results[case] = json.loads(result_files(results_dir, case)["result"].read_text(encoding="utf-8"))
    order = sorted(results, key=lambda case: -(to_finite(results[case]["malignant"]) or 0.0))
    triage = any(get_mapping(result, "triage") for result in results.values())
    patients = [
        {"case": case, "link": _link_page(results_dir, output_dir, case), "cells": _make_cells(results[case])}
        for case in order
    ]
    return render_template(
        "patients",
        title="All patients",
        name="patients",
        columns=[column for column in COLUMNS if triage or column != "triage"],
        texts=_TEXT_COLUMNS,
        patients=patients,
    )


def _link_page(results_dir: str | Path, output_dir: str | Path, case: str) -> str:
    page = Path(results_dir) / f"{case}.html"
    if not page.is_file():
        return ""
    path = os.path.relpath(page.resolve(), Path(output_dir).resolve())
    return "./" + quote(Path(path).as_posix())  # a name with a colon would be read as a URL scheme


def _make_cells(result: Mapping[str, Any]) -> dict[str, tuple[str, float | None]]:
    """Make text and sort key of each column but the first."""
    probabilities, lesions = result["probabilities"], result["lesions"]
    likeliest = max(probabilities, key=lambda item: to_finite(probabilities[item]) or 0.0)
    sizes = [to_finite(item.get("diameter_mm")) or 0.0 for item in lesions]
    warnings = result.get("warnings") or ()
    phases = result.get("phases_used") or ()
    cells = {
        "malignant": (format_probability(result, "malignant"), result["malignant"]),
        "triage": (str(get_mapping(result, "triage").get("malignant", "")), None),
        "benign": (format_probability(result, "benign"), result["benign"]),
        "likeliest type": (render_name(likeliest), None),
        "probability": (format_number(probabilities[likeliest], 2), probabilities[likeliest]),
        "lesions": (str(len(lesions)), len(lesions)),
        "largest, mm": (format_number(max(sizes), 0) if sizes else "–", max(sizes, default=-1.0)),
        "phases": (f"{len(phases)} of 4", len(phases)),
        "warnings": (str(len(warnings)), len(warnings)),
    }
    return {column: (text, to_finite(key)) for column, (text, key) in cells.items()}
