"""Find connected components and measure them in millimetres, for targets, post-processing and metrics.

Arrays are indexed `X Y Z` in the order of their affine. Volumes are mm3, lengths mm, places RAS mm.
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
"""A lesion below this volume counts as noise of the drawing (as in the authors' earlier network, PLAN)."""


class Component(NamedTuple):
    """One connected component, or one instance of a drawn instance map."""

    instance: int
    """Its value in the map."""
    voxels: int
    volume_mm3: float
    centre: tuple[float, float, float]
    """Centroid in voxel indices."""
    box: tuple[slice, slice, slice]
    """Bounding box in voxel indices: `instances[box] == instance` is its mask."""


def as_array(volume: ArrayLike) -> NDArray[Any]:
    """A NumPy view of a tensor, a MetaTensor or an array.

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
    """Components of equal class, numbered from 1; touching classes stay apart, values of 0 and less are none.

    Args:
        classes: `(X, Y, Z)`, whole numbers.
        connectivity: 6, 18 or 26 neighbours.

    Returns:
        `(X, Y, Z)` instance numbers 1..K, 0 elsewhere, of two bytes where they fit.

    Raises:
        ValueError: the volume does not have three axes.
    """
    array = as_array(classes)
    values = _clip_to_unsigned(array, np.uint8 if array.dtype.itemsize == 1 else np.uint16)
    return np.asarray(cc3d.connected_components(values, connectivity=connectivity))


def join_components(mask: ArrayLike, connectivity: int = 26) -> Numbers:
    """Components of a mask, blind to the classes in it, numbered from 1.

    Args:
        mask: `(X, Y, Z)`, true or positive inside.
        connectivity: 6, 18 or 26 neighbours.

    Returns:
        `(X, Y, Z)` instance numbers 1..K, 0 elsewhere, of two bytes where they fit.

    Raises:
        ValueError: the volume does not have three axes.
    """
    return label_components((as_array(mask) > 0).astype(np.uint8), connectivity)


def component_stats(instances: ArrayLike, spacing: Sequence[float]) -> list[Component]:
    """The components of an instance map in rising order of their numbers; gaps in the numbering are allowed.

    Args:
        instances: `(X, Y, Z)`, 0 is none.
        spacing: mm per voxel along X, Y, Z.

    Raises:
        ValueError: the volume does not have three axes.
    """
    numbers = as_array(instances)
    order = _sort_axes_by_stride(numbers)
    value, low, high = _find_runs(numbers.transpose(order))
    names, which = np.unique(value, return_inverse=True)
    lengths = high[2] - low[2] + 1
    voxels = np.bincount(which, weights=lengths, minlength=len(names))
    first, last = np.full((3, len(names)), numbers.size), np.zeros((3, len(names)), int)
    centre = np.empty((3, len(names)))
    for axis, start, stop in zip(order, low, high, strict=True):
        np.minimum.at(first[axis], which, start)
        np.maximum.at(last[axis], which, stop)
        centre[axis] = np.bincount(which, weights=(start + stop) / 2 * lengths, minlength=len(names)) / voxels
    voxel = float(np.prod(np.asarray(spacing, dtype=np.float64)))
    return [
        Component(
            int(name),
            int(voxels[k]),
            int(voxels[k]) * voxel,
            (float(centre[0][k]), float(centre[1][k]), float(centre[2][k])),
            _make_box(first[:, k], last[:, k]),
        )
        for k, name in enumerate(names)
    ]


def _sort_axes_by_stride(volume: NDArray[Any]) -> list[int]:
    """The axes as they lie in memory, the one with the longest steps first."""
    return [int(axis) for axis in np.argsort(np.abs(volume.strides), kind="stable")[::-1]]


def _find_runs(volume: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Runs of one positive value along the last axis: a volume has a dozen times fewer of them than voxels.

    Returns:
        Values `(R,)`, first and last voxels `(3, R)`.
    """
    across, width = volume.shape[1:]
    lines = volume.reshape(-1, width)
    flat = lines.reshape(-1)
    through = 1 + np.flatnonzero((lines[1:, 0] > 0) & (lines[1:, 0] == lines[:-1, -1]))  # from line to line
    turns = 1 + np.flatnonzero(flat[1:] != flat[:-1])
    at = np.concatenate([[0], turns, through * width, [flat.size]])
    at.sort(kind="stable")
    value = flat[at[:-1]]
    is_positive = value > 0
    line, start = np.divmod(at[:-1][is_positive], width)
    low = np.stack([*np.divmod(line, across), start])
    high = low.copy()
    high[2] += np.diff(at)[is_positive] - 1
    return value[is_positive], low, high


def _make_box(first: NDArray[np.intp], last: NDArray[np.intp]) -> tuple[slice, slice, slice]:
    x, y, z = (slice(int(low), int(high) + 1) for low, high in zip(first, last, strict=True))
    return x, y, z


def _clip_to_unsigned(values: NDArray[Any], kind: type[np.unsignedinteger]) -> NDArray[Any]:
    """Whole numbers of an unsigned kind, 0 where they were negative; no copy where none is needed."""
    if values.dtype.kind not in "ub":
        values = np.where(values > 0, values, 0)
    return values.astype(kind, copy=False)


def bounding_box(volume: ArrayLike, above: int = 0) -> tuple[slice, slice, slice] | None:
    """The smallest box (X, Y, Z) that holds a mask, or whatever is above a value; None where nothing is.

    The volume is read once, in the order that it has in memory.
    """
    voxels = as_array(volume)
    if voxels.dtype.kind not in "bui":
        voxels, above = voxels > above, 0  # a maximum would be NaN where one voxel is
    slowest, *others = _sort_axes_by_stride(voxels)
    shadow = voxels.max(axis=slowest) > above
    if not shadow.any():
        return None
    box = [slice(None)] * 3
    for axis in others:
        box[axis] = _find_span(shadow.any(axis=int(axis < max(others))))
    box[slowest] = _find_span(voxels[tuple(box)].max(axis=tuple(others)) > above)
    return box[0], box[1], box[2]


def _find_span(line: NDArray[np.bool_]) -> slice:
    at = np.flatnonzero(line)
    return slice(int(at[0]), int(at[-1]) + 1)


def union_box(boxes: Iterable[Sequence[slice]]) -> tuple[slice, ...]:
    """The smallest box that holds all boxes, of which there is one at least."""
    return tuple(
        slice(min(s.start for s in sides), max(s.stop for s in sides)) for sides in zip(*boxes, strict=True)
    )


def shift_component(part: Component, box: Sequence[slice]) -> Component:
    """A component of the volume whose box it was found in.

    Args:
        part: with places in the box.
        box: where that lies in the volume, in voxel indices.
    """
    starts = [side.start for side in box]
    x, y, z = (slice(side.start + at, side.stop + at) for side, at in zip(part.box, starts, strict=True))
    centre = _to_triple(np.asarray(part.centre) + starts)
    return part._replace(centre=centre, box=(x, y, z))


def is_smaller(volume_mm3: float, limit_mm3: float) -> bool:
    """Whether a volume is under a limit, forgiving the rounding of a spacing kept in float32."""
    return volume_mm3 < limit_mm3 * (1 - 1e-6)


def centroid_mm(component: Component, affine: ArrayLike) -> tuple[float, float, float]:
    """The centroid in RAS mm.

    Args:
        component: one of `component_stats`.
        affine: `(4, 4)` from voxel indices to RAS mm.
    """
    place = np.asarray(affine, dtype=np.float64) @ np.array([*component.centre, 1.0])
    return _to_triple(place)


def _to_triple(place: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(place[0]), float(place[1]), float(place[2]))


def axial_axis(affine: ArrayLike) -> int:
    """The array axis that runs closest to foot-head, so that the other two span the axial planes."""
    matrix = np.asarray(affine, dtype=np.float64)[:3, :3]
    return int(np.argmax(np.abs(matrix[2]) / np.linalg.norm(matrix, axis=0)))


def diameter_mm(mask: ArrayLike, spacing: Sequence[float], axial: int = 2) -> float:
    """The longest diameter in one axial plane, as radiologists measure it (RECIST), 0 for an empty mask.

    It runs between the outer faces of voxels, so that a single voxel is as wide as it is.

    Args:
        mask: `(X, Y, Z)`, true inside; the crop of one component.
        spacing: mm per voxel along X, Y, Z.
        axial: the axis across the axial planes (see `axial_axis`).

    Raises:
        ValueError: the volume does not have three axes.
    """
    planes = np.moveaxis(as_array(mask) > 0, axial, 0)
    steps = np.delete(np.asarray(spacing, dtype=np.float64), axial)
    rims = [_find_rim(plane, steps) for plane in planes if plane.any()]
    # The box of a plane bounds its diameter: most planes need no distances once the widest has been measured.
    rims.sort(key=_diagonal_mm, reverse=True)
    longest = 0.0
    for rim in rims:
        if _diagonal_mm(rim) <= longest:
            break
        across = rim[:, None, :] - rim[None, :, :]
        longest = max(longest, float(np.sqrt(np.einsum("ijk,ijk->ij", across, across).max())))
    return longest


def _diagonal_mm(rim: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.ptp(rim, axis=0)))


def _find_rim(plane: NDArray[np.bool_], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outer face centres of the first and last voxel of every row and column, in mm."""
    ends = []
    for axis in (0, 1):
        lines = np.moveaxis(plane, axis, 1)
        at = np.flatnonzero(lines.any(axis=1))
        first = lines[at].argmax(axis=1) - 0.5
        last = lines.shape[1] - lines[at][:, ::-1].argmax(axis=1) - 0.5
        for along in (first, last):
            pair = (along, at) if axis == 0 else (at, along)
            ends.append(np.stack(pair, axis=1) * steps)
    return np.concatenate(ends)
