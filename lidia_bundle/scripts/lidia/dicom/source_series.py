"""The DICOM series behind a patient's grid: its files, its slices as others refer to them, where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.header_values import require_numbers
from scripts.lidia.dicom.multiframe import is_multiframe, single_frames
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.references import check_references, referable
from scripts.lidia.dicom.series import dicom_paths, read_slices
from scripts.lidia.vocabulary import GRID_ORDER

if TYPE_CHECKING:
    from pydicom import Dataset

SAME = 0.25
"""Voxels by which the corners of one grid may differ: positions in DICOM are often rounded."""


class Stack(NamedTuple):
    """Where the frames of a series lie."""

    affine: NDArray[np.float64]
    """(4, 4) from column, row and slice, counted along the slices' normal, to RAS mm."""
    shape: tuple[int, int, int]
    """Columns, rows, slices."""
    order: list[int]
    """Slice number of every frame, in the order of the files or of the frames in the one file."""


def source_files(item: Mapping[str, Any]) -> list[Path]:
    """Finds the DICOM files behind the grid phase of an item; an empty list where it came as NIfTI.

    Args:
        item: one of a datalist; its `source` names the files, else the grid phase may be a folder of them.
    """
    if item.get("source"):
        return [Path(path) for path in item["source"]]
    phases = item.get("phases") or {}
    grid = next((phases[phase] for phase in GRID_ORDER if phase in phases), "")
    return dicom_paths(grid) if grid and Path(grid).is_dir() else []


def read_source(paths: Sequence[Path], *, case: str) -> list[Dataset]:
    """Reads the headers of a series: sorted single slices, or one enhanced multi-frame file.

    Args:
        paths: files of one series; copies of slices, localizers and foreign files are left out.
        case: id of the case, for messages.

    Raises:
        CaseError: if they are no regular CT volume (see `read_series`), or cannot be referred to (see
        `check_references`).
    """
    alone = read_file(paths[0], stop_before_pixels=True) if len(paths) == 1 else None
    kept = [alone] if alone is not None and is_multiframe(alone) else read_slices(paths, case=case)
    check_references(kept, case=case)
    return [referable(slice_) for slice_ in kept]


def make_stack(source: Sequence[Dataset]) -> Stack:
    """Where the slices or frames of `read_source` lie.

    Raises:
        CaseError: if a frame does not say where it lies.
        ValueError: if the frames of a multi-frame file are not one stack.
    """
    frames = single_frames(source[0]) if is_multiframe(source[0]) else source
    corners = np.array([require_numbers(frame, "ImagePositionPatient") for frame in frames])
    turn = require_numbers(frames[0], "ImageOrientationPatient")
    spacing = require_numbers(frames[0], "PixelSpacing")
    row, column = np.asarray(turn).reshape(2, 3)
    places = corners @ np.cross(row, column)
    ranks = np.argsort(np.argsort(places))
    steps = np.diff(np.sort(places))
    if len(places) > 1 and steps.min() < 0.5 * steps.max():
        raise ValueError(f"the {len(places)} frames are not one stack: steps of {steps.min():g} mm and more")
    first, last = corners[np.argmin(places)], corners[np.argmax(places)]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 2], affine[:3, 3] = (last - first) / max(len(places) - 1, 1), first
    columns, rows = (int(require_numbers(frames[0], keyword)[0]) for keyword in ("Columns", "Rows"))
    shape = (columns, rows, len(places))
    return Stack(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, shape, ranks.tolist())


def resample_to_stack(labels: NDArray[Any], affine: NDArray[np.float64], stack: Stack) -> NDArray[Any]:
    """Brings labels onto the grid of a series: by flips and swaps alone where it is theirs, else the nearest.

    Args:
        labels: (X, Y, Z), whole numbers.
        affine: (4, 4) of the labels, to RAS mm.
        stack: the grid.

    Returns:
        Labels of the same type, in the shape of the stack.
    """
    between = np.linalg.inv(stack.affine) @ affine
    turns = nib.io_orientation(between)
    turned = nib.apply_orientation(labels, turns)
    left = between @ nib.orientations.inv_ornt_aff(turns, labels.shape)
    if turned.shape == stack.shape and np.abs(_corners(left, stack.shape)).max() < SAME:
        return np.ascontiguousarray(turned)
    from scipy.ndimage import affine_transform

    return affine_transform(labels, np.linalg.inv(between), output_shape=stack.shape, order=0)


def _corners(left: NDArray[np.float64], shape: Sequence[int]) -> NDArray[np.float64]:
    """How far an affine moves the corners of a grid, in voxels."""
    ends = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1)
    return left[:3, :3] @ ends + left[:3, 3:] - ends
