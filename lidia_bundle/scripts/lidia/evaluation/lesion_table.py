"""Build the rows of `lesions.csv`, one per true or predicted lesion, as numbers that ranks can exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import compute_centroid_mm, find_axial_axis
from scripts.lidia.diameter import measure_diameter_mm
from scripts.lidia.metrics.lesion_matching import Lesion, LesionMatch
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES

OUTCOMES = ("found", "missed", "ignored truth", "true", "false", "ignored", "small")
"""Outcomes of lesions: three of truths, four of predictions."""
LESION_COLUMNS = (
    *("predicted", "instance", "type", "volume_mm3", "diameter_mm", "x_mm", "y_mm", "z_mm"),
    *("outcome", "partner", "dice", "partner_type"),
    *(f"p_{name}" for name in LESION_TYPES),
)
"""`type` and `partner_type` are classes, `outcome` is an index of OUTCOMES, x y z are RAS mm; `partner` is
the lesion of the other map with the largest Dice, 0 for none; probabilities of truths are nan."""


def make_lesion_rows(
    match: LesionMatch,
    records: Sequence[Mapping[str, Any]],
    predicted: NDArray[np.uint32],
    true: NDArray[np.uint32],
    spacing: Sequence[float],
    affine: ArrayLike,
) -> NDArray[np.float64]:
    """Build the rows of a patient's lesions, truths first.

    Args:
        match: matched lesions of the patient.
        records: records of the predicted lesions.
        predicted: `(X, Y, Z)` numbers of predicted lesions.
        true: `(X, Y, Z)` numbers of true lesions.
        spacing: mm per voxel along X, Y, Z.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Returns:
        `(K, len(LESION_COLUMNS))`.
    """
    true_kinds = {truth.lesion.number: truth.lesion.kind for truth in match.truths}
    predicted_kinds = {prediction.lesion.number: prediction.lesion.kind for prediction in match.predictions}
    probabilities = {
        record["instance"]: [record["probabilities"][name] for name in LESION_TYPES] for record in records
    }
    no_probabilities = [float("nan")] * len(LESION_TYPES)
    rows: list[list[float]] = []
    for truth in match.truths:
        outcome = OUTCOMES.index("ignored truth" if truth.ignored else "found" if truth.hit else "missed")
        size = _measure_lesion(truth.lesion, true, spacing, affine)
        rows.append([
            0,
            *size,
            outcome,
            truth.best,
            truth.dice,
            predicted_kinds.get(truth.best, 0),
            *no_probabilities,
        ])
    for prediction in match.predictions:
        size = _measure_lesion(prediction.lesion, predicted, spacing, affine)
        outcome = OUTCOMES.index(prediction.outcome)
        partner = [prediction.best, prediction.dice, true_kinds.get(prediction.best, 0)]
        rows.append([
            1,
            *size,
            outcome,
            *partner,
            *probabilities.get(prediction.lesion.number, no_probabilities),
        ])
    return np.array(rows, np.float64).reshape(len(rows), len(LESION_COLUMNS))


def _measure_lesion(
    lesion: Lesion, numbers: NDArray[np.uint32], spacing: Sequence[float], affine: ArrayLike
) -> tuple[float, ...]:
    component = lesion.component
    crop = numbers[component.box] == component.instance
    diameter = measure_diameter_mm(crop, spacing, find_axial_axis(affine))
    return (
        component.instance,
        lesion.kind,
        component.volume_mm3,
        diameter,
        *compute_centroid_mm(component, affine),
    )


def to_csv_row(numbers: NDArray[np.float64]) -> dict[str, str]:
    """Format a row as text for the CSV file; nan and a missing partner become empty cells."""
    row = dict(zip(LESION_COLUMNS, numbers, strict=True))
    cells = {name: "" if np.isnan(value) else f"{value:.6g}" for name, value in row.items()}
    cells["predicted"] = "prediction" if row["predicted"] else "truth"
    cells["outcome"] = OUTCOMES[int(row["outcome"])]
    for name in ("type", "partner_type"):
        cells[name] = LESION_TYPES[int(row[name]) - FIRST_LESION] if row[name] else ""
    cells["partner"] = cells["partner"] if row["partner"] else ""
    return cells
