"""From what a reader found of a patient to our item: one label on the reference grid, instances, liver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.lidia.components import label_components
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_header, open_nifti
from scripts.lidia.dicom.series import read_files, read_series
from scripts.lidia.geometry.grid import Grid, coverage, same_grid, to_mm
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.output_folder import is_fresh, logger
from scripts.lidia.prepare.read_mask_file import read_mask_file
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, GRID_ORDER, LIVER, OTHERS, PHASES

ReadDrawn = Callable[[Path, str], tuple[NDArray[np.int64], NDArray[np.float64]]]
"""From a file and the case's id to values (X, Y, Z) and their RAS affine (mm)."""


@dataclass(frozen=True)
class Drawn:
    """A file that somebody drew, on the grid of whatever phase.

    Args:
        path: NIfTI, NRRD, or what `read` can read.
        classes: our class of each value; one class says that all positive values are it.
        lesion: whether the file is one lesion by itself.
        read: how the file is read.
    """

    path: Path
    classes: Mapping[int, int] | int
    lesion: bool = False
    read: ReadDrawn = read_mask_file


@dataclass(frozen=True)
class Patient:
    """What a reader found of a patient.

    Args:
        id: name of the case.
        phases: of each phase that was scanned the NIfTI file, the folder of its DICOM series, or the slices
            of a series that shares its folder with others.
        drawn: lesions (and liver) as drawn; later files win over earlier ones. None if nobody drew anything.
        malignant: side of lesions of class `others`; None if nobody says.
        about: further keys of the item.
        told_by: tables that say what the drawings are; when they change, the labels are made again.
        section: of the list; patients whose lesions nobody drew are not for training.
    """

    id: str
    phases: Mapping[str, Path | tuple[Path, ...]]
    drawn: tuple[Drawn, ...] | None
    malignant: bool | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    told_by: tuple[Path, ...] = ()
    section: str = "training"


def convert_case(patient: Patient, folder: Path) -> dict[str, Any]:
    """Writes `labels/ID.nii.gz` and `instances/ID.nii.gz`, and gives the item of the datalist.

    All lies on the grid of the venous phase; without one on the grid of the phase that was drawn on, else of
    the first of delayed, arterial, nc. Drawings of other phases are carried over by their place in space.

    Args:
        patient: what was found.
        folder: where to write; phases stay where they are, unless a file or a folder holds several volumes.

    Raises:
        CaseError: if a file is missing or unfit, or more than 1 % of a drawing lies outside the grid.
    """
    phases = {p: _volume(patient.phases[p], p, patient.id, folder) for p in PHASES if p in patient.phases}
    if not phases:
        raise CaseError(patient.id, "", "no phase was found", "check the folder's layout", "no_phase")
    item: dict[str, Any] = {"id": patient.id, "phases": {p: str(f) for p, f in phases.items()}}
    item |= patient.about
    if patient.drawn is None:
        return item
    files = [folder / part / f"{patient.id}.nii.gz" for part in ("labels", "instances")]
    sources = [*phases.values(), *patient.told_by, *(drawn.path for drawn in patient.drawn)]
    if is_fresh(files, sources):
        label, instances = (np.asarray(nib.load(file).dataobj) for file in files)
    else:
        label, instances, affine = _drawing(patient.id, patient.drawn, phases)
        write_volume(files[0], label.astype(np.uint8), affine)
        write_volume(files[1], instances.astype(np.uint16), affine)
    if not (label == LIVER).any():
        logger.warning(f"{patient.id}: nobody drew the liver; to train, add a `liver` mask to the list")
    numbers, first = np.unique(instances, return_index=True)
    kinds = {int(n): int(label.flat[at]) for n, at in zip(numbers, first, strict=True) if n > 0}
    item |= {"label": str(files[0]), "instances": str(files[1])}
    item["lesions"] = [{"instance": number, "type": CLASSES[kind]} for number, kind in kinds.items()]
    if patient.malignant is not None:
        item["malignant"] = {str(n): patient.malignant for n, kind in kinds.items() if kind == OTHERS}
    return item


def _volume(path: Path | tuple[Path, ...], phase: str, case: str, folder: Path) -> Path:
    """The phase's file or folder, or a file of its own where these hold several volumes.

    Raises:
        CaseError: if a file is missing or unfit.
    """
    written = folder / "phases" / case / f"{phase}.nii.gz"
    if isinstance(path, tuple):
        if not is_fresh([written], path):
            voxels, affine, remarks = read_files(path, case=case)
            for remark in remarks:
                logger.warning(f"{case}: {remark.problem}")
            write_volume(written, voxels, affine)
        return written
    if path.is_dir():
        return path
    image = open_nifti(path, case)
    shape = image.header.get_data_shape()
    if len(shape) <= 3 or max(shape[3:]) == 1:
        check_header(path, case=case)
        return path
    if not is_fresh([written], [path]):
        logger.warning(f"{case}: {path.name} holds {shape[3]} volumes; the first is taken")
        first = np.asarray(image.dataobj[(..., *[0] * (len(shape) - 3))])
        write_volume(written, first.astype(np.float32), np.asarray(image.affine, float))
    check_header(written, case=case)
    return written


def _drawing(
    case: str, drawings: Sequence[Drawn], phases: Mapping[str, Path]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Classes, instances and the affine of the grid they lie on.

    Raises:
        CaseError: if a drawing cannot be read or lies outside the grid.
    """
    read = [(drawn, *drawn.read(drawn.path, case)) for drawn in drawings]
    affine, shape = _grid(case, phases, read[-1][1:] if read else None)
    label, instances = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for drawn, values, place in read:
        classes = _classes(drawn, values, case)
        if (classes >= FIRST_LESION).any():
            _check_inside(classes, place, Grid(affine, shape), case, drawn.path)
        moved = _moved(classes, place, affine, shape)
        label = np.where(moved > 0, moved, label)
        lesions = moved >= FIRST_LESION
        own = lesions.astype(np.int64) if drawn.lesion else label_components(np.where(lesions, moved, 0))
        instances[moved > 0] = 0
        instances[lesions] = own[lesions] + instances.max(initial=0)
    return label, instances, affine


def _grid(case: str, phases: Mapping[str, Path], drawn: tuple[NDArray, NDArray] | None) -> Grid:
    """The grid of the venous phase, else of the phase drawn on, else of the first in the usual order."""
    order = [phases[phase] for phase in GRID_ORDER if phase in phases]
    first = _place(order[0], case)
    if "venous" in phases or drawn is None:
        return first
    grids = [first, *(_place(path, case) for path in order[1:])]
    return next((grid for grid in grids if same_grid(*grid, drawn[1], drawn[0].shape)), first)


def _place(path: Path, case: str) -> Grid:
    if path.is_dir():
        voxels, affine, _ = read_series(path, case=case)
        return Grid(affine, voxels.shape)
    image = open_nifti(path, case)
    return Grid(np.asarray(image.affine, float), tuple(image.shape[:3]))


def _classes(drawn: Drawn, values: NDArray[np.int64], case: str) -> NDArray[np.int64]:
    """Our classes of a drawing's values.

    Raises:
        CaseError: if it holds a value that nobody named.
    """
    if isinstance(drawn.classes, int):
        return np.where(values > 0, drawn.classes, 0)
    unknown = sorted(set(np.unique(values).tolist()) - set(drawn.classes) - {0})
    if unknown:
        problem = f"values {unknown} are none of this data set ({sorted(drawn.classes)})"
        raise CaseError(case, str(drawn.path), problem, "check the file, or name its values", "bad_label")
    ours = np.zeros_like(values)
    for value, kind in drawn.classes.items():
        ours[values == value] = kind
    return ours


def _moved(
    classes: NDArray[np.int64], place: NDArray, affine: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    if same_grid(place, classes.shape, affine, shape):
        return classes
    drawing = MetaTensor(torch.as_tensor(classes[None].astype(np.float32)), affine=torch.as_tensor(place))
    moved = resample(drawing, Grid(affine, shape), nearest=True, outside=0.0)
    return moved.numpy()[0].astype(np.int64)


def _check_inside(classes: NDArray, place: NDArray, grid: Grid, case: str, path: Path) -> None:
    """Refuses lesions that the reference does not show.

    Raises:
        CaseError: if more than 1 % of them lie outside.
    """
    index = np.argwhere(classes >= FIRST_LESION).T.astype(np.float64)
    inside = coverage(to_mm(place, index), *grid)
    if inside < 0.99:
        problem = f"only {inside:.1%} of the lesions lie in the reference volume"
        remedy = "check the affine of the mask, or take the case off the list"
        raise CaseError(case, str(path), problem, remedy, "label_outside")
