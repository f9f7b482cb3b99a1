"""Trace outlines of masks as SVG paths.

A plane (X, Y) in RAS is shown in radiological convention: the patient's right on the left, front at the top.
Paths use half voxels, so that all numbers are integers; the `viewBox` of a plane is (0, 0, 2 X, 2 Y).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray


class Outline(NamedTuple):
    """The outline of a lesion or of the liver on a plane, in half voxels.

    Attributes:
        path: `d` of an SVG path, from `trace_outline`.
        colour: #RRGGBB.
        label: its number; "" without one.
        position: of the label.
    """

    path: str
    colour: str
    label: str = ""
    position: tuple[int, int] = (0, 0)


def orient_for_display(plane: NDArray) -> NDArray:
    """Turn (X, Y) in RAS into rows from anterior to posterior and columns from right to left."""
    return plane[::-1, ::-1].T


def trace_outline(mask: NDArray[np.bool_]) -> str:
    """Trace the outline of a mask (X, Y) in RAS as the `d` of an SVG path; empty for an empty mask."""
    if not mask.any():
        return ""
    padded = np.pad(orient_for_display(mask), 1).astype(np.float64)
    pieces = []
    for line in contour_generator(z=padded).lines(0.5):
        # Index i of the padded plane is the centre of voxel i - 1, which is 2 i - 1 half voxels from the edge
        corners = np.rint(2 * np.asarray(line) - 1).astype(int)
        steps = np.diff(corners, axis=0)
        ends = np.append((steps[1:] != steps[:-1]).any(axis=1), True)
        corners_kept = corners[1:][ends]
        moves = np.diff(np.concatenate([corners[:1], corners_kept]), axis=0)
        tail = " ".join(f"{x} {y}" for x, y in moves[:-1])
        pieces.append(f"M{corners[0, 0]} {corners[0, 1]}l{tail}z" if tail else "")
    return "".join(pieces)


def find_label_position(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Find the position of a mask's label: above its middle, in half voxels of the shown plane."""
    rows, columns = np.nonzero(orient_for_display(mask))
    return int(columns.min() + columns.max() + 1), int(2 * rows.min())
