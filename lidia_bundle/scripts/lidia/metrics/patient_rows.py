"""Measure one patient as a row of counts and scores; ratios are computed from all rows later."""

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
)
from scripts.lidia.metrics.one_to_one_matching import match_one_to_one
from scripts.lidia.metrics.patient_auc import PRESENT_MM3, sum_true_volumes
from scripts.lidia.vocabulary import FIRST_LESION, LESION_TYPES, LIVER

SCORES = (*LESION_TYPES, "malignant", "benign", "benign_authors")
"""Names of the patient scores of each rule: types, then groups."""
RULES: Mapping[str, str] = MappingProxyType({
    "livermax": "",
    "pixelcount": "pixelcount_",
    "branch": "branch_",
})
"""Rules that score patients, and the prefix of their metrics' names."""
SIZES = {"under_10mm": (0.0, 10.0), "10_to_20mm": (10.0, 20.0), "over_20mm": (20.0, np.inf)}
"""Strata of true lesions by the diameter in mm of a ball of equal volume."""


class Protocol(NamedTuple):
    """Thresholds of the evaluation; defaults of the authors' earlier network."""

    smallest_mm3: float = SMALLEST_MM3
    """Smaller lesions are treated as noise of the annotation or of the network."""
    counted_mm3: float = COUNTED_MM3
    """Smaller truths are ignored; smaller predictions do not count."""
    overlap: float = OVERLAP
    """Minimum Dice of a match."""
    present_mm3: float = PRESENT_MM3
    """A patient has a type if the volume of its lesions exceeds this value."""
    ious: tuple[float, ...] = (0.1, 0.5)
    """Minimum IoU of each one-to-one variant."""


AUTHORS = Protocol()


class Prediction(NamedTuple):
    """Result of post-processing for one patient."""

    classes: NDArray[np.uint8]
    """`(X, Y, Z)` lesion classes, 0 elsewhere."""
    instances: NDArray[np.uint16]
    liver: NDArray[np.bool_]
    """`(X, Y, Z)` liver and lesions."""
    livermax: Mapping[str, float]
    """Score by the names of SCORES."""
    pixelcount: Mapping[str, float]
    branch: Mapping[str, float] | None = None
    """Scores of a patient branch; None if the network has none."""


class PatientMeasurement(NamedTuple):
    """Comparison of one patient with the truth."""

    row: dict[str, float]
    """Values by column; names and order are the same for all patients of a network."""
    match: LesionMatch
    predicted: LesionMap
    truth: LesionMap


def list_rules(columns: Mapping[str, Any]) -> list[str]:
    """List the rules whose scores a table contains; `branch` needs a network with a patient branch."""
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
    """Compare one patient with the truth, on the grid of the truth.

    Args:
        predicted: the prediction.
        classes: `(X, Y, Z)` true classes 0..9.
        instances: `(X, Y, Z)` annotated lesion numbers, 0 for none.
        spacing: mm per voxel along X, Y, Z.
        malignant: whether a lesion of `others` is malignant, by its instance number as a string.
        protocol: thresholds.

    Raises:
        ValueError: the shapes differ.
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
            f"{name}_iou{round(100 * iou)}": float(count)
            for name, count in zip(ONE_TO_ONE_COUNTS, counts, strict=True)
        }
    true_classes = np.where((label >= FIRST_LESION) & (truth.numbers == 0), LIVER, label)
    predicted_classes = np.where(predicted.classes > 0, predicted.classes, predicted.liver)
    ignored = np.isin(truth.numbers, [t.lesion.number for t in match.truths if t.ignored])
    row |= {
        f"dice_{name}": value
        for name, value in compute_dice(predicted_classes, true_classes, ignored).items()
    }
    return PatientMeasurement(row, match, lesions, truth)


ONE_TO_ONE_COUNTS = ("hit", "false", "missed")


def _count_lesions(match: LesionMatch) -> dict[str, float]:
    table = cross_tabulate_types(match)
    row: dict[str, float] = {}
    for outcome in ("true", "false", "ignored", "small"):
        row[f"predicted_{outcome}"] = sum(prediction.outcome == outcome for prediction in match.predictions)
    counted = [truth for truth in match.truths if not truth.ignored]
    row["truths_ignored"] = len(match.truths) - len(counted)
    for index, name in enumerate(LESION_TYPES, FIRST_LESION):
        row[f"truths_{name}"] = sum(truth.lesion.kind == index for truth in counted)
        row[f"hits_{name}"] = sum(truth.lesion.kind == index and truth.hit for truth in counted)
    for name, (low, high) in SIZES.items():
        stratum = [
            truth
            for truth in counted
            if low <= (6 * truth.lesion.component.volume_mm3 / np.pi) ** (1 / 3) < high
        ]
        row[f"truths_{name}"] = len(stratum)
        row[f"hits_{name}"] = sum(truth.hit for truth in stratum)
    for index, name in enumerate(LESION_TYPES):
        for column, predicted_type in enumerate(LESION_TYPES):
            row[f"called_{name}_{predicted_type}"] = float(table[index, column])
        row[f"false_{name}"] = float(table[-1, index])
    return row
