"""Align an earlier date with the latest one, by the liver masks and by registration with a quality check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, map_coordinates
from scipy.signal import fftconvolve

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.followup.read_study import Study
from scripts.lidia.geometry.grid import Grid, to_index
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.registration.lattice import make_lattice
from scripts.lidia.registration.select_transform import (
    CLIP_HU,
    Alignment,
    Target,
    align_pair,
    check_method,
)
from scripts.lidia.vocabulary import GRID_ORDER

COARSE_MM = 6.0
"""Grid on which the liver masks are aligned."""
NEAR_MM, MARGIN_MM = 15.0, 30.0
"""Neighbourhood of the liver that is registered, and margin of the lattice around it."""
LIVER_POSITION = "liver position"


class StudyAlignment(NamedTuple):
    """Transform from points of the latest date to points of an earlier one.

    Attributes:
        method: `reference`, a method of `registration`, `rigid`, or `liver position`.
        shift: (3,) mm, applied to all points.
        field: (3, X, Y, Z) mm on the lattice, added to the shift; None without a registration.
        lattice: grid of the field.
        liver_dice: Dice of the livers after the alignment, within the common field of view.
        message: how the alignment was found, in words.
        quality: similarity before and after the registration; None without one.
    """

    method: str
    shift: NDArray[np.float64]
    field: NDArray[np.float32] | None
    lattice: Grid | None
    liver_dice: float
    message: str
    quality: tuple[float, float] | None = None

    @property
    def is_registered(self) -> bool:
        """Whether the points come from a registration that passed the quality check."""
        return self.method != LIVER_POSITION

    def map_points(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (3, N) of the latest date to the earlier one, RAS mm."""
        mapped = points_mm + self.shift[:, None]
        if self.field is not None and self.lattice is not None:
            index = to_index(self.lattice.affine, points_mm)
            mapped += [map_coordinates(part, index, order=1, mode="nearest") for part in self.field]
        return mapped

    def describe(self) -> dict[str, Any]:
        """Describe the alignment for JSON."""
        before, after = self.quality or (None, None)
        return {
            "method": self.method,
            "quality_before": None if before is None else round(before, 4),
            "quality_after": None if after is None else round(after, 4),
            "liver_dice": round(self.liver_dice, 3),
            "message": self.message,
        }


REFERENCE = StudyAlignment("reference", np.zeros(3), None, None, 1.0, "the latest date is the reference")


def align_study(latest: Study, earlier: Study, settings: Mapping[str, Any]) -> StudyAlignment:
    """Align an earlier date with the latest one.

    The livers' masks give a shift. A registration of one common phase refines it, if it passes the checks of
    `registration` and the livers agree afterwards.

    Args:
        latest: the fixed date.
        earlier: the moving date.
        settings: `register` (a method, or False), `spacing` and `limit_s` of `registration.register_case`,
            and `min_liver_dice`, the smallest agreement of the livers after a registration.

    Raises:
        CaseError: if the method is unknown, or an image cannot be read.
    """
    shift = find_liver_shift(latest, earlier)
    basis = StudyAlignment(LIVER_POSITION, shift, None, None, 0.0, "")
    basis = basis._replace(liver_dice=compute_liver_dice(latest, earlier, basis))
    method = settings["register"]
    if not method:
        return basis._replace(message="registration is turned off")
    try:
        check_method(method)
    except CaseError as fault:
        if fault.code != "no_method":
            raise
        return basis._replace(message=f"{fault.problem}: {fault.remedy}")
    fixed, moving = choose_phases((latest, earlier))
    if fixed is None or moving is None:
        return basis._replace(message="the images of a date cannot be read")
    result, lattice = _register(latest, earlier, (fixed, moving), shift, settings)
    quality = (result.before, result.after)
    if result.field is None:
        return basis._replace(message=f"not registered: {result.reason}", quality=quality)
    aligned = StudyAlignment(result.method, shift, result.field, lattice, 0.0, result.reason, quality)
    dice = compute_liver_dice(latest, earlier, aligned)
    if dice < settings["min_liver_dice"]:
        message = f"the registration was not accepted: Dice of the livers {dice:.2f}"
        return basis._replace(message=message, quality=quality)
    return aligned._replace(liver_dice=dice)


def choose_phases(studies: Sequence[Study]) -> list[str | None]:
    """Choose the phase of each date: one that all dates have if there is one, else the first of each.

    Returns:
        The phases; None for a date without a readable image.
    """
    readable = [study.content.phases for study in studies]
    common = [phase for phase in GRID_ORDER if all(phase in paths for paths in readable)]
    if common:
        return [common[0]] * len(readable)
    return [next((phase for phase in GRID_ORDER if phase in paths), None) for paths in readable]


def _register(
    latest: Study,
    earlier: Study,
    phases: tuple[str, str],
    shift: NDArray[np.float64],
    settings: Mapping[str, Any],
) -> tuple[Alignment, Grid]:
    fixed, moving = (study.scans.read(phase) for study, phase in zip((latest, earlier), phases, strict=True))
    affine = moving.affine.copy()
    affine[:3, 3] -= shift
    target = make_liver_target(fixed, latest, float(settings["spacing"]))
    shifted = Volume(moving.voxels, affine)
    return (
        align_pair(target, shifted, method=str(settings["register"]), limit_s=float(settings["limit_s"])),
        target.lattice,
    )


def make_liver_target(fixed: Volume, study: Study, spacing: float) -> Target:
    """Prepare the fixed image: the neighbourhood of the liver that the result shows."""
    whole = make_lattice(fixed, spacing)
    near = sample_mask(study, study.content.liver, whole) > 0
    near = binary_dilation(near, iterations=round(NEAR_MM / spacing)) if near.any() else np.ones_like(near)
    marked, reach = np.argwhere(near), round(MARGIN_MM / spacing)
    low = np.maximum(marked.min(0) - reach, 0)
    high = np.minimum(marked.max(0) + reach + 1, whole.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    hu = fixed.resample(whole.crop(box), antialias=True, outside=None)
    return Target(whole.crop(box), np.clip(hu, *CLIP_HU), near[box])


def sample_mask(
    study: Study, voxels: NDArray[Any], grid: Grid, alignment: StudyAlignment = REFERENCE
) -> NDArray[np.uint16]:
    """Sample labels of a date on a grid of the latest date, by the nearest voxel; 0 outside.

    Args:
        study: the date.
        voxels: (X, Y, Z) labels on the date's cropped volume.
        grid: grid in space of the latest date.
        alignment: of the date.
    """
    index = to_index(study.content.affine, alignment.map_points(grid.points()))
    nearest = np.rint(index).astype(np.intp)
    inside = ((nearest >= 0) & (nearest < np.reshape(voxels.shape, (3, 1)))).all(axis=0)
    values = np.zeros(nearest.shape[1], np.uint16)
    values[inside] = voxels[tuple(nearest[:, inside])]
    return values.reshape(grid.shape)


def find_liver_shift(latest: Study, earlier: Study) -> NDArray[np.float64]:
    """Find the shift (3,) mm from the latest to the earlier date with which the livers agree best.

    Inside a field of view a voxel is +1 (liver) or -1 (no liver), outside it 0. The shift with the largest
    sum of products is chosen, so a liver that one scan shows in part is placed correctly.
    """
    maps, origins = [], []
    for study in (latest, earlier):
        grid = _make_isotropic_grid(study)
        signed = np.where(sample_mask(study, study.content.liver, grid) > 0, 1.0, -1.0)
        signed[~study.grid.contains(grid.points()).reshape(grid.shape)] = 0
        maps.append(signed)
        origins.append(grid.affine[:3, 3])
    agreement = fftconvolve(maps[1], maps[0][::-1, ::-1, ::-1], mode="full")
    best = np.array(np.unravel_index(int(agreement.argmax()), agreement.shape))
    steps = best - (np.array(maps[0].shape) - 1)
    return origins[1] - origins[0] + steps * COARSE_MM


def _make_isotropic_grid(study: Study) -> Grid:
    """Make a coarse RAS grid over the date's cropped volume."""
    return make_lattice(Volume(study.content.liver, study.content.affine), COARSE_MM)


def compute_liver_dice(latest: Study, earlier: Study, alignment: StudyAlignment) -> float:
    """Compute the Dice of the livers inside both fields of view; 0 if a date has no liver there."""
    grid = _make_isotropic_grid(latest)
    points = grid.points()
    both = latest.grid.contains(points) & earlier.grid.contains(alignment.map_points(points))
    first = (sample_mask(latest, latest.content.liver, grid) > 0).ravel() & both
    second = (sample_mask(earlier, earlier.content.liver, grid, alignment) > 0).ravel() & both
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 0.0
