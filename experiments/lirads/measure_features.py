"""Measure sensitivity and specificity of the LI-RADS evidence on phantoms, by size and by missing phase.

The true masks are used, so that the figures are those of the measurement and not of the segmentation.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.lirads.true_features import derive_features
from scripts.lidia.atomic import write_atomically, write_json
from scripts.lidia.components import measure_components
from scripts.lidia.diameter import measure_diameter_mm
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.morphometry.lesion_zones import expand_box
from scripts.lidia.morphometry.lirads_features import measure_lirads
from scripts.lidia.morphometry.lirads_finding import ABSENT, NOT_ASSESSED, PRESENT
from scripts.lidia.phantom.case import Case, sample_case
from scripts.lidia.phantom.write_cohort import map_cases
from scripts.lidia.vocabulary import PHASES

logger = logging.getLogger(__name__)
SIZES = {"all": (0.0, np.inf), "< 10 mm": (0.0, 10.0), "10-19 mm": (10.0, 20.0), ">= 20 mm": (20.0, np.inf)}
NONE_MISSING = "none"


class Row(NamedTuple):
    """One feature of one lesion.

    Attributes:
        missing: the phase that was left out, or `none`.
        feature: its name.
        diameter_mm: longest diameter of the lesion.
        truth: whether the lesion has it.
        state: what was measured.
        has_delayed: whether the patient has a delayed phase.
    """

    missing: str
    feature: str
    diameter_mm: float
    truth: bool
    state: str
    has_delayed: bool


def measure_cohort(
    *,
    output: str | os.PathLike[str],
    cases: int = 100,
    seed: int = 2024,
    cohort: str = "internal",
    workers: int = 1,
) -> dict[str, Any]:
    """Measure the features of a phantom cohort, and write a JSON and a Markdown table.

    Args:
        output: JSON file; the table is beside it, `.md`.
        cases: number of patients.
        seed: of the cohort.
        cohort: `internal` or `external`.
        workers: number of processes.

    Returns:
        Counts and rates by missing phase, size and feature.
    """
    rows: list[Row] = []
    path, lesions = Path(output), 0
    measure = partial(measure_case, seed=seed, cohort=cohort)
    summary: dict[str, Any] = {}
    measured: Iterator[Any] = map_cases(measure, cases, workers)
    for done, (case_rows, count) in enumerate(measured, 1):
        rows += case_rows
        lesions += count
        about = {"cohort": cohort, "seed": seed, "cases": done, "lesions": lesions, "synthetic": True}
        summary = {**about, "missing": summarize(rows)}
        write_json(path, summary)  # an interrupted run leaves the figures of its finished patients
        logger.info(f"{done} of {cases} patients, {lesions} lesions")
    with write_atomically(path.with_suffix(".md")) as temporary:
        temporary.write_text(format_table(summary), encoding="utf-8")
    return summary


def measure_case(index: int, *, seed: int, cohort: str) -> tuple[list[Row], int]:
    """Measure all lesions of a phantom patient, with all phases and without each of them.

    Args:
        index: of the case.
        seed: of the cohort.
        cohort: `internal` or `external`.

    Returns:
        The rows, and the number of lesions.
    """
    case = sample_case(seed, index, cohort)
    masks = Volume(case.instances, case.affine)
    spacing = masks.spacing.tolist()
    parts = {part.instance: part for part in measure_components(case.instances, spacing)}
    rows = []
    for record in case.lesions:
        number = int(record["instance"])
        box = expand_box(parts[number].box, spacing, masks.shape)
        truth = derive_features(record["parts"], case.patient.liver.tolist())
        rows += _measure_lesion(case, number, box, truth)
    return rows, len(case.lesions)


def _measure_lesion(
    case: Case, number: int, box: Sequence[slice], truth: dict[str, bool | None]
) -> list[Row]:
    crop = Volume(case.instances, case.affine).crop(box)
    hu = {
        phase: Volume(volume.data, volume.affine).resample(crop.grid, outside=np.nan)
        for phase, volume in case.volumes.items()
    }
    lesion = crop.voxels == number
    diameter = measure_diameter_mm(lesion, crop.spacing.tolist())
    rows = []
    for missing in (NONE_MISSING, *PHASES):
        if missing != NONE_MISSING and missing not in hu:
            continue
        shown = {phase: volume for phase, volume in hu.items() if phase != missing}
        evidence = measure_lirads(
            shown, lesion, crop.voxels, case.liver[tuple(box)], crop.spacing.tolist(), diameter_mm=diameter
        )
        for feature, state in truth.items():
            if state is not None:
                measured = evidence["features"][feature]["state"]
                rows.append(Row(missing, feature, diameter, state, measured, "delayed" in hu))
    return rows


def summarize(rows: Iterable[Row]) -> dict[str, dict[str, dict[str, dict[str, float | int | None]]]]:
    """Count the findings by missing phase, size and feature.

    Sensitivity and specificity are those of the lesions whose feature was assessed; `not_assessed` is the
    share of all. Patients who were never scanned in the delayed phase count only where it is missing.

    Args:
        rows: of all lesions.
    """
    counts: Counter[tuple[str, str, str, bool, str]] = Counter()
    for row in rows:
        if not row.has_delayed and row.missing == NONE_MISSING:
            row = row._replace(missing="delayed")
        elif not row.has_delayed:
            continue
        for size, (low, high) in SIZES.items():
            if low <= row.diameter_mm < high:
                counts[row.missing, size, row.feature, row.truth, row.state] += 1
    features = list(dict.fromkeys(key[2] for key in counts))
    return {
        missing: {
            size: {feature: _compute_rates(counts, missing, size, feature) for feature in features}
            for size in SIZES
        }
        for missing in (NONE_MISSING, *PHASES)
    }


def _compute_rates(
    counts: Counter[tuple[str, str, str, bool, str]], missing: str, size: str, feature: str
) -> dict[str, float | int | None]:
    def count(truth: bool, *states: str) -> int:
        return sum(counts[missing, size, feature, truth, state] for state in states)

    assessed = {truth: count(truth, PRESENT, ABSENT) for truth in (True, False)}
    unknown = count(True, NOT_ASSESSED) + count(False, NOT_ASSESSED)
    total = sum(assessed.values()) + unknown
    return {
        "with": count(True, PRESENT, ABSENT, NOT_ASSESSED),
        "without": count(False, PRESENT, ABSENT, NOT_ASSESSED),
        "sensitivity": count(True, PRESENT) / assessed[True] if assessed[True] else None,
        "specificity": count(False, ABSENT) / assessed[False] if assessed[False] else None,
        "not_assessed": unknown / total if total else None,
    }


def format_table(summary: dict[str, Any]) -> str:
    """Format the rates as Markdown, one table with all phases by size and one by missing phase.

    Args:
        summary: result of `measure_cohort`.
    """
    lines = [
        f"{summary['cases']} phantom patients ({summary['cohort']} cohort, seed {summary['seed']}, "
        f"synthetic), {summary['lesions']} lesions, true masks. A cell: sensitivity / specificity / not "
        "assessed (lesions with / without the feature).",
        "",
        *_format_rows({f"all phases, {size}": table for size, table in summary["missing"]["none"].items()}),
        "",
        *_format_rows({f"without {phase}": summary["missing"][phase]["all"] for phase in PHASES}),
        "",
    ]
    return "\n".join(lines)


def _format_rows(tables: dict[str, dict[str, dict[str, float | int | None]]]) -> list[str]:
    features = list(next(iter(tables.values())))
    lines = ["| | " + " | ".join(features) + " |", "|---" * (len(features) + 1) + "|"]
    for name, table in tables.items():
        cells = []
        for rates in table.values():
            values = [rates[key] for key in ("sensitivity", "specificity", "not_assessed")]
            text = " / ".join("–" if value is None else f"{value:.2f}" for value in values)
            cells.append(f"{text} ({rates['with']} / {rates['without']})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
