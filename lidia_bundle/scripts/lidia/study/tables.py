"""The tables of a study, from the files that the evaluations left: `study.json` and `study.md`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.engine.atomic import replacing
from scripts.lidia.metrics.cohort import summarise_patients
from scripts.lidia.metrics.intervals import DRAWS, draw_patients, paired_difference
from scripts.lidia.metrics.rows import RULES, rules_of
from scripts.lidia.study.runner import COHORTS
from scripts.lidia.vocabulary import LESION_TYPES

AREAS = ("auc8", "auc2", *(f"auc_{name}" for name in LESION_TYPES))
OTHERS = ("precision", "sensitivity", "accuracy", "dice", "liver_dice")
NOTE = "All figures are from synthetic patients (the phantom); 95 % intervals by a bootstrap over patients."


def write_study(
    *, output_dir: str, systems: Sequence[str], reference: str = "lidia", draws: int = DRAWS, seed: int = 0
) -> Path:
    """Writes `study.json` and `study.md` into `output_dir` of `run_study`.

    Args:
        output_dir: folder of the study.
        systems: names, in the order of the rows.
        reference: the system, read by LiverMax, that all others are compared with.
        draws: of the bootstrap behind the paired differences.
        seed: of the draws.

    Returns:
        The page.
    """
    folder = Path(output_dir)
    study: dict[str, Any] = {"differences": {}}
    for cohort in COHORTS:
        found = {name: json.loads((folder / name / cohort / "metrics.json").read_text()) for name in systems}
        study[cohort] = {
            f"{name}+{rule}": _figures(metrics, prefix)
            for name, metrics in found.items()
            for rule, prefix in RULES.items()
            if f"{prefix}auc8" in metrics
        }
        tables = {name: read_patients(folder / name / cohort / "patients.csv") for name in systems}
        study["differences"][cohort] = differences(tables, reference, draws, seed)
    with replacing(folder / "study.json") as beside:
        beside.write_text(json.dumps(study, indent=1, allow_nan=False), encoding="utf-8")
    with replacing(folder / "study.md") as beside:
        beside.write_text(page(study, f"{reference}+livermax"), encoding="utf-8")
    return folder / "study.md"


def read_patients(path: Path) -> dict[str, NDArray[np.float64]]:
    """Columns of a `patients.csv` that hold numbers, `(N,)` in the order of the ids; empty cells are nan."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = sorted(csv.DictReader(file), key=lambda line: line["id"])
    names = [name for name in (lines[0] if lines else {}) if name not in ("id", "phases")]
    return {name: np.array([float(line[name] or "nan") for line in lines]) for name in names}


def differences(
    tables: Mapping[str, Mapping[str, NDArray[np.float64]]], reference: str, draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Reference with LiverMax minus each system with each rule: AUC-8 and AUC-2, paired by patient.

    Args:
        tables: columns by system, the same patients in the same order.
        reference: the system that the others are taken from.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        ValueError: two systems were not judged on the same number of patients.
    """
    counts = {len(table["mm3_malignant"]) for table in tables.values()}
    if len(counts) != 1:
        raise ValueError(f"The systems were judged on different cohorts, of {sorted(counts)} patients.")
    weights = draw_patients(counts.pop(), draws, seed)
    areas = {name: summarise_patients(table, weights) for name, table in tables.items()}
    best = areas[reference]
    gaps: dict[str, dict[str, Any]] = {}
    for name, summary in areas.items():
        for rule in rules_of(tables[name]):
            prefix = RULES[rule]
            if (name, rule) != (reference, "livermax"):
                gaps[f"{name}+{rule}"] = {
                    area: paired_difference(
                        best.values[area], summary.values[prefix + area], best.counts[area]
                    )
                    for area in ("auc8", "auc2")
                }
    return gaps


def page(study: Mapping[str, Any], reference: str) -> str:
    """The tables of a study as Markdown."""
    lines = ["# The study", "", NOTE, f"p is that of the paired difference to {reference}.", ""]
    for cohort in COHORTS:
        gaps = study["differences"][cohort]
        lines += [f"## {cohort.capitalize()} cohort (synthetic)", ""]
        lines += _head(["method", "AUC-8", "p", "AUC-2", "p", *OTHERS])
        for method, figures in study[cohort].items():
            cells = []
            for area in ("auc8", "auc2"):
                gap = gaps.get(method, {}).get(area, {})
                cells += [_cell(figures[area]), _chance(gap.get("p"))]
            lines.append(_row([method, *cells, *(_cell(figures[name]) for name in OTHERS)]))
        lines += ["", *_head(["AUC", *LESION_TYPES, "mean"])]
        for method, figures in study[cohort].items():
            types = [_short(figures[f"auc_{name}"]) for name in LESION_TYPES]
            lines.append(_row([method, *types, _short(figures["auc8"])]))
        lines.append("")
    return "\n".join(lines)


def _figures(metrics: Mapping[str, Mapping[str, Any]], prefix: str) -> dict[str, list[float | None]]:
    names = {name: prefix + name for name in AREAS} | {name: name for name in OTHERS}
    return {name: [metrics[key][part] for part in ("value", "low", "high")] for name, key in names.items()}


def _head(names: Sequence[str]) -> list[str]:
    return [_row(names), _row(["---"] * len(names))]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(figure: Sequence[float | None]) -> str:
    return "-" if figure[0] is None else f"{figure[0]:.3f}"


def _cell(figure: Sequence[float | None]) -> str:
    value, low, high = figure
    return _short(figure) if value is None or low is None else f"{value:.3f} ({low:.3f}-{high:.3f})"


def _chance(p: float | None) -> str:
    return "" if p is None else f"{p:.3f}"
