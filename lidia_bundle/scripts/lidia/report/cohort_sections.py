"""Render the sections of a cohort's page: patients in pictures, metrics, training curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from markupsafe import Markup

from scripts.lidia.metrics.lesion_matching import LesionMap
from scripts.lidia.report.line_charts import draw_curve
from scripts.lidia.report.loss_curves import LOSS_TITLES, Points
from scripts.lidia.report.phase_pictures import Outlines, draw_phases, encode_png
from scripts.lidia.report.probability_bars import render_patient_probabilities
from scripts.lidia.report.read_results import Patient, read_truth
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.slice_choice import Plane, choose_slices, find_box, sample_plane
from scripts.lidia.report.tables import render_lesion_table, render_name
from scripts.lidia.vocabulary import CLASSES, LESION_TYPES, PHASES


def render_patient_card(patient: Patient, *, slices: int = 1) -> Markup:
    """Render one patient: phases side by side with contours, probabilities beside the truth, lesions.

    Args:
        patient: results, with images and truth where the datalist has them.
        slices: largest number of slices.
    """
    result, used = patient.result, patient.result["phases_used"]
    return render_template(
        "patient_card",
        result={"calibrated": False, "warnings": [], **result},
        used=used,
        absent=[phase for phase in PHASES if phase not in used],
        pictures=[draw_slice(patient, level) for level in _choose_slices(patient, slices)],
        bars=render_patient_probabilities(result, read_truth(patient)),
        lesions=render_lesion_table(patient),
    )


def _choose_slices(patient: Patient, count: int) -> list[int]:
    if not patient.phases:
        return []
    lesions = patient.truth if patient.truth is not None and patient.truth.lesions else patient.predicted
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
    rows["LIDIA"] = _select_outlines(patient.predicted, plane)
    descriptions = [f"{title}: {_list_types(lines)}" for title, lines in rows.items() if lines is not None]
    alt = f"Axial slice {level + patient.first} of {case} in four phases. {'; '.join(descriptions)}."
    return draw_phases(plane, rows), alt


def _select_outlines(lesions: LesionMap, plane: Plane) -> Outlines:
    kinds = {lesion.number: lesion.kind for lesion in lesions.lesions}
    return Outlines(lesions.numbers[(*plane.box, plane.level)], kinds)


def _list_types(lines: Outlines) -> str:
    visible = sorted(kind for number, kind in lines.classes.items() if (lines.instances == number).any())
    return ", ".join(CLASSES[kind] for kind in visible) or "no lesion"


def render_training(curves: Mapping[str, Points]) -> Markup:
    """Render the training losses, one chart each."""
    charts = [draw_curve(points, LOSS_TITLES[name]) for name, points in curves.items()]
    return render_template("training", title="Training", charts=charts)


def render_cohort(table: str, confusion: Path | None = None, froc: Path | None = None) -> Markup:
    """Render the cohort's metrics with intervals, the confusion matrix and the FROC curve.

    Args:
        table: the metrics as HTML.
        confusion: PNG of the confusion matrix, None where there is none.
        froc: PNG of the FROC curve, None where there is none.
    """
    matrix, curve = (None if path is None else encode_png(path.read_bytes()) for path in (confusion, froc))
    return render_template("cohort", title="The cohort", table=table, confusion=matrix, froc=curve)


def render_reading_notes() -> Markup:
    """Render the notes on how to read the pictures, and the eight types with their colours."""
    names = [render_name(name) for name in LESION_TYPES]
    return render_template("reading_notes", title="The first patients in pictures", names=names)
