"""Match predicted and true lesions by the protocol of the authors' earlier network.

True lesions under 25 mm3 are dropped, those under 113 mm3 (a ball of 6 mm diameter) are ignored; predictions
count from 113 mm3. Two lesions match if their Dice is at least 0.2, regardless of type. A prediction may hit
several truths; each truth is assigned once:

    precision   = TP / (TP + FP)             TP: hits a truth not hit before; FP: matches nothing
    sensitivity = truths hit / truths
    accuracy    = right type / predictions whose best truth is not ignored

A prediction that hits only ignored truths, or only truths that other predictions have hit, is ignored.

Predictions are processed in order of decreasing Dice, so that the numbering of a label map has no influence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import (
    SMALLEST_MM3,
    Component,
    Numbers,
    as_array,
    find_bounding_box,
    is_smaller,
    label_components,
    measure_components,
    shift_component,
)
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION

COUNTED_MM3 = 113.0
"""A ball of 6 mm diameter: smaller predictions do not count, smaller truths are ignored."""
OVERLAP = 0.2
"""Minimum Dice of a match."""


class Lesion(NamedTuple):
    """A lesion of a label map."""

    number: int
    """Its value in the map of lesion numbers."""
    kind: int
    """Its class 2..9: the class of most of its voxels."""
    component: Component


@dataclass(frozen=True)
class LesionMap:
    """The lesions of one volume."""

    shape: tuple[int, ...]
    """Size X, Y, Z of the volume."""
    box: tuple[slice, ...]
    """Bounding box of all lesion voxels; empty if there are none."""
    labels: Numbers
    """Lesion numbers in that box, 0 outside the lesions of the list."""
    lesions: list[Lesion]

    @cached_property
    def numbers(self) -> NDArray[np.uint32]:
        """Lesion numbers `(X, Y, Z)` of the whole volume, 0 outside the lesions of the list."""
        whole = np.zeros(self.shape, np.uint32)
        whole[self.box] = self.labels
        return whole

    def crop(self, box: Sequence[slice]) -> Numbers:
        """Crop the lesion numbers to a box of the volume that lies in `self.box`."""
        sides = zip(box, self.box, strict=True)
        return self.labels[
            tuple(slice(side.start - outer.start, side.stop - outer.start) for side, outer in sides)
        ]


class TrueLesion(NamedTuple):
    """Match result of a true lesion."""

    lesion: Lesion
    ignored: bool
    hit: bool
    best: int
    """Number of the prediction with the largest Dice, 0 for none."""
    dice: float


class PredictedLesion(NamedTuple):
    """Match result of a predicted lesion."""

    lesion: Lesion
    outcome: str
    """`true`, `false`, `ignored`, or `small` (not counted)."""
    best: int
    """Number of the truth with the largest Dice, 0 for none."""
    dice: float
    kind: int
    """Class of the best truth if it counts for the accuracy, else 0."""


class LesionMatch(NamedTuple):
    """The lesions of a patient after matching."""

    truths: list[TrueLesion]
    predictions: list[PredictedLesion]


def find_lesions(
    classes: ArrayLike,
    spacing: Sequence[float],
    instances: ArrayLike | None = None,
    smallest_mm3: float = SMALLEST_MM3,
) -> LesionMap:
    """Find the lesions of a label map; components below `smallest_mm3` are dropped.

    Args:
        classes: `(X, Y, Z)`, lesions are 2..9.
        spacing: mm per voxel along X, Y, Z.
        instances: `(X, Y, Z)` annotated lesion numbers; lesion voxels without a number form components of
            equal class.
        smallest_mm3: minimum volume of a lesion.

    Raises:
        ValueError: a volume does not have three axes.
    """
    whole = as_array(classes)
    box = find_bounding_box(whole, above=FIRST_LESION - 1)
    if box is None:
        return LesionMap(whole.shape, (slice(0, 0),) * 3, np.zeros((0, 0, 0), np.uint32), [])
    # Lesions fill a small part of a scan: all further steps read their box only.
    kinds = np.fmax(whole[box], FIRST_LESION - 1).astype(np.uint8, copy=False)  # NaN is background
    kinds -= FIRST_LESION - 1
    inside = _number_lesions(kinds, None if instances is None else as_array(instances)[box])
    lesions = []
    for component in measure_components(inside, spacing):
        mask = inside[component.box] == component.instance
        if is_smaller(component.volume_mm3, smallest_mm3):
            inside[component.box][mask] = 0
            continue
        kind = int(np.bincount(kinds[component.box][mask]).argmax()) + FIRST_LESION - 1
        lesions.append(Lesion(component.instance, kind, shift_component(component, box)))
    return LesionMap(whole.shape, box, inside, lesions)


def _number_lesions(kinds: NDArray[np.uint8], instances: NDArray[Any] | None) -> Numbers:
    """Number the lesions as annotated; unnumbered lesion voxels form components with higher numbers."""
    if instances is None:
        return label_components(kinds)
    numbers = np.where((instances > 0) & (kinds > 0), instances, 0).astype(np.uint32)
    components = label_components(np.where(numbers == 0, kinds, 0))
    numbers[components > 0] = components[components > 0] + numbers.max(initial=0)
    return numbers


def count_shared_voxels(predicted: LesionMap, truth: LesionMap) -> NDArray[np.int64]:
    """Count the voxels that predictions (rows) and truths (columns) share, in the order of their lists."""
    counts = np.zeros((len(predicted.lesions), len(truth.lesions)), np.int64)
    if counts.size == 0:
        return counts
    predictions, truths = _stack_corners(predicted.lesions), _stack_corners(truth.lesions)
    low = np.maximum(
        predictions[:, None, 0], truths[None, :, 0]
    )  # corners of the overlap of each pair of boxes
    high = np.minimum(predictions[:, None, 1], truths[None, :, 1])
    for row, column in np.argwhere((low < high).all(axis=2)).tolist():
        box = tuple(map(slice, low[row, column].tolist(), high[row, column].tolist()))
        predicted_number, true_number = predicted.lesions[row].number, truth.lesions[column].number
        counts[row, column] = np.count_nonzero(
            (predicted.crop(box) == predicted_number) & (truth.crop(box) == true_number)
        )
    return counts


def _stack_corners(lesions: Sequence[Lesion]) -> NDArray[np.int64]:
    """Stack the start and stop indices of the lesions' boxes, `(n, 2, 3)`."""
    return np.array([
        [[s.start for s in lesion.component.box], [s.stop for s in lesion.component.box]]
        for lesion in lesions
    ])


def match_lesions(
    predicted: LesionMap,
    truth: LesionMap,
    *,
    overlap: float = OVERLAP,
    counted_mm3: float = COUNTED_MM3,
) -> LesionMatch:
    """Match predicted and true lesions by the authors' protocol.

    Args:
        predicted: lesions of the post-processed prediction.
        truth: lesions of the label.
        overlap: minimum Dice of a match.
        counted_mm3: minimum volume of counted predictions and of truths that are not ignored.
    """
    dice = compute_pairwise_dice(predicted, truth)
    counted = np.array(
        [not is_smaller(lesion.component.volume_mm3, counted_mm3) for lesion in predicted.lesions], bool
    )
    ignored = np.array(
        [is_smaller(lesion.component.volume_mm3, counted_mm3) for lesion in truth.lesions], bool
    )
    hits = (dice >= overlap) & counted[:, None]
    outcomes = ["false" if is_counted else "small" for is_counted in counted]
    matched = np.zeros(len(truth.lesions), bool)
    for row in np.argsort(-dice.max(axis=1, initial=0), kind="stable"):
        if hits[row].any():
            new_hits = hits[row] & ~matched & ~ignored
            outcomes[row] = "true" if new_hits.any() else "ignored"
            matched |= new_hits
    counted_dice = np.where(counted[:, None], dice, 0)
    truths = [
        TrueLesion(
            lesion,
            bool(ignored[column]),
            bool(matched[column]),
            *_find_best(counted_dice[:, column], predicted.lesions),
        )
        for column, lesion in enumerate(truth.lesions)
    ]
    predictions = []
    for row, lesion in enumerate(predicted.lesions):
        number, largest = _find_best(dice[row], truth.lesions)
        column = int(dice[row].argmax()) if number else -1
        has_type = number > 0 and bool(hits[row, column]) and not ignored[column]
        kind = truth.lesions[column].kind if has_type else 0
        predictions.append(PredictedLesion(lesion, outcomes[row], number, largest, kind))
    return LesionMatch(truths, predictions)


def cross_tabulate_types(match: LesionMatch) -> NDArray[np.int64]:
    """Count lesions by true type (rows) and predicted type (columns), `(9, 9)`.

    The last row counts predictions that match nothing, the last column missed truths. A prediction is
    counted in the row of its best truth; two predictions of one truth are both counted.
    """
    kinds = len(CLASSES) - FIRST_LESION
    table = np.zeros((kinds + 1, kinds + 1), np.int64)
    for prediction in match.predictions:
        if prediction.kind:
            table[prediction.kind - FIRST_LESION, prediction.lesion.kind - FIRST_LESION] += 1
        elif prediction.outcome == "false":
            table[kinds, prediction.lesion.kind - FIRST_LESION] += 1
    for truth in match.truths:
        if not truth.ignored and not truth.hit:
            table[truth.lesion.kind - FIRST_LESION, kinds] += 1
    return table


def compute_pairwise_dice(predicted: LesionMap, truth: LesionMap) -> NDArray[np.float64]:
    """Compute the Dice of each predicted (rows) with each true lesion (columns)."""
    rows = np.array([lesion.component.voxels for lesion in predicted.lesions], np.float64)
    columns = np.array([lesion.component.voxels for lesion in truth.lesions], np.float64)
    return 2 * count_shared_voxels(predicted, truth) / (rows[:, None] + columns[None, :])


def _find_best(dice: NDArray[np.float64], lesions: list[Lesion]) -> tuple[int, float]:
    if dice.size == 0 or dice.max() <= 0:
        return 0, 0.0
    index = int(dice.argmax())
    return lesions[index].number, float(dice[index])
