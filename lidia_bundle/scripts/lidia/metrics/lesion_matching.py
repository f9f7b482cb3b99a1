"""Match predicted and true lesions by the protocol of the authors' earlier network.

Truths under 25 mm3 are dropped, under 113 mm3 (a ball of 6 mm) ignored; predictions count from 113 mm3. Two
lesions match when their Dice is at least 0.2, blind to type. A prediction may hit several truths, each truth
is found once:

    precision   = TP / (TP + FP)             TP: hits a truth that nobody hit before; FP: matches nothing
    sensitivity = truths hit / truths
    accuracy    = right type / predictions whose best truth is not ignored

A prediction that hits nothing but ignored truths, or truths that others have hit, is ignored itself.

Predictions are read from the best match downwards, so that the order of a label map decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from scripts.lidia.components import (
    SMALLEST_MM3,
    Component,
    Numbers,
    as_array,
    bounding_box,
    component_stats,
    is_smaller,
    label_components,
    shift_component,
)
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION

COUNTED_MM3 = 113.0
"""A ball of 6 mm: smaller predictions do not count, smaller truths are ignored."""
OVERLAP = 0.2
"""Dice from which on a prediction and a truth are the same lesion."""


class Lesion(NamedTuple):
    """A lesion of a label map."""

    number: int
    """Its value in the map of numbers."""
    kind: int
    """Its class, 2..9: that of most of its voxels."""
    component: Component


@dataclass(frozen=True)
class LesionMap:
    """The lesions of one volume."""

    shape: tuple[int, ...]
    """X, Y, Z."""
    box: tuple[slice, ...]
    """The smallest box that holds whatever is drawn as a lesion; empty where nothing is."""
    labels: Numbers
    """Numbers in that box, 0 outside the lesions of the list."""
    lesions: list[Lesion]

    @cached_property
    def numbers(self) -> NDArray[np.uint32]:
        """`(X, Y, Z)`, 0 outside the lesions of the list."""
        whole = np.zeros(self.shape, np.uint32)
        whole[self.box] = self.labels
        return whole

    def crop(self, box: Sequence[slice]) -> Numbers:
        """Numbers in a box of the volume that lies in `self.box`."""
        at = zip(box, self.box, strict=True)
        return self.labels[tuple(slice(side.start - own.start, side.stop - own.start) for side, own in at)]


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
    """Class of the best truth where it counts for the accuracy, else 0."""


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
        instances: `(X, Y, Z)` drawn lesion numbers; lesion voxels without one form components of equal class.
        smallest_mm3: volume from which on a lesion is one.

    Raises:
        ValueError: a volume does not have three axes.
    """
    whole = as_array(classes)
    box = bounding_box(whole, above=FIRST_LESION - 1)
    if box is None:
        return LesionMap(whole.shape, (slice(0, 0),) * 3, np.zeros((0, 0, 0), np.uint32), [])
    # Lesions fill a small part of a scan: nothing else is looked at more than once
    kinds = np.fmax(whole[box], FIRST_LESION - 1).astype(np.uint8, copy=False)  # NaN is no lesion
    kinds -= FIRST_LESION - 1
    inside = _number_lesions(kinds, None if instances is None else as_array(instances)[box])
    found = []
    for part in component_stats(inside, spacing):
        here = inside[part.box] == part.instance
        if is_smaller(part.volume_mm3, smallest_mm3):
            inside[part.box][here] = 0
            continue
        kind = int(np.bincount(kinds[part.box][here]).argmax()) + FIRST_LESION - 1
        found.append(Lesion(part.instance, kind, shift_component(part, box)))
    return LesionMap(whole.shape, box, inside, found)


def _number_lesions(kinds: NDArray[np.uint8], drawn: NDArray[Any] | None) -> Numbers:
    """Lesion numbers: as drawn, and behind them components of equal class of what nobody numbered."""
    if drawn is None:
        return label_components(kinds)
    numbers = np.where((drawn > 0) & (kinds > 0), drawn, 0).astype(np.uint32)
    rest = label_components(np.where(numbers == 0, kinds, 0))
    numbers[rest > 0] = rest[rest > 0] + numbers.max(initial=0)
    return numbers


def count_shared_voxels(predicted: LesionMap, truth: LesionMap) -> NDArray[np.int64]:
    """Voxels that predictions (rows) and truths (columns) have in common, in the order of their lists."""
    counts = np.zeros((len(predicted.lesions), len(truth.lesions)), np.int64)
    if counts.size == 0:
        return counts
    guesses, truths = _stack_corners(predicted.lesions), _stack_corners(truth.lesions)
    low = np.maximum(guesses[:, None, 0], truths[None, :, 0])  # of what each pair of boxes has in common
    high = np.minimum(guesses[:, None, 1], truths[None, :, 1])
    for row, column in np.argwhere((low < high).all(axis=2)).tolist():
        box = tuple(map(slice, low[row, column].tolist(), high[row, column].tolist()))
        guess, real = predicted.lesions[row].number, truth.lesions[column].number
        counts[row, column] = np.count_nonzero((predicted.crop(box) == guess) & (truth.crop(box) == real))
    return counts


def _stack_corners(lesions: Sequence[Lesion]) -> NDArray[np.int64]:
    """First voxels of the boxes of lesions, and those behind their last: `(n, 2, 3)`."""
    return np.array([
        [[s.start for s in one.component.box], [s.stop for s in one.component.box]] for one in lesions
    ])


def match_lesions(
    predicted: LesionMap,
    truth: LesionMap,
    *,
    overlap: float = OVERLAP,
    counted_mm3: float = COUNTED_MM3,
) -> LesionMatch:
    """Match by the authors' protocol.

    Args:
        predicted: lesions of the post-processed prediction.
        truth: lesions of the label.
        overlap: Dice from which on two lesions match.
        counted_mm3: volume from which on predictions count and truths are not ignored.
    """
    dice = _compute_dice(predicted, truth)
    counted = np.array(
        [not is_smaller(one.component.volume_mm3, counted_mm3) for one in predicted.lesions], bool
    )
    ignored = np.array([is_smaller(one.component.volume_mm3, counted_mm3) for one in truth.lesions], bool)
    hits = (dice >= overlap) & counted[:, None]
    outcomes = ["false" if one else "small" for one in counted]
    taken = np.zeros(len(truth.lesions), bool)
    for row in np.argsort(-dice.max(axis=1, initial=0), kind="stable"):
        if hits[row].any():
            fresh = hits[row] & ~taken & ~ignored
            outcomes[row] = "true" if fresh.any() else "ignored"
            taken |= fresh
    rivals = np.where(counted[:, None], dice, 0)
    truths = [
        TrueLesion(
            one, bool(ignored[column]), bool(taken[column]), *_find_best(rivals[:, column], predicted.lesions)
        )
        for column, one in enumerate(truth.lesions)
    ]
    guesses = []
    for row, one in enumerate(predicted.lesions):
        number, largest = _find_best(dice[row], truth.lesions)
        column = int(dice[row].argmax()) if number else -1
        typed = number > 0 and bool(hits[row, column]) and not ignored[column]
        guesses.append(
            PredictedLesion(one, outcomes[row], number, largest, truth.lesions[column].kind if typed else 0)
        )
    return LesionMatch(truths, guesses)


def match_one_to_one(
    predicted: LesionMap, truth: LesionMap, *, iou: float, counted_mm3: float = COUNTED_MM3
) -> tuple[int, int, int]:
    """True positives, false positives and misses when each lesion may be used once.

    As many pairs as possible, then the largest IoU in all. Small lesions are treated as in `match_lesions`.

    Args:
        predicted: lesions of the post-processed prediction.
        truth: lesions of the label.
        iou: intersection over union from which on two lesions match.
        counted_mm3: volume from which on predictions count and truths are not ignored.
    """
    dice = _compute_dice(predicted, truth)
    overlap = dice / (2 - dice)
    counted = np.array(
        [not is_smaller(one.component.volume_mm3, counted_mm3) for one in predicted.lesions], bool
    )
    ignored = np.array([is_smaller(one.component.volume_mm3, counted_mm3) for one in truth.lesions], bool)
    fits = overlap >= iou - 1e-12
    real = fits[counted][:, ~ignored]
    worth = np.where(real, 1 + overlap[counted][:, ~ignored] / (1 + len(truth.lesions)), 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = real[rows, columns]
    matched = np.zeros(int(counted.sum()), bool)
    matched[rows[pairs]] = True
    excused = fits[counted][:, ignored].any(axis=1) & ~matched
    hit = int(pairs.sum())
    return hit, int((~matched & ~excused).sum()), int((~ignored).sum()) - hit


def cross_tabulate_types(match: LesionMatch) -> NDArray[np.int64]:
    """Counts `(9, 9)`: true type (rows) by predicted type (columns).

    The last row holds predictions that match nothing, the last column truths that were missed. A prediction
    stands in the row of its best truth; two predictions on one truth stand there twice.
    """
    kinds = len(CLASSES) - FIRST_LESION
    table = np.zeros((kinds + 1, kinds + 1), np.int64)
    for guess in match.predictions:
        if guess.kind:
            table[guess.kind - FIRST_LESION, guess.lesion.kind - FIRST_LESION] += 1
        elif guess.outcome == "false":
            table[kinds, guess.lesion.kind - FIRST_LESION] += 1
    for truth in match.truths:
        if not truth.ignored and not truth.hit:
            table[truth.lesion.kind - FIRST_LESION, kinds] += 1
    return table


def _compute_dice(predicted: LesionMap, truth: LesionMap) -> NDArray[np.float64]:
    rows = np.array([one.component.voxels for one in predicted.lesions], np.float64)
    columns = np.array([one.component.voxels for one in truth.lesions], np.float64)
    return 2 * count_shared_voxels(predicted, truth) / (rows[:, None] + columns[None, :])


def _find_best(dice: NDArray[np.float64], lesions: list[Lesion]) -> tuple[int, float]:
    if dice.size == 0 or dice.max() <= 0:
        return 0, 0.0
    at = int(dice.argmax())
    return lesions[at].number, float(dice[at])
