"""The sections of the cohort's page: patients in pictures, metrics, training."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from scripts.lidia.metrics.lesion_matching import Found
from scripts.lidia.report.html_page import section
from scripts.lidia.report.line_charts import curve
from scripts.lidia.report.loss_curves import CURVES, Points
from scripts.lidia.report.phase_pictures import Outlines, data_uri, phases_side_by_side
from scripts.lidia.report.probability_bars import patient_chances
from scripts.lidia.report.read_results import Patient, read_truth
from scripts.lidia.report.slice_choice import Plane, box_of, busiest_slices, cut
from scripts.lidia.report.tables import legend, lesion_table
from scripts.lidia.vocabulary import CLASSES, PHASES


def patient_card(patient: Patient, *, slices: int = 1) -> str:
    """One patient: phases side by side with contours, probabilities beside the truth, the lesions.

    Args:
        patient: results, and images and truth as far as they are known.
        slices: how many slices to draw at most.

    Returns:
        An HTML block.
    """
    result, truth = patient.result, read_truth(patient)
    used = result["phases_used"]
    absent = [phase for phase in PHASES if phase not in used]
    facts = f"Phases: {', '.join(used)}" + (f"; absent: {', '.join(absent)}" if absent else "")
    facts += f". Grid: {result['grid_phase']}. Probabilities "
    facts += "calibrated." if result.get("calibrated") else "as LiverMax gives them, not calibrated."
    blocks = [f'<h3>{escape(str(result["id"]))}</h3><p class="soft">{escape(facts)}</p>']
    blocks += [f'<p class="warn">{escape(str(warning))}</p>' for warning in result.get("warnings", [])]
    if patient.phases:
        blocks += [_picture(patient, index) for index in _slices(patient, slices)]
    bars, lesions = patient_chances(result, truth), lesion_table(patient)
    return f'<article class="card">{"".join(blocks)}<div class="pair">{bars}{lesions}</div></article>'


def _slices(patient: Patient, count: int) -> list[int]:
    known = patient.truth if patient.truth is not None and patient.truth.lesions else patient.found
    if not known.lesions and patient.liver.any():
        return [int(patient.liver.sum(axis=(0, 1)).argmax())]
    return busiest_slices(known.numbers, count)


def drawing(patient: Patient, level: int) -> tuple[str, str]:
    """A patient's phases side by side on one slice, a row for the truth (if known) and one for LIDIA.

    Args:
        patient: results with their images.
        level: slice number on the grid of the results.

    Returns:
        PNG as a data URI, and what it shows in words.
    """
    case = str(patient.result["id"])
    box = box_of(patient.liver, np.linalg.norm(patient.affine[:3, :3], axis=0))
    used = {name: path for name, path in patient.phases.items() if name in patient.result["phases_used"]}
    plane = cut(used, patient.affine, level, box, case)
    rows: dict[str, Outlines | None] = {}
    if patient.truth is not None:
        rows["truth"] = _outlines(patient.truth, plane)
    rows["LIDIA"] = _outlines(patient.found, plane)
    seen = [f"{title}: {_names(lines)}" for title, lines in rows.items() if lines is not None]
    alt = f"Axial slice {level + patient.first} of {case} in four phases. {'; '.join(seen)}."
    return phases_side_by_side(plane, rows), alt


def _picture(patient: Patient, level: int) -> str:
    source, alt = drawing(patient, level)
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{escape(alt)}</figcaption></figure>'


def _outlines(lesions: Found, plane: Plane) -> Outlines:
    kinds = {lesion.number: lesion.kind for lesion in lesions.lesions}
    return Outlines(lesions.numbers[(*plane.box, plane.level)], kinds)


def _names(lines: Outlines) -> str:
    there = sorted(kind for number, kind in lines.classes.items() if (lines.instances == number).any())
    return ", ".join(CLASSES[kind] for kind in there) or "no lesion"


def training_section(curves: Mapping[str, Points]) -> str:
    """The losses over a training, one chart each."""
    note = "Each chart begins with the step at which its loss joined the training."
    charts = "".join(curve(points, CURVES[name]) for name, points in curves.items())
    words = note if charts else "No loss was logged."
    return section("Training", f'<p class="soft">{words}</p><div class="pair">{charts}</div>')


def cohort_section(table: str, confusion: Path | None) -> str:
    """The cohort's metrics with their intervals, and which type was taken for which.

    Args:
        table: the metrics as HTML.
        confusion: PNG of the confusion matrix, None where there is none.

    Returns:
        An HTML block.
    """
    note = "Intervals are 95 % percentiles of a bootstrap over patients; few patients give wide ones."
    picture = ""
    if confusion is not None:
        source = data_uri(confusion.read_bytes())
        words = "Lesions by true type (rows) and by the type that LIDIA gave them (columns)."
        picture = f'<img src="{source}" alt="{words}"><figcaption>{words}</figcaption>'
        picture = f'<figure class="matrix">{picture}</figure>'
    return section("The cohort", f'<p class="soft">{note}</p>', table, picture)


def legend_section() -> str:
    """How to read the pictures."""
    words = (
        "The patient's right is on your left. Contours carry the colour and the short name of their type. "
        "A phase that was not scanned is shown as absent. Window -60 to 240 HU."
    )
    return section("The first patients in pictures", f'<p class="soft">{words}</p>', legend())
