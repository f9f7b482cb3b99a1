"""Reads and checks the phases and the liver mask of a real CT, in RAS axis order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from scripts.lidia.data.read_volume import read_mask, read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.grid import is_same_grid
from scripts.lidia.implant.background import RAS, Background

MIN_LIVER_ML = 150.0
"""Least volume (ml) of a liver mask, so that lesions fit and HU levels can be measured."""
MAX_LIVER_ML = 6000.0
PARENCHYMA = (-30.0, 200.0)
"""Range of HU of parenchyma, from severe steatosis to a strong venous phase."""


def read_background(name: str, phases: Mapping[str, str | Path], liver: str | Path) -> Background:
    """Reads the phases and the liver mask of one patient.

    Args:
        name: id of the patient, for error messages.
        phases: NIfTI file or folder of one DICOM series by phase; all on one grid.
        liver: NIfTI mask on that grid; positive values are liver.

    Raises:
        CaseError: if a file is invalid, the grids differ, or the mask is empty, too small, too large, or lies
            on something that is not liver.
    """
    mask, mask_affine, _ = read_mask(liver, name, 1, binary=True)
    volumes, affine = {}, mask_affine
    for phase, path in phases.items():
        hu, affine, _ = read_phase(path, name)
        if not is_same_grid(affine, hu.shape, mask_affine, mask.shape):
            grids = f"{_describe_grid(hu, affine)}; the mask has {_describe_grid(mask, mask_affine)}"
            problem = f"the CT has another grid than its liver mask {liver}: {grids}"
            remedy = "resample the mask (nearest neighbour), and every phase after registration, to one grid"
            raise CaseError(name, str(path), problem, remedy, "other_grid")
        volumes[phase] = hu
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    _check_size(mask > 0, float(np.prod(spacing)), name, str(liver))
    file_axes = io_orientation(affine)
    to_ras = ornt_transform(file_axes, RAS)
    ras_phases = {p: np.ascontiguousarray(apply_orientation(hu, to_ras)) for p, hu in volumes.items()}
    step = np.linalg.norm((affine @ inv_ornt_aff(to_ras, mask.shape))[:3, :3], axis=0)
    inside = np.ascontiguousarray(apply_orientation(mask, to_ras)) > 0
    for phase, hu in ras_phases.items():
        level = float(np.median(hu[inside]))
        if not PARENCHYMA[0] <= level <= PARENCHYMA[1]:
            problem = (
                f"the median under the liver mask is {level:.0f} HU in the {phase} phase, which is not liver"
            )
            remedy = "check that mask and CT belong together and that the values are HU"
            raise CaseError(name, str(liver), problem, remedy, "no_liver")
    return Background(
        name, ras_phases, inside, (float(step[0]), float(step[1]), float(step[2])), affine, file_axes
    )


def read_ignored(item: Mapping[str, Any], background: Background) -> NDArray[np.bool_]:
    """Reads the mask `ignored` of an item: lesions that the patient has, which training ignores.

    Args:
        item: item of a datalist.
        background: its background.

    Returns:
        (X, Y, Z) on the axes of the background; nothing is marked if the item has no such mask.

    Raises:
        CaseError: if the mask is invalid or has another grid than the background.
    """
    path = item.get("ignored")
    if not isinstance(path, str):
        return np.zeros(background.liver.shape, bool)
    mask, affine, _ = read_mask(path, item["id"], 1, binary=True)
    to_ras = ornt_transform(background.turn, RAS)
    inside = np.ascontiguousarray(apply_orientation(mask, to_ras)) > 0
    if inside.shape != background.liver.shape or not np.allclose(affine, background.affine, atol=1e-2):
        remedy = "resample the mask (nearest neighbour) to the grid of the liver mask"
        raise CaseError(item["id"], path, "not on the grid of the liver mask", remedy, "other_grid")
    return inside


def _describe_grid(array: NDArray, affine: NDArray) -> str:
    spacing = " x ".join(f"{s:.3g}" for s in np.linalg.norm(affine[:3, :3], axis=0))
    origin = ", ".join(f"{o:.1f}" for o in affine[:3, 3])
    return f"{' x '.join(map(str, array.shape))} voxels of {spacing} mm from {origin}"


def _check_size(inside: NDArray[np.bool_], voxel: float, name: str, file: str) -> None:
    volume = float(inside.sum()) * voxel / 1000
    if volume == 0:
        remedy = "give a mask of this CT's liver"
        raise CaseError(name, file, "the liver mask is empty", remedy, "empty_liver")
    if volume < MIN_LIVER_ML:
        problem = f"the liver mask holds {volume:.0f} ml, too little for a lesion"
        remedy = f"give a CT that shows at least {MIN_LIVER_ML:.0f} ml of liver"
        raise CaseError(name, file, problem, remedy, "small_liver")
    if volume > MAX_LIVER_ML:
        problem = f"the liver mask holds {volume:.0f} ml, more than a liver"
        raise CaseError(name, file, problem, "give a mask of the liver alone", "large_liver")
