"""Render the sections of a cohort's page: patients in pictures, metrics, training curves."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from scripts.lidia.metrics.lesion_matching import LesionMap
from scripts.lidia.report.html_page import build_section
from scripts.lidia.report.line_charts import draw_curve
from scripts.lidia.report.loss_curves import LOSS_TITLES, Points
from scripts.lidia.report.phase_pictures import Outlines, draw_phases, encode_png
from scripts.lidia.report.probability_bars import render_patient_probabilities
from scripts.lidia.report.read_results import Patient, read_truth
from scripts.lidia.report.slice_choice import Plane, choose_slices, find_box, sample_plane
from scripts.lidia.report.tables import render_legend, render_lesion_table
from scripts.lidia.vocabulary import CLASSES, PHASES


def render_patient_card(patient: Patient, *, slices: int = 1) -> str:
    """Render one patient: phases side by side with contours, probabilities beside the truth, lesions.

    Args:
        patient: results, with images and truth where the datalist has them.
        slices: largest number of slices.

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
        blocks += [_render_picture(patient, index) for index in _choose_slices(patient, slices)]
    bars, lesions = render_patient_probabilities(result, truth), render_lesion_table(patient)
    return f'<article class="card">{"".join(blocks)}<div class="pair">{bars}{lesions}</div></article>'


def _choose_slices(patient: Patient, count: int) -> list[int]:
    lesions = patient.truth if patient.truth is not None and patient.truth.lesions else patient.found
    if not lesions.lesions and patient.liver.any():
        return [int(patient.liver.sum(axis=(0, 1)).argmax())]
    return choose_slices(lesions.numbers, count)


def draw_slice(patient: Patient, level: int) -> tuple[str, str]:
    """Draw a patient's phases side by side on one slice: a row for the truth (if known), a row for LIDIA.

    Args:
        patient: results with their images.
        level: slice number on the grid of the results.

    Returns:
        PNG as a data URI, and its description.
    """
    case = str(patient.result["id"])
    box = find_box(patient.liver, np.linalg.norm(patient.affine[:3, :3], axis=0))
    used = {name: path for name, path in patient.phases.items() if name in patient.result["phases_used"]}
    plane = sample_plane(used, patient.affine, level, box, case)
    rows: dict[str, Outlines | None] = {}
    if patient.truth is not None:
        rows["truth"] = _select_outlines(patient.truth, plane)
    rows["LIDIA"] = _select_outlines(patient.found, plane)
    descriptions = [f"{title}: {_list_types(lines)}" for title, lines in rows.items() if lines is not None]
    alt = f"Axial slice {level + patient.first} of {case} in four phases. {'; '.join(descriptions)}."
    return draw_phases(plane, rows), alt


def _render_picture(patient: Patient, level: int) -> str:
    source, alt = draw_slice(patient, level)
    return f'<figure><img src="{source}" alt="{escape(alt)}"><figcaption>{escape(alt)}</figcaption></figure>'


def _select_outlines(lesions: LesionMap, plane: Plane) -> Outlines:
    kinds = {lesion.number: lesion.kind for lesion in lesions.lesions}
    return Outlines(lesions.numbers[(*plane.box, plane.level)], kinds)


def _list_types(lines: Outlines) -> str:
    visible = sorted(kind for number, kind in lines.classes.items() if (lines.instances == number).any())
    return ", ".join(CLASSES[kind] for kind in visible) or "no lesion"


def render_training(curves: Mapping[str, Points]) -> str:
    """Render the training losses, one chart each."""
    note = "Each chart begins with the step at which its loss joined the training."
    charts = "".join(draw_curve(points, LOSS_TITLES[name]) for name, points in curves.items())
    words = note if charts else "No loss was logged."
    return build_section("Training", f'<p class="soft">{words}</p><div class="pair">{charts}</div>')


def render_cohort(table: str, confusion: Path | None) -> str:
    """Render the cohort's metrics with intervals, and the confusion matrix.

    Args:
        table: the metrics as HTML.
        confusion: PNG of the confusion matrix, None where there is none.

    Returns:
        An HTML block.
    """
    note = "Intervals are 95 % percentiles of a bootstrap over patients; few patients give wide ones."
    picture = ""
    if confusion is not None:
        source = encode_png(confusion.read_bytes())
        words = "Lesions by true type (rows) and by the type that LIDIA gave them (columns)."
        picture = f'<img src="{source}" alt="{words}"><figcaption>{words}</figcaption>'
        picture = f'<figure class="matrix">{picture}</figure>'
    return build_section("The cohort", f'<p class="soft">{note}</p>', table, picture)


def render_reading_notes() -> str:
    """Render the notes on how to read the pictures."""
    words = (
        "The patient's right is on your left. Contours carry the colour and the short name of their type. "
        "A phase that was not scanned is shown as absent. Window -60 to 240 HU."
    )
    return build_section("The first patients in pictures", f'<p class="soft">{words}</p>', render_legend())
