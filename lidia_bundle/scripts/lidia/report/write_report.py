"""Write the report of a run as one HTML page, from the files of training, evaluation and inference."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.read_datalist import load_datalist as read_datalist
from scripts.lidia.report.cohort_sections import (
    render_cohort,
    render_patient_card,
    render_reading_notes,
    render_training,
)
from scripts.lidia.report.html_page import write_page
from scripts.lidia.report.loss_curves import read_loss_curves
from scripts.lidia.report.patients_table import SCRIPT, render_patients
from scripts.lidia.report.read_results import find_finished, read_patient
from scripts.lidia.report.tables import render_metric_table
from scripts.lidia.vocabulary import LESION_TYPES

logger = logging.getLogger(__name__)

METRICS = {
    "auc8": "AUC-8, mean over the types (patients)",
    "auc2": "AUC-2, malignant and benign (patients)",
    **{f"auc_{name}": f"AUC {name}" for name in LESION_TYPES},
    "pixelcount_auc8": "AUC-8 by pixel count in place of LiverMax",
    "branch_auc8": "AUC-8 by the network's patient branch in place of LiverMax",
    "sensitivity": "sensitivity (lesions)",
    "precision": "precision (lesions)",
    "froc": "FROC score: mean sensitivity at 1/8 to 8 false lesions per patient (lesions)",
    "sensitivity_at_0.5_false": "sensitivity at 0.5 false lesions per patient (lesions)",
    "accuracy": "type accuracy (matched lesions)",
    "dice": "Dice of all lesions (voxels, mean over patients)",
    "liver_dice": "Dice of the liver",
}


def write_report(
    *,
    results_dir: str | Path,
    output_dir: str | Path,
    dataset_dir: str | Path | None = None,
    datalist: str | Path | None = None,
    section: str = "test",
    evaluation_dir: str | Path | None = None,
    training_dir: str | Path | None = None,
    title: str = "LIDIA: what it found",
    patients: int = 6,
    slices: int = 1,
) -> Path:
    """Write `report.html`.

    Args:
        results_dir: folder with the results of inference.
        output_dir: folder of the page.
        dataset_dir: folder of the data set, for images and truth; without it the page has no pictures.
        datalist: its JSON file, `dataset_dir/dataset.json` if None.
        section: section of the datalist with these patients.
        evaluation_dir: folder with `metrics.json`; without it the page has no cohort table.
        training_dir: folder with the training log; without it the page has no curves.
        title: heading of the page.
        patients: number of patients in pictures, the first by id.
        slices: slices for each patient.

    Raises:
        FileNotFoundError: if `results_dir` holds no result, or `evaluation_dir` no `metrics.json`.
    """
    cases = find_finished(results_dir)
    if not cases:
        remedy = "run inference.json with this output_dir first"
        raise FileNotFoundError(f"{results_dir} contains no results: {remedy}.")
    items: dict[str, dict[str, Any]] = {}
    if dataset_dir is not None:
        items = {item["id"]: item for item in read_datalist(dataset_dir, section, file=datalist)}
    sections = [render_patients(results_dir, output_dir, cases), render_reading_notes()]
    for case in cases[:patients]:
        sections.append(render_patient_card(read_patient(results_dir, case, items.get(case)), slices=slices))
    if evaluation_dir is not None:
        path = Path(evaluation_dir) / "metrics.json"
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: run evaluate.json with this output_dir first.")
        metrics = json.loads(path.read_text(encoding="utf-8"))
        table = render_metric_table(METRICS, metrics)
        pictures = {name: path.with_name(f"{name}.png") for name in ("confusion", "froc")}
        files = {name: picture for name, picture in pictures.items() if picture.is_file()}
        sections.append(render_cohort(table, **files))
    if training_dir is not None:
        sections.append(render_training(read_loss_curves(training_dir)))
    pictured = [item for case in cases[:patients] if (item := items.get(case))]
    synthetic = any(item.get("synthetic") for item in pictured)
    path = Path(output_dir) / "report.html"
    target = write_page(path, title, sections, synthetic=synthetic, scripts=(SCRIPT,))
    logger.info("Wrote the report %s", target)
    return target
