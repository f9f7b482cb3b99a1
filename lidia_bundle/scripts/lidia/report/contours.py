"""Outlines of masks as SVG paths, sharp at any size.

A plane (X, Y) in RAS is shown as radiologists hold it: the patient's right on the left, front at the top.
Paths count half voxels, so that all their numbers are whole; the `viewBox` of a plane is (0, 0, 2 X, 2 Y).
"""

from __future__ import annotations

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray


def upright(plane: NDArray) -> NDArray:
    """(X, Y) in RAS -> rows from front to back, columns from the patient's right to left."""
    return plane[::-1, ::-1].T


def outline(mask: NDArray[np.bool_]) -> str:
    """The outline of a mask (X, Y) in RAS as the `d` of an SVG path; empty where the mask is."""
    if not mask.any():
        return ""
    shown = np.pad(upright(mask), 1).astype(np.float64)
    pieces = []
    for line in contour_generator(z=shown).lines(0.5):
        # Index i of the padded plane is the centre of voxel i - 1, which is 2 i - 1 half voxels from the edge
        corners = np.rint(2 * np.asarray(line) - 1).astype(int)
        steps = np.diff(corners, axis=0)
        ends = np.append((steps[1:] != steps[:-1]).any(axis=1), True)
        kept = corners[1:][ends]
        moves = np.diff(np.concatenate([corners[:1], kept]), axis=0)
        tail = " ".join(f"{x} {y}" for x, y in moves[:-1])
        pieces.append(f"M{corners[0, 0]} {corners[0, 1]}l{tail}z" if tail else "")
    return "".join(pieces)


def spot(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Where the name of a mask (X, Y) stands: above its middle, in half voxels of the shown plane."""
    rows, columns = np.nonzero(upright(mask))
    return int(columns.min() + columns.max() + 1), int(2 * rows.min())
