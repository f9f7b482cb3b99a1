"""Converts the files of one patient to a datalist item: label and instances on the reference grid."""

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
from scripts.lidia.geometry.grid import Grid, compute_coverage, is_same_grid, to_mm
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.output_folder import is_up_to_date, logger
from scripts.lidia.prepare.read_mask_file import read_mask_file
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, GRID_ORDER, LIVER, OTHERS, PHASES

MaskReader = Callable[[Path, str], tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Function of a file and the case's id; returns values (X, Y, Z) and their RAS affine (mm)."""


@dataclass(frozen=True)
class MaskFile:
    """A mask file, on the grid of any phase.

    Args:
        path: NIfTI, NRRD, or another format that `read` supports.
        classes: class of each value, or one class for all positive values.
        lesion: whether the file holds exactly one lesion.
        read: function that reads the file.
    """

    path: Path
    classes: Mapping[int, int] | int
    lesion: bool = False
    read: MaskReader = read_mask_file


@dataclass(frozen=True)
class SourcePatient:
    """The files and labels of one patient of a data set.

    Args:
        id: name of the case.
        phases: for each scanned phase the NIfTI file, the folder of its DICOM series, or the slices of a
            series that shares its folder with others.
        masks: masks of lesions (and liver); later files overwrite earlier ones. None without annotation.
        malignant: whether lesions of class `others` are malignant; None if unknown.
        about: further keys of the item.
        tables: tables that define the meaning of the masks; when they change, the labels are made again.
        section: section of the datalist; patients without lesion masks are not used for training.
    """

    id: str
    phases: Mapping[str, Path | tuple[Path, ...]]
    masks: tuple[MaskFile, ...] | None
    malignant: bool | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Path, ...] = ()
    section: str = "training"


def convert_case(patient: SourcePatient, folder: Path) -> dict[str, Any]:
    """Writes `labels/ID.nii.gz` and `instances/ID.nii.gz`, and returns the item of the datalist.

    Both files use the grid of the venous phase; without one, the grid of the annotated phase, else of the
    first of delayed, arterial, nc. Masks of other phases are resampled by their position in space.

    Args:
        patient: the files of the patient.
        folder: output folder; phases stay in place, unless a file or a folder holds several volumes.

    Raises:
        CaseError: if a file is missing or invalid, or more than 1 % of a mask lies outside the grid.
    """
    phases = {
        p: _prepare_phase(patient.phases[p], p, patient.id, folder) for p in PHASES if p in patient.phases
    }
    if not phases:
        raise CaseError(patient.id, "", "no phase was found", "check the layout of the folder", "no_phase")
    item: dict[str, Any] = {"id": patient.id, "phases": {p: str(f) for p, f in phases.items()}}
    item |= patient.about
    if patient.masks is None:
        return item
    files = [folder / part / f"{patient.id}.nii.gz" for part in ("labels", "instances")]
    sources = [*phases.values(), *patient.tables, *(mask.path for mask in patient.masks)]
    if is_up_to_date(files, sources):
        label, instances = (np.asarray(nib.load(file).dataobj) for file in files)
    else:
        label, instances, affine = _merge_masks(patient.id, patient.masks, phases)
        write_volume(files[0], label.astype(np.uint8), affine)
        write_volume(files[1], instances.astype(np.uint16), affine)
    if not (label == LIVER).any():
        logger.warning(f"{patient.id}: the label has no liver; to train, add a `liver` mask to the list")
    numbers, first = np.unique(instances, return_index=True)
    kinds = {int(n): int(label.flat[at]) for n, at in zip(numbers, first, strict=True) if n > 0}
    item |= {"label": str(files[0]), "instances": str(files[1])}
    item["lesions"] = [{"instance": number, "type": CLASSES[kind]} for number, kind in kinds.items()]
    if patient.malignant is not None:
        item["malignant"] = {str(n): patient.malignant for n, kind in kinds.items() if kind == OTHERS}
    return item


def _prepare_phase(path: Path | tuple[Path, ...], phase: str, case: str, folder: Path) -> Path:
    """Returns the phase's file or folder; extracts the volume to a new file where these hold several.

    Raises:
        CaseError: if a file is missing or unfit.
    """
    written = folder / "phases" / case / f"{phase}.nii.gz"
    if isinstance(path, tuple):
        if not is_up_to_date([written], path):
            voxels, affine, warnings = read_files(path, case=case)
            for warning in warnings:
                logger.warning(f"{case}: {warning.problem}")
            write_volume(written, voxels, affine)
        return written
    if path.is_dir():
        return path
    image = open_nifti(path, case)
    shape = image.header.get_data_shape()
    if len(shape) <= 3 or max(shape[3:]) == 1:
        check_header(path, case=case)
        return path
    if not is_up_to_date([written], [path]):
        logger.warning(f"{case}: {path.name} holds {shape[3]} volumes; the first is used")
        first = np.asarray(image.dataobj[(..., *[0] * (len(shape) - 3))])
        write_volume(written, first.astype(np.float32), np.asarray(image.affine, float))
    check_header(written, case=case)
    return written


def _merge_masks(
    case: str, masks: Sequence[MaskFile], phases: Mapping[str, Path]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Merges all masks of a case to classes and instances on one grid; also returns its affine.

    Raises:
        CaseError: if a mask cannot be read or lies outside the grid.
    """
    loaded = [(mask, *mask.read(mask.path, case)) for mask in masks]
    affine, shape = _choose_grid(case, phases, loaded[-1][1:] if loaded else None)
    label, instances = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for mask, values, mask_affine in loaded:
        classes = _to_classes(mask, values, case)
        if (classes >= FIRST_LESION).any():
            _check_inside(classes, mask_affine, Grid(affine, shape), case, mask.path)
        resampled = _resample_classes(classes, mask_affine, affine, shape)
        label = np.where(resampled > 0, resampled, label)
        lesions = resampled >= FIRST_LESION
        own = lesions.astype(np.int64) if mask.lesion else label_components(np.where(lesions, resampled, 0))
        instances[resampled > 0] = 0
        instances[lesions] = own[lesions] + instances.max(initial=0)
    return label, instances, affine


def _choose_grid(case: str, phases: Mapping[str, Path], mask_grid: tuple[NDArray, NDArray] | None) -> Grid:
    """Returns the grid of the venous phase, else of the annotated phase, else of the first in GRID_ORDER."""
    order = [phases[phase] for phase in GRID_ORDER if phase in phases]
    first = read_grid(order[0], case)
    if "venous" in phases or mask_grid is None:
        return first
    grids = [first, *(read_grid(path, case) for path in order[1:])]
    return next((grid for grid in grids if is_same_grid(*grid, mask_grid[1], mask_grid[0].shape)), first)


def read_grid(path: Path, case: str) -> Grid:
    """Reads the grid of a NIfTI file or of a folder of one DICOM series.

    Raises:
        CaseError: if it cannot be read.
    """
    if path.is_dir():
        voxels, affine, _ = read_series(path, case=case)
        return Grid(affine, voxels.shape)
    image = open_nifti(path, case)
    return Grid(np.asarray(image.affine, float), tuple(image.shape[:3]))


def _to_classes(mask: MaskFile, values: NDArray[np.int64], case: str) -> NDArray[np.int64]:
    """Maps the values of a mask to classes.

    Raises:
        CaseError: if the mask holds a value without a class.
    """
    if isinstance(mask.classes, int):
        return np.where(values > 0, mask.classes, 0)
    unknown = sorted(set(np.unique(values).tolist()) - set(mask.classes) - {0})
    if unknown:
        problem = f"values {unknown} are not defined in this data set ({sorted(mask.classes)})"
        raise CaseError(case, str(mask.path), problem, "check the file, or define its values", "bad_label")
    mapped = np.zeros_like(values)
    for value, kind in mask.classes.items():
        mapped[values == value] = kind
    return mapped


def _resample_classes(
    classes: NDArray[np.int64], mask_affine: NDArray, affine: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    if is_same_grid(mask_affine, classes.shape, affine, shape):
        return classes
    mask = MetaTensor(torch.as_tensor(classes[None].astype(np.float32)), affine=torch.as_tensor(mask_affine))
    resampled = resample(mask, Grid(affine, shape), nearest=True, outside=0.0)
    return resampled.numpy()[0].astype(np.int64)


def _check_inside(classes: NDArray, mask_affine: NDArray, grid: Grid, case: str, path: Path) -> None:
    """Refuses lesions outside the reference volume.

    Raises:
        CaseError: if more than 1 % of the lesion voxels lie outside.
    """
    index = np.argwhere(classes >= FIRST_LESION).T.astype(np.float64)
    inside = compute_coverage(to_mm(mask_affine, index), *grid)
    if inside < 0.99:
        problem = f"only {inside:.1%} of the lesions lie in the reference volume"
        remedy = "check the affine of the mask, or remove the case from the list"
        raise CaseError(case, str(path), problem, remedy, "label_outside")
