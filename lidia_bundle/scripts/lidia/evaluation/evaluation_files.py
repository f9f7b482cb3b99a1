"""Write the files of an evaluation and log its table."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scripts.lidia.atomic import write_atomically, write_json
from scripts.lidia.evaluation.detection_table import DETECTION_COLUMNS, DetectionTable, format_pair
from scripts.lidia.evaluation.fit_type_sets import measure_type_sets
from scripts.lidia.evaluation.froc_files import (
    FROC_COLUMNS,
    draw_froc,
    format_froc,
    measure_existence,
    measure_froc,
)
from scripts.lidia.evaluation.gathered_rows import decode_phases
from scripts.lidia.evaluation.lesion_table import LESION_COLUMNS, to_csv_row
from scripts.lidia.evaluation.patient_metrics import PatientRows, PatientScores
from scripts.lidia.evaluation.reliability_diagram import (
    TRIAGE_COLUMNS,
    collect_scores,
    draw_reliability,
    format_triage,
)
from scripts.lidia.metrics.cohort_metrics import Summary
from scripts.lidia.metrics.froc import compute_froc
from scripts.lidia.metrics.intervals import (
    DRAWS,
    compare_by_delong,
    compute_delong_interval,
    compute_interval,
    compute_paired_difference,
    compute_wilson_interval,
    draw_patients,
)
from scripts.lidia.metrics.patient_rows import RULES, list_rules
from scripts.lidia.metrics.platt_scaling import (
    Calibration,
    compute_slope_interval,
    estimate_platt_covariance,
    fit_platt,
)
from scripts.lidia.vocabulary import LESION_TYPES

NOISE = "Differences below 0.03 in AUC-8 on some 300 patients are noise."


class EvaluationFiles:
    """Handler that writes metrics, tables of patients, lesions and triage, and two figures; logs a table.

    It belongs to the evaluator whose `PatientTable` has the same `scores`. With several ranks only the first
    one writes.

    Args:
        scores: object that measures the patients.
        folder: folder for the files.
        draws: number of bootstrap draws of the intervals.
        seed: seed of the draws; methods compared on one cohort need the same seed.
    """

    def __init__(self, *, scores: PatientScores, folder: str, draws: int = DRAWS, seed: int = 0) -> None:
        self.scores, self.folder, self.draws, self.seed = scores, Path(folder), draws, seed

    def attach(self, engine: Engine) -> None:
        """Writes when the evaluation is completed."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Writes all files."""
        rows = self.scores.rows()
        if idist.get_rank() == 0:
            write_evaluation(self.folder, rows, self.scores, draws=self.draws, seed=self.seed)


def write_evaluation(
    folder: str | Path, rows: PatientRows, scores: PatientScores, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Writes the files of an evaluation atomically and logs its table.

    Args:
        folder: folder for the files.
        rows: patients and lesions.
        scores: object that measured them.
        draws: number of bootstrap draws.
        seed: seed of the draws.

    Returns:
        Content of `metrics.json`.
    """
    folder = Path(folder)
    summary = scores.summary(draws, seed)
    present = scores.protocol.present_mm3
    metrics = make_report(summary, rows, present, scores.calibration)
    candidates = DetectionTable(rows.ids, rows.detections)
    detections = candidates.collect_detections(scores.protocol.counted_mm3)
    curve, weights = compute_froc(detections), draw_patients(len(rows.ids), draws, seed)
    metrics |= measure_froc(detections, curve, weights) | measure_existence(candidates, weights)
    if scores.type_sets is not None:
        metrics |= measure_type_sets(rows, present, scores.type_sets, scores.coverage)
    write_json(folder / "metrics.json", metrics)
    write_table(folder / "patients.csv", make_patient_rows(rows))
    lesions = ({"id": name, **to_csv_row(line)} for name, line in rows.lesions)
    pairs = ({"id": name, **format_pair(line)} for name, line in rows.detections)
    write_table(folder / "lesions.csv", lesions, ("id", *LESION_COLUMNS))
    write_table(folder / "candidates.csv", pairs, ("id", *DETECTION_COLUMNS))
    write_table(folder / "froc.csv", format_froc(curve), FROC_COLUMNS)
    draw_froc(folder / "froc.png", curve, scores.lesion_points)
    draw_confusion(folder / "confusion.png", count_confusion(rows))
    draw_reliability(folder / "reliability.png", rows, present, scores.calibration)
    if scores.calibration is not None and scores.calibration.points:
        triage = format_triage(rows, present, scores.calibration)
        write_table(folder / "triage.csv", triage, TRIAGE_COLUMNS)
    logging.getLogger(__name__).info("%s\n%s", folder, format_report(metrics, len(rows.ids)))
    return metrics


def make_report(
    summary: Summary, rows: PatientRows, present_mm3: float, calibration: Calibration | None
) -> dict[str, dict[str, Any]]:
    """Builds `{metric: {value, low, high, n}}` with notes, further intervals and comparisons with LiverMax.

    Args:
        summary: metrics of the cohort and its draws.
        rows: rows of the patients.
        present_mm3: a patient has a type if the volume of its lesions exceeds this value.
        calibration: applied before slopes are computed; None uses plain LiverMax.
    """
    metrics = {}
    for name, values in summary.values.items():
        metrics[name] = compute_interval(values, summary.counts[name])
        if name in summary.notes:
            metrics[name]["note"] = summary.notes[name]
    rules = list_rules(rows.columns)
    for name, rule in product(("auc8", "auc2"), rules[1:]):
        rule_values = summary.values[RULES[rule] + name]
        metrics[f"{name}_minus_{rule}"] = compute_paired_difference(
            summary.values[name], rule_values, summary.counts[name]
        )
    for name in ("precision", "sensitivity", "accuracy"):
        value, count = metrics[name]["value"], metrics[name]["n"]
        metrics[name]["wilson"] = (
            None if value is None else list(compute_wilson_interval(round(value * count), count))
        )
    for name in LESION_TYPES:
        truth = rows.columns[f"mm3_{name}"] > present_mm3
        _add_type_intervals(metrics, name, truth, {rule: rows.columns[f"{rule}_{name}"] for rule in rules})
    for name, chances, truth in collect_scores(rows, present_mm3, calibration):
        if name in LESION_TYPES:
            line = fit_platt(chances, truth, smooth=False)
            bounds = compute_slope_interval(line, estimate_platt_covariance(chances, line))
            metrics[f"auc_{name}"] |= {
                "calibration_slope": line.slope,
                "calibration_slope_wald": list(bounds),
            }
    return metrics


def _add_type_intervals(
    metrics: dict[str, dict[str, Any]],
    name: str,
    truth: NDArray[np.bool_],
    scores: Mapping[str, NDArray[np.float64]],
) -> None:
    """Adds DeLong's interval of a type's area for each rule, and the p-value against LiverMax."""
    livermax, type_metric = scores["livermax"], metrics[f"auc_{name}"]
    for rule, values in scores.items():
        bounds = compute_delong_interval(values, truth)
        metrics[f"{RULES[rule]}auc_{name}"]["delong"] = None if bounds is None else list(bounds)
        if rule != "livermax" and min(truth.sum(), (~truth).sum()) >= 2:
            type_metric[f"p_against_{rule}"] = compare_by_delong(livermax, values, truth)[1]


def make_patient_rows(rows: PatientRows) -> Iterable[dict[str, str]]:
    """Builds one row per patient: scores of each rule, true volumes, counts, Dice; without type confusion."""
    for index, (name, phases) in enumerate(zip(rows.ids, decode_phases(rows.columns["phases"]), strict=True)):
        row = {"id": name}
        for column, values in rows.columns.items():
            if column.startswith(("called_", "false_")) and "iou" not in column:
                continue
            row[column] = "" if np.isnan(values[index]) else f"{values[index]:.9g}"
        row["phases"] = "+".join(phases)
        yield row


def write_table(path: Path, lines: Iterable[Mapping[str, str]], names: Sequence[str] | None = None) -> None:
    """Writes a CSV file with a header.

    Args:
        path: CSV file.
        lines: rows, each by column name.
        names: columns; by default those of the first row.
    """
    table = list(lines)
    header = list(names if names is not None else table[0] if table else ["id"])
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(table)


def count_confusion(rows: PatientRows) -> NDArray[np.int64]:
    """Counts lesions by true type (rows) and predicted type, `(9, 9)`; last row false, last column missed."""
    table = np.zeros((len(LESION_TYPES) + 1,) * 2, np.int64)
    for row, name in enumerate(LESION_TYPES):
        for column, predicted_type in enumerate(LESION_TYPES):
            table[row, column] = rows.columns[f"called_{name}_{predicted_type}"].sum()
        table[row, -1] = (rows.columns[f"truths_{name}"] - rows.columns[f"hits_{name}"]).sum()
        table[-1, row] = rows.columns[f"false_{name}"].sum()
    return table


def draw_confusion(path: Path, table: NDArray[np.int64]) -> None:
    """Draws the confusion matrix, coloured by the share of each row.

    Args:
        path: PNG file.
        table: `(9, 9)`, see `count_confusion`.
    """
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(table):
        if (row, column) != (len(table) - 1, len(table) - 1):
            colour = "white" if share[row, column] > 0.6 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    ticks = range(len(table))
    axes.set_xticks(ticks, [*LESION_TYPES, "missed"], rotation=45, ha="right")
    axes.set_yticks(ticks, [*LESION_TYPES, "false"])
    axes.set(xlabel="predicted type", ylabel="true type", title="Lesions by true and predicted type")
    with write_atomically(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})


RULE_TITLES = {"livermax": "LiverMax", "pixelcount": "pixel count", "branch": "patient branch"}
ROWS = (
    *(("AUC-8", "auc8"), ("AUC-2", "auc2"), ("AUC-2, the authors' sides", "auc2_authors")),
    *((f"AUC {name}", f"auc_{name}") for name in LESION_TYPES),
)
OTHER_ROWS = (
    *(("lesion precision", "precision"), ("lesion sensitivity", "sensitivity")),
    *(("lesion type accuracy", "accuracy"), ("lesion type macro-F1", "macro_f1")),
    *(("one to one, IoU 0.1: precision", "precision_iou10"), ("  sensitivity", "sensitivity_iou10")),
    *(("one to one, IoU 0.5: precision", "precision_iou50"), ("  sensitivity", "sensitivity_iou50")),
    *(("FROC score", "froc"), ("  sensitivity at 1 false a patient", "sensitivity_at_1_false")),
    *(("sets of types: lesions, coverage", "lesion_set_coverage"), ("  mean size", "lesion_set_size")),
    *(("existence: calibration error", "existence_ece"), ("  Brier skill", "existence_brier_skill")),
    *(("Dice of all lesions", "dice"), ("Dice of the liver", "liver_dice")),
    *(("expected calibration error", "ece"), ("Brier skill", "brier_skill")),
)


def format_report(metrics: Mapping[str, Mapping[str, Any]], patients: int) -> str:
    """Formats the paper's metrics with their intervals as text, with one column per patient rule."""
    rules = [rule for rule, prefix in RULES.items() if f"{prefix}auc8" in metrics]
    lines = [
        f"{patients} patients; value [95 % interval by patients] (n)",
        f"{'':32}" + "".join(f"{RULE_TITLES[rule]:34}" for rule in rules).rstrip(),
    ]
    for title, name in ROWS:
        cells = "".join(f"{_format_metric(metrics[RULES[rule] + name]):34}" for rule in rules)
        lines.append(f"{title:32}{cells}".rstrip())
    lines += [f"{title:32}{_format_metric(metrics[name])}" for title, name in OTHER_ROWS if name in metrics]
    lines += [f"{name}: {metrics[name]['note']}" for name in ("auc8", "auc2") if "note" in metrics[name]]
    return "\n".join([*lines, NOISE])


def _format_metric(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        note = metric.get("note", "none to measure")
        return "-      (see the parts)" if note.startswith("left out") else f"-      ({note})"
    if metric["low"] is None:
        return f"{metric['value']:.3f}  [no interval]  ({metric['n']})"
    return f"{metric['value']:.3f}  [{metric['low']:.3f}, {metric['high']:.3f}]  ({metric['n']})"
