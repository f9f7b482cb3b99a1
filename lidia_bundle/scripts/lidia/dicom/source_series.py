"""Finds the DICOM series of a patient's grid, its headers for references, and its geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from scripts.lidia.dicom.header_values import require_numbers
from scripts.lidia.dicom.multiframe import is_multiframe, split_frames
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.references import check_references, make_referable
from scripts.lidia.dicom.series import list_dicom_paths, read_slices
from scripts.lidia.vocabulary import GRID_ORDER

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_CORNER_SHIFT = 0.25
"""Largest difference between the corners of equal grids, in voxels; DICOM positions are often rounded."""


class Stack(NamedTuple):
    """The grid of a series and the order of its frames."""

    affine: NDArray[np.float64]
    """(4, 4) from column, row and slice, counted along the slices' normal, to RAS mm."""
    shape: tuple[int, int, int]
    """Columns, rows, slices."""
    order: list[int]
    """Slice number of every frame, in the order of the files or of the frames in the one file."""


def find_source_files(item: Mapping[str, Any]) -> list[Path]:
    """Finds the DICOM files behind the grid phase of an item; an empty list where it came as NIfTI.

    Args:
        item: of a datalist; its `source` names the files, otherwise the grid phase may be a folder of them.
    """
    if item.get("source"):
        return [Path(path) for path in item["source"]]
    phases = item.get("phases") or {}
    grid = next((phases[phase] for phase in GRID_ORDER if phase in phases), "")
    return list_dicom_paths(grid) if grid and Path(grid).is_dir() else []


def read_source(paths: Sequence[Path], *, case: str) -> list[Dataset]:
    """Reads the headers of a series: sorted single slices, or one enhanced multi-frame file.

    Args:
        paths: files of one series; copies of slices, localizers and other files are left out.
        case: id of the case, for messages.

    Raises:
        CaseError: if they are not a regular CT volume (see `read_series`), or cannot be referred to (see
        `check_references`).
    """
    header = read_file(paths[0], stop_before_pixels=True) if len(paths) == 1 else None
    headers = [header] if header is not None and is_multiframe(header) else read_slices(paths, case=case)
    check_references(headers, case=case)
    return [make_referable(slice_) for slice_ in headers]


def make_stack(source: Sequence[Dataset]) -> Stack:
    """Makes the grid of the slices or frames from `read_source`.

    Raises:
        CaseError: if a frame has no position.
        ValueError: if the frames of a multi-frame file are not one stack.
    """
    frames = split_frames(source[0]) if is_multiframe(source[0]) else source
    corners = np.array([require_numbers(frame, "ImagePositionPatient") for frame in frames])
    orientation = require_numbers(frames[0], "ImageOrientationPatient")
    spacing = require_numbers(frames[0], "PixelSpacing")
    row, column = np.asarray(orientation).reshape(2, 3)
    positions = corners @ np.cross(row, column)
    ranks = np.argsort(np.argsort(positions))
    steps = np.diff(np.sort(positions))
    if len(positions) > 1 and steps.min() < 0.5 * steps.max():
        problem = f"steps of {steps.min():g} mm and more"
        raise ValueError(f"the {len(positions)} frames are not one stack: {problem}")
    first, last = corners[np.argmin(positions)], corners[np.argmax(positions)]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 2], affine[:3, 3] = (last - first) / max(len(positions) - 1, 1), first
    columns, rows = (int(require_numbers(frames[0], keyword)[0]) for keyword in ("Columns", "Rows"))
    shape = (columns, rows, len(positions))
    return Stack(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, shape, ranks.tolist())


def resample_to_stack(labels: NDArray[Any], affine: NDArray[np.float64], stack: Stack) -> NDArray[Any]:
    """Resamples labels to the grid of a series: by flips and swaps if the grids are equal, else nearest.

    Args:
        labels: (X, Y, Z), integers.
        affine: (4, 4) of the labels, to RAS mm.
        stack: the grid.

    Returns:
        Labels of the same type, in the shape of the stack.
    """
    between = np.linalg.inv(stack.affine) @ affine
    turns = nib.io_orientation(between)
    turned = nib.apply_orientation(labels, turns)
    residual = between @ nib.orientations.inv_ornt_aff(turns, labels.shape)
    shifts = _compute_corner_shifts(residual, stack.shape)
    if turned.shape == stack.shape and np.abs(shifts).max() < MAX_CORNER_SHIFT:
        return np.ascontiguousarray(turned)
    from scipy.ndimage import affine_transform

    return affine_transform(labels, np.linalg.inv(between), output_shape=stack.shape, order=0)


def _compute_corner_shifts(residual: NDArray[np.float64], shape: Sequence[int]) -> NDArray[np.float64]:
    """Returns the shifts of the corners of a grid under an affine, in voxels."""
    ends = np.array(np.meshgrid(*[(0, size - 1) for size in shape])).reshape(3, -1)
    return residual[:3, :3] @ ends + residual[:3, 3:] - ends
