"""Evaluate one patient as a row of counts and scores; ratios are computed from the rows of all ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import SMALLEST_MM3, as_array
from scripts.lidia.metrics.dice import compute_dice
from scripts.lidia.metrics.lesion_matching import (
    COUNTED_MM3,
    OVERLAP,
    LesionMap,
    LesionMatch,
    cross_tabulate_types,
    find_lesions,
    match_lesions,
    match_one_to_one,
)
from scripts.lidia.metrics.patient_auc import PRESENT_MM3, sum_true_volumes
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES, LIVER

SCORES = (*LESION_TYPES, "malignant", "benign", "benign_authors")
"""Scores of a patient by any rule: types, then groups."""
RULES: Mapping[str, str] = MappingProxyType({
    "livermax": "",
    "pixelcount": "pixelcount_",
    "branch": "branch_",
})
"""Rules by which patients are scored, and what stands before the names of their metrics."""
SIZES = {"under_10mm": (0.0, 10.0), "10_to_20mm": (10.0, 20.0), "over_20mm": (20.0, np.inf)}
"""Strata of true lesions by the diameter of the ball of their volume, mm."""


class Protocol(NamedTuple):
    """Thresholds of the evaluation; the defaults are those of the authors' earlier network."""

    smallest_mm3: float = SMALLEST_MM3
    """Smaller lesions are noise of the drawing or of the network."""
    counted_mm3: float = COUNTED_MM3
    """Smaller truths are ignored, smaller predictions do not count."""
    overlap: float = OVERLAP
    """Dice from which on two lesions match."""
    present_mm3: float = PRESENT_MM3
    """A patient has a type with more than this volume of it."""
    ious: tuple[float, ...] = (0.1, 0.5)
    """Of the strict variants, where each lesion is used once."""


AUTHORS = Protocol()


class Prediction(NamedTuple):
    """What post-processing read out of one patient's class map."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)` lesion classes, 0 elsewhere."""
    instances: NDArray[np.uint16]
    liver: NDArray[np.bool_]
    """`(X, Y, Z)` liver and lesions."""
    livermax: Mapping[str, float]
    """By the names of SCORES."""
    pixelcount: Mapping[str, float]
    branch: Mapping[str, float] | None = None
    """Of a network with a patient branch."""


class PatientMeasurement(NamedTuple):
    """One patient against the truth."""

    row: dict[str, float]
    """The same names in the same order for all patients of a network."""
    match: LesionMatch
    predicted: LesionMap
    truth: LesionMap


def list_rules(columns: Mapping[str, Any]) -> list[str]:
    """The rules whose scores stand in a table; only a network with a patient branch has all."""
    return [rule for rule in RULES if f"{rule}_{SCORES[0]}" in columns]


def measure_patient(
    predicted: Prediction,
    classes: ArrayLike,
    instances: ArrayLike,
    spacing: Sequence[float],
    *,
    malignant: Mapping[str, bool] | None = None,
    protocol: Protocol = AUTHORS,
) -> PatientMeasurement:
    """Measure one patient against the truth, on the grid of the truth.

    Args:
        predicted: the prediction.
        classes: `(X, Y, Z)` true classes 0..9.
        instances: `(X, Y, Z)` drawn lesion numbers, 0 where there are none.
        spacing: mm per voxel along X, Y, Z.
        malignant: whether a lesion of `others` is malignant, by its instance number as a string.
        protocol: thresholds.

    Raises:
        ValueError: the shapes do not fit.
    """
    label = as_array(classes)
    if predicted.classes.shape != label.shape:
        raise ValueError(f"The prediction has shape {predicted.classes.shape}, the label {label.shape}.")
    truth = find_lesions(label, spacing, instances, protocol.smallest_mm3)
    lesions = find_lesions(predicted.classes, spacing, predicted.instances, protocol.smallest_mm3)
    match = match_lesions(lesions, truth, overlap=protocol.overlap, counted_mm3=protocol.counted_mm3)
    row = {f"livermax_{name}": float(predicted.livermax[name]) for name in SCORES}
    row |= {f"pixelcount_{name}": float(predicted.pixelcount[name]) for name in SCORES}
    if predicted.branch is not None:
        row |= {f"branch_{name}": float(predicted.branch[name]) for name in SCORES}
    row |= {
        f"mm3_{name}": volume
        for name, volume in sum_true_volumes((t.lesion for t in match.truths), malignant).items()
    }
    row |= _count_lesions(match)
    for iou in protocol.ious:
        counts = match_one_to_one(lesions, truth, iou=iou, counted_mm3=protocol.counted_mm3)
        row |= {
            f"{name}_iou{round(100 * iou)}": float(count) for name, count in zip(TRIPLE, counts, strict=True)
        }
    cleaned = np.where((label >= FIRST_LESION) & (truth.numbers == 0), LIVER, label)
    everything = np.where(predicted.classes > 0, predicted.classes, predicted.liver)
    ignored = np.isin(truth.numbers, [t.lesion.number for t in match.truths if t.ignored])
    row |= {f"dice_{name}": value for name, value in compute_dice(everything, cleaned, ignored).items()}
    return PatientMeasurement(row, match, lesions, truth)


TRIPLE = ("hit", "false", "missed")


def _count_lesions(match: LesionMatch) -> dict[str, float]:
    table = cross_tabulate_types(match)
    row: dict[str, float] = {}
    for outcome in ("true", "false", "ignored", "small"):
        row[f"predicted_{outcome}"] = sum(guess.outcome == outcome for guess in match.predictions)
    real = [truth for truth in match.truths if not truth.ignored]
    row["truths_ignored"] = len(match.truths) - len(real)
    for index, name in enumerate(LESION_TYPES, FIRST_LESION):
        row[f"truths_{name}"] = sum(truth.lesion.kind == index for truth in real)
        row[f"hits_{name}"] = sum(truth.lesion.kind == index and truth.hit for truth in real)
    for name, (low, high) in SIZES.items():
        inside = [
            truth
            for truth in real
            if low <= (6 * truth.lesion.component.volume_mm3 / np.pi) ** (1 / 3) < high
        ]
        row[f"truths_{name}"] = len(inside)
        row[f"hits_{name}"] = sum(truth.hit for truth in inside)
    for index, name in enumerate(LESION_TYPES):
        for other, called in enumerate(LESION_TYPES):
            row[f"called_{name}_{called}"] = float(table[index, other])
        row[f"false_{name}"] = float(table[-1, index])
    return row
