"""Match the lesions of two dates one to one, and find lesions that merged or split.

Three steps: assignment of overlapping lesions (Kuhn-Munkres, `scipy.optimize.linear_sum_assignment`), then
merging and splitting by containment, then assignment of the remaining lesions by distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from scripts.lidia.components import measure_components


class MatchLimits(NamedTuple):
    """Limits of the matching.

    Attributes:
        min_overlap: smallest share of the smaller lesion that overlaps, for a match by overlap.
        contained: share of a lesion inside another one from which it is a part of that lesion.
        max_distance_mm: largest distance of the centres, beyond half the difference of the diameters, for a
            match without overlap.
    """

    min_overlap: float
    contained: float
    max_distance_mm: float


class Links(NamedTuple):
    """Relations of the lesions of two dates, by lesion number.

    Attributes:
        pairs: earlier lesion -> the later lesion that is the same.
        merged: earlier lesion -> the later lesion into which it merged, beside the one in `pairs`.
        split: later lesion -> the earlier lesion of which it is a part, beside the one in `pairs`.
    """

    pairs: dict[int, int]
    merged: dict[int, int]
    split: dict[int, int]


class _Geometry(NamedTuple):
    numbers: list[int]
    volumes: NDArray[np.float64]
    centres: NDArray[np.float64]

    @property
    def diameters(self) -> NDArray[np.float64]:
        """Diameters of balls of the same volumes."""
        return np.cbrt(6 / np.pi * self.volumes)


def match_lesions(
    earlier: NDArray[np.unsignedinteger],
    later: NDArray[np.unsignedinteger],
    spacing: float,
    limits: MatchLimits,
) -> Links:
    """Match the lesions of two dates.

    Args:
        earlier: (X, Y, Z) lesion numbers of the earlier date on the grid of the later one, 0 outside.
        later: (X, Y, Z) lesion numbers of the later date.
        spacing: mm of the grid, the same along all axes.
        limits: limits of the matching.
    """
    first, second = _measure(earlier, spacing), _measure(later, spacing)
    overlaps = _compute_overlaps(earlier, later, first, second) * spacing**3
    smaller = np.minimum(first.volumes[:, None], second.volumes[None, :])
    share = overlaps / np.maximum(smaller, 1e-9)
    distances = np.linalg.norm(first.centres[:, None] - second.centres[None, :], axis=-1)
    slack = np.abs(first.diameters[:, None] - second.diameters[None, :]) / 2
    closeness = 1 - np.maximum(distances - slack, 0) / limits.max_distance_mm
    # By the geometric mean of the volumes, so that a small lesion inside a large one does not take its place
    common = overlaps / np.sqrt(np.maximum(first.volumes[:, None] * second.volumes[None, :], 1e-9))
    by_overlap = np.where(share >= limits.min_overlap, common + 0.1 * np.clip(closeness, 0, 1), 0)
    pairs = _assign(by_overlap)
    rows, columns = set(pairs), set(pairs.values())
    merged = {
        row: int(overlaps[row].argmax())
        for row in range(len(first.numbers))
        if row not in rows and overlaps[row].max(initial=0) >= limits.contained * first.volumes[row]
    }
    split = {
        column: int(overlaps[:, column].argmax())
        for column in range(len(second.numbers))
        if column not in columns
        and overlaps[:, column].max(initial=0) >= limits.contained * second.volumes[column]
    }
    closeness[sorted(rows | set(merged))] = 0
    closeness[:, sorted(columns | set(split))] = 0
    pairs |= _assign(np.maximum(closeness, 0))
    return Links(
        {first.numbers[row]: second.numbers[column] for row, column in sorted(pairs.items())},
        {first.numbers[row]: second.numbers[column] for row, column in merged.items()},
        {second.numbers[column]: first.numbers[row] for column, row in split.items()},
    )


def _measure(numbers: NDArray[np.unsignedinteger], spacing: float) -> _Geometry:
    components = measure_components(numbers, (spacing,) * 3)
    return _Geometry(
        [component.instance for component in components],
        np.array([component.volume_mm3 for component in components]),
        np.array([component.centre for component in components]).reshape(-1, 3) * spacing,
    )


def _compute_overlaps(
    earlier: NDArray[np.unsignedinteger],
    later: NDArray[np.unsignedinteger],
    first: _Geometry,
    second: _Geometry,
) -> NDArray[np.float64]:
    """Count the common voxels of each pair, (earlier, later)."""
    both = (earlier > 0) & (later > 0)
    counts = np.zeros((len(first.numbers), len(second.numbers)))
    rows, columns = (
        np.searchsorted(first.numbers, earlier[both]),
        np.searchsorted(second.numbers, later[both]),
    )
    np.add.at(counts, (rows, columns), 1)
    return counts


def _assign(scores: NDArray[np.float64]) -> dict[int, int]:
    """Assign rows to columns with the largest total score; pairs with score 0 are dropped."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if scores[r, c] > 0}
