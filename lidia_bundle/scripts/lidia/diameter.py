"""Measure the longest diameter of a mask in an axial plane, in mm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.lidia.components import as_array


class Chord(NamedTuple):
    """Longest chord of a mask in an axial plane.

    Attributes:
        length_mm: 0 for an empty mask.
        direction: (2,) unit vector in the plane.
        rim: (N, 2) mm, outline of the mask in the plane.
    """

    length_mm: float
    direction: NDArray[np.float64]
    rim: NDArray[np.float64]


def measure_diameter_mm(mask: ArrayLike, spacing: Sequence[float], axial: int = 2) -> float:
    """Compute the longest diameter in an axial plane (RECIST); 0 for an empty mask.

    It is measured between the outer faces of voxels, so a single voxel has its own width.

    Args:
        mask: `(X, Y, Z)`, true inside; usually cropped to one component.
        spacing: mm per voxel along X, Y, Z.
        axial: axis normal to the axial planes (see `components.find_axial_axis`).

    Raises:
        ValueError: the volume does not have three axes.
    """
    return find_longest_chord(mask, spacing, axial).length_mm


def find_longest_chord(mask: ArrayLike, spacing: Sequence[float], axial: int = 2) -> Chord:
    """Find the longest chord in an axial plane; see `measure_diameter_mm`."""
    planes = np.moveaxis(as_array(mask) > 0, axial, 0)
    steps = np.delete(np.asarray(spacing, dtype=np.float64), axial)
    rims = [_find_rim(plane, steps) for plane in planes if plane.any()]
    # The box of a plane bounds its diameter: once the widest plane is measured, most others can be skipped.
    rims.sort(key=_diagonal_mm, reverse=True)
    chord = Chord(0.0, np.zeros(2), np.zeros((0, 2)))
    for rim in rims:
        if _diagonal_mm(rim) <= chord.length_mm:
            break
        differences = rim[:, None, :] - rim[None, :, :]
        squares = np.einsum("ijk,ijk->ij", differences, differences)
        ends = np.unravel_index(int(squares.argmax()), squares.shape)
        length = float(np.sqrt(squares[ends]))
        if length > chord.length_mm:
            chord = Chord(length, differences[ends] / length, rim)
    return chord


def _diagonal_mm(rim: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.ptp(rim, axis=0)))


def _find_rim(plane: NDArray[np.bool_], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the outer face centres in mm of the first and last voxel of every row and column."""
    ends = []
    for axis in (0, 1):
        lines = np.moveaxis(plane, axis, 1)
        occupied = np.flatnonzero(lines.any(axis=1))
        first = lines[occupied].argmax(axis=1) - 0.5
        last = lines.shape[1] - lines[occupied][:, ::-1].argmax(axis=1) - 0.5
        for edge in (first, last):
            pair = (edge, occupied) if axis == 0 else (occupied, edge)
            ends.append(np.stack(pair, axis=1) * steps)
    return np.concatenate(ends)
