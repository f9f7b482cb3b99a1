"""Build the rows of `lesions.csv`, one per true or predicted lesion, as numbers that ranks can exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import axial_axis, centroid_mm, diameter_mm
from scripts.lidia.metrics.lesion_matching import Lesion, LesionMatch
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES

OUTCOMES = ("found", "missed", "ignored truth", "true", "false", "ignored", "small")
"""What became of a lesion: three for truths, four for predictions."""
LESION_COLUMNS = (
    *("predicted", "instance", "type", "volume_mm3", "diameter_mm", "x_mm", "y_mm", "z_mm"),
    *("outcome", "partner", "dice", "partner_type"),
    *(f"p_{name}" for name in LESION_TYPES),
)
"""`type` and `partner_type` are classes, `outcome` a place in OUTCOMES, x y z RAS mm; `partner` is the lesion
of the other side with the largest Dice, 0 for none; probabilities are nan for truths."""


def make_lesion_rows(
    match: LesionMatch,
    records: Sequence[Mapping[str, Any]],
    predicted: NDArray[np.uint32],
    true: NDArray[np.uint32],
    spacing: Sequence[float],
    affine: ArrayLike,
) -> NDArray[np.float64]:
    """Lines of a patient's lesions, truths first.

    Args:
        match: lesions of the patient after matching.
        records: of the predicted lesions.
        predicted: `(X, Y, Z)` numbers of predicted lesions.
        true: `(X, Y, Z)` numbers of true lesions.
        spacing: mm per voxel along X, Y, Z.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Returns:
        `(K, len(LESION_COLUMNS))`.
    """
    kinds = {truth.lesion.number: truth.lesion.kind for truth in match.truths}
    called = {guess.lesion.number: guess.lesion.kind for guess in match.predictions}
    chances = {
        record["instance"]: [record["probabilities"][name] for name in LESION_TYPES] for record in records
    }
    unknown = [float("nan")] * len(LESION_TYPES)
    lines: list[list[float]] = []
    for truth in match.truths:
        outcome = OUTCOMES.index("ignored truth" if truth.ignored else "found" if truth.hit else "missed")
        size = _measure_lesion(truth.lesion, true, spacing, affine)
        lines.append([0, *size, outcome, truth.best, truth.dice, called.get(truth.best, 0), *unknown])
    for guess in match.predictions:
        size = _measure_lesion(guess.lesion, predicted, spacing, affine)
        outcome = OUTCOMES.index(guess.outcome)
        partner = [guess.best, guess.dice, kinds.get(guess.best, 0)]
        lines.append([1, *size, outcome, *partner, *chances.get(guess.lesion.number, unknown)])
    return np.array(lines, np.float64).reshape(len(lines), len(LESION_COLUMNS))


def _measure_lesion(
    lesion: Lesion, numbers: NDArray[np.uint32], spacing: Sequence[float], affine: ArrayLike
) -> tuple[float, ...]:
    part = lesion.component
    crop = numbers[part.box] == part.instance
    across = diameter_mm(crop, spacing, axial_axis(affine))
    return (part.instance, lesion.kind, part.volume_mm3, across, *centroid_mm(part, affine))


def to_csv_row(line: NDArray[np.float64]) -> dict[str, str]:
    """A line in words, for people and spreadsheets; nan and 0 of a partner become empty."""
    row = dict(zip(LESION_COLUMNS, line, strict=True))
    cells = {name: "" if np.isnan(value) else f"{value:.6g}" for name, value in row.items()}
    cells["predicted"] = "prediction" if row["predicted"] else "truth"
    cells["outcome"] = OUTCOMES[int(row["outcome"])]
    for name in ("type", "partner_type"):
        cells[name] = LESION_TYPES[int(row[name]) - FIRST_LESION] if row[name] else ""
    cells["partner"] = cells["partner"] if row["partner"] else ""
    return cells
