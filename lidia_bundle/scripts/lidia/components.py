"""Find connected components and measure them in millimetres, for targets, post-processing and metrics.

Arrays are indexed `X Y Z` in the order of their affine. Volumes are in mm3, lengths in mm, positions in RAS
mm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""A map of instance numbers."""
SMALLEST_MM3 = 25.0
"""A lesion below this volume is treated as annotation noise (as in the authors' earlier network, PLAN)."""
VOLUME_TOLERANCE = 1e-6
"""Relative tolerance of a limit on a volume, for a spacing rounded to float32."""


class Component(NamedTuple):
    """One connected component, or one instance of an annotated instance map."""

    instance: int
    """Its value in the map."""
    voxels: int
    volume_mm3: float
    centre: tuple[float, float, float]
    """Centroid in voxel indices."""
    box: tuple[slice, slice, slice]
    """Bounding box in voxel indices: `instances[box] == instance` is its mask."""


def as_array(volume: ArrayLike) -> NDArray[Any]:
    """Convert a tensor, a MetaTensor or an array to a NumPy view.

    Raises:
        ValueError: the volume does not have three axes.
    """
    if hasattr(volume, "detach"):
        volume = volume.detach().cpu()
        volume = volume.as_tensor() if hasattr(volume, "as_tensor") else volume
    array = np.asarray(volume)
    if array.ndim != 3:
        raise ValueError(
            f"A volume has the axes X Y Z, this one has shape {array.shape}: index its channel first."
        )
    return array


def label_components(classes: ArrayLike, connectivity: int = 26) -> Numbers:
    """Label components of equal class from 1; different classes are never joined, values <= 0 are background.

    Args:
        classes: `(X, Y, Z)`, whole numbers.
        connectivity: 6, 18 or 26 neighbours.

    Returns:
        `(X, Y, Z)` instance numbers 1..K, 0 elsewhere, in uint16 if they fit.

    Raises:
        ValueError: the volume does not have three axes.
    """
    array = as_array(classes)
    values = _clip_to_unsigned(array, np.uint8 if array.dtype.itemsize == 1 else np.uint16)
    return np.asarray(cc3d.connected_components(values, connectivity=connectivity))


def join_components(mask: ArrayLike, connectivity: int = 26) -> Numbers:
    """Label components of a mask from 1, regardless of classes.

    Args:
        mask: `(X, Y, Z)`, true or positive inside.
        connectivity: 6, 18 or 26 neighbours.

    Returns:
        `(X, Y, Z)` instance numbers 1..K, 0 elsewhere, in uint16 if they fit.

    Raises:
        ValueError: the volume does not have three axes.
    """
    return label_components((as_array(mask) > 0).astype(np.uint8), connectivity)


def measure_components(instances: ArrayLike, spacing: Sequence[float]) -> list[Component]:
    """Measure the components of an instance map in order of their numbers; gaps are allowed.

    Args:
        instances: `(X, Y, Z)`, 0 is background.
        spacing: mm per voxel along X, Y, Z.

    Raises:
        ValueError: the volume does not have three axes.
    """
    numbers = as_array(instances)
    order = _sort_axes_by_stride(numbers)
    value, low, high = _find_runs(numbers.transpose(order))
    ids, index = np.unique(value, return_inverse=True)
    lengths = high[2] - low[2] + 1
    voxels = np.bincount(index, weights=lengths, minlength=len(ids))
    first, last = np.full((3, len(ids)), numbers.size), np.zeros((3, len(ids)), int)
    centre = np.empty((3, len(ids)))
    for axis, start, stop in zip(order, low, high, strict=True):
        np.minimum.at(first[axis], index, start)
        np.maximum.at(last[axis], index, stop)
        centre[axis] = np.bincount(index, weights=(start + stop) / 2 * lengths, minlength=len(ids)) / voxels
    voxel = float(np.prod(np.asarray(spacing, dtype=np.float64)))
    return [
        Component(
            int(number),
            int(voxels[k]),
            int(voxels[k]) * voxel,
            (float(centre[0][k]), float(centre[1][k]), float(centre[2][k])),
            _make_box(first[:, k], last[:, k]),
        )
        for k, number in enumerate(ids)
    ]


def _sort_axes_by_stride(volume: NDArray[Any]) -> list[int]:
    """Sort the axes by their stride in memory, the largest first."""
    return [int(axis) for axis in np.argsort(np.abs(volume.strides), kind="stable")[::-1]]


def _find_runs(volume: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Find runs of one positive value along the last axis: about 12 times fewer items than voxels.

    Returns:
        Values `(R,)`, first and last voxels `(3, R)`.
    """
    rows, width = volume.shape[1:]
    lines = volume.reshape(-1, width)
    flat = lines.reshape(-1)
    carried = 1 + np.flatnonzero(
        (lines[1:, 0] > 0) & (lines[1:, 0] == lines[:-1, -1])
    )  # runs that continue in the next line
    changes = 1 + np.flatnonzero(flat[1:] != flat[:-1])
    bounds = np.concatenate([[0], changes, carried * width, [flat.size]])
    bounds.sort(kind="stable")
    value = flat[bounds[:-1]]
    is_positive = value > 0
    line, start = np.divmod(bounds[:-1][is_positive], width)
    low = np.stack([*np.divmod(line, rows), start])
    high = low.copy()
    high[2] += np.diff(bounds)[is_positive] - 1
    return value[is_positive], low, high


def _make_box(first: NDArray[np.intp], last: NDArray[np.intp]) -> tuple[slice, slice, slice]:
    x, y, z = (slice(int(low), int(high) + 1) for low, high in zip(first, last, strict=True))
    return x, y, z


def _clip_to_unsigned(values: NDArray[Any], kind: type[np.unsignedinteger]) -> NDArray[Any]:
    """Convert to an unsigned type, with 0 for negative values; without a copy where possible."""
    if values.dtype.kind not in "ub":
        values = np.where(values > 0, values, 0)
    return values.astype(kind, copy=False)


def find_bounding_box(volume: ArrayLike, above: int = 0) -> tuple[slice, slice, slice] | None:
    """Compute the bounding box (X, Y, Z) of the voxels above a value; None if there are none.

    The volume is read once, in memory order.
    """
    voxels = as_array(volume)
    if voxels.dtype.kind not in "bui":
        voxels, above = voxels > above, 0  # NaN would propagate through the maximum
    slowest, *others = _sort_axes_by_stride(voxels)
    projection = voxels.max(axis=slowest) > above
    if not projection.any():
        return None
    box = [slice(None)] * 3
    for axis in others:
        box[axis] = _find_span(projection.any(axis=int(axis < max(others))))
    box[slowest] = _find_span(voxels[tuple(box)].max(axis=tuple(others)) > above)
    return box[0], box[1], box[2]


def _find_span(line: NDArray[np.bool_]) -> slice:
    indices = np.flatnonzero(line)
    return slice(int(indices[0]), int(indices[-1]) + 1)


def compute_union_box(boxes: Iterable[Sequence[slice]]) -> tuple[slice, ...]:
    """Compute the smallest box that contains all boxes (at least one)."""
    return tuple(
        slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True)
    )


def shift_component(component: Component, box: Sequence[slice]) -> Component:
    """Shift a component from the coordinates of a box to those of the whole volume.

    Args:
        component: component in coordinates of the box.
        box: position of the box in the volume, in voxel indices.
    """
    starts = [side.start for side in box]
    x, y, z = (
        slice(side.start + offset, side.stop + offset)
        for side, offset in zip(component.box, starts, strict=True)
    )
    centre = _to_triple(np.asarray(component.centre) + starts)
    return component._replace(centre=centre, box=(x, y, z))


def is_smaller(volume_mm3: float, limit_mm3: float) -> bool:
    """Check whether a volume is below a limit, with tolerance for a spacing rounded to float32."""
    return volume_mm3 < limit_mm3 * (1 - VOLUME_TOLERANCE)


def compute_centroid_mm(component: Component, affine: ArrayLike) -> tuple[float, float, float]:
    """Compute the centroid of a component in RAS mm.

    Args:
        component: item of `measure_components`.
        affine: `(4, 4)` from voxel indices to RAS mm.
    """
    position = np.asarray(affine, dtype=np.float64) @ np.array([*component.centre, 1.0])
    return _to_triple(position)


def _to_triple(position: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(position[0]), float(position[1]), float(position[2]))


def find_axial_axis(affine: ArrayLike) -> int:
    """Find the array axis closest to inferior-superior; the other two axes span the axial planes."""
    matrix = np.asarray(affine, dtype=np.float64)[:3, :3]
    return int(np.argmax(np.abs(matrix[2]) / np.linalg.norm(matrix, axis=0)))
