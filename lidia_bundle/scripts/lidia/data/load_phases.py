"""Loads the phases and masks of a case, and selects the phase whose grid all of them will have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from scripts.lidia.data.annotation import Annotation, read_annotation, read_liver, resample_to_grid
from scripts.lidia.data.compact_scan import compact_scan
from scripts.lidia.data.map_in_threads import map_in_threads
from scripts.lidia.data.read_volume import HU, Volume, read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.geometry.grid import (
    Grid,
    compute_coverage,
    is_same_grid,
    orthogonalize_affine,
    sample_grid_points,
    to_mm,
)
from scripts.lidia.geometry.resample import resample
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

Labels = Literal["network", "native"] | None


class LoadPhases(Transform):
    """Loads all phases of an item and its masks.

    The item is an item of a datalist, or MONAI Label's `{"image": path}`. The result holds

    - `image`: MetaTensor (1, X, Y, Z), HU, the reference phase on its own grid;
    - `phases`: `{phase: MetaTensor (1, X, Y, Z)}`, the other phases, each on its own grid;
    - `drawing`: the `Annotation` of a labelled case, if `labels` asks for it;
    - `liver`: MetaTensor (1, X, Y, Z) of 0 and 1 on the reference grid, if a case without label has a liver
      mask;
    - `scans`: `{phase: geometry.volume.Volume}`, the whole phases in HU, with `keep_scans`;
    - `id`, `grid_phase`, `phases_used` and `warnings` (lists of str), `malignant` (`{instance: bool}`).

    It does not use LoadImaged: MONAI Label would wrap it, and its readers accept some damaged files.

    Args:
        labels: None for inference; "network" or "native" if the case must be labelled.
        outside: what to do with a phase that misses half of the liver (or volume): "error", or "drop" it.
        check_hu: see `read_phase`.
        min_lesion_mm3: see `read_annotation`.
        keep_scans: keep the phases as they were read, for steps after the network; not in a worker process,
            which would have to send them.
    """

    def __init__(
        self,
        labels: Labels = None,
        outside: Literal["error", "drop"] = "error",
        check_hu: bool = True,
        min_lesion_mm3: float = 25.0,
        keep_scans: bool = False,
    ) -> None:
        self.labels = labels
        self.outside = outside
        self.check_hu = check_hu
        self.min_lesion_mm3 = min_lesion_mm3
        self.keep_scans = keep_scans

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Loads one item.

        Raises:
            CaseError: if a file is missing or invalid.
        """
        item = complete_item(data, Path.cwd())
        case, paths = item["id"], item["phases"]
        remarks: list[CaseError] = []
        read = partial(read_phase, case=case, check_hu=self.check_hu)
        volumes: dict[str, Volume] = dict(zip(paths, map_in_threads(read, paths.values()), strict=True))
        for volume in volumes.values():
            remarks += volume[2]
        annotation = None
        if self.labels:
            annotation = read_annotation(item, self.min_lesion_mm3 if self.labels == "network" else 0.0)
            remarks += annotation.remarks
        reference, image = self._select_reference(volumes, annotation, case, remarks)
        if annotation is not None:
            remarks += annotation.check(image, case, paths[reference])
        # the liver of a labelled case is ground truth: it must not help the evaluated system
        has_liver_mask = "label" not in item and isinstance(item.get("liver"), str)
        liver = read_liver(item) if has_liver_mask else None
        region = sample_liver_points(annotation, liver)
        used = {reference: image}
        for phase in paths:
            if phase != reference and self._check_overlap(
                volumes[phase], image, region, item, phase, remarks
            ):
                used[phase] = to_meta_tensor(volumes[phase], case)
        if "venous" not in used:
            problem = f"no venous phase: the grid is that of the {reference} phase"
            remarks.append(CaseError(case, paths[reference], problem, "", "no_venous", "warning"))
        # keys that are read here are replaced by tensors; other keys of a server's item are passed on
        rest = {k: v for k, v in data.items() if "image" in data and k not in CONSUMED}
        rest.update(
            id=case,
            image=used.pop(reference),
            phases=used,
            grid_phase=reference,
            phases_used=[p for p in PHASES if p == reference or p in used],
            warnings=[f"{Path(r.file).name}: {r.problem}" for r in remarks],
            malignant={str(k): bool(v) for k, v in (item.get("malignant") or {}).items()},
        )
        if self.keep_scans and get_worker_info() is None:
            rest["scans"] = {phase: compact_scan(*volume[:2]) for phase, volume in volumes.items()}
        if annotation is not None:
            rest["drawing"] = annotation
        if liver is not None:
            rest["liver"] = resample_to_grid(liver, image)
        return rest

    def _select_reference(
        self, volumes: dict[str, Volume], annotation: Annotation | None, case: str, remarks: list[CaseError]
    ) -> tuple[str, MetaTensor]:
        """Selects the reference phase; without a venous phase, the phase on the grid of the annotation.

        Returns:
            Name and volume of the reference phase. If no phase has the grid of the annotation, the first
            phase in GRID_ORDER is resampled to that grid.
        """
        present = [phase for phase in GRID_ORDER if phase in volumes]
        if annotation is None or "venous" in volumes:
            return present[0], to_meta_tensor(volumes[present[0]], case)
        affine, shape = annotation.classes.affine.numpy(), annotation.classes.shape[1:]
        for phase in present:
            if is_same_grid(affine, shape, volumes[phase][1], volumes[phase][0].shape):
                return phase, to_meta_tensor(volumes[phase], case)
        volume = to_meta_tensor(volumes[present[0]], case)
        resampled = resample(volume, Grid(affine, tuple(shape)), outside=HU[0]).numpy()[0]
        problem = f"the {present[0]} phase was resampled to the grid of the label"
        remarks.append(CaseError(case, "label", problem, "", "label_grid", "warning"))
        return present[0], to_meta_tensor((resampled, affine, []), case)

    def _check_overlap(
        self,
        volume: Volume,
        image: MetaTensor,
        region: NDArray[np.float64] | None,
        item: Mapping[str, Any],
        phase: str,
        remarks: list[CaseError],
    ) -> bool:
        """Returns whether a phase shows at least half of the liver (or volume); adds a remark otherwise.

        Raises:
            CaseError: if it shows less than half and may not be dropped.
        """
        case, path = item["id"], item["phases"][phase]
        share, fault = measure_overlap(volume, image, region, case=case, path=path, phase=phase)
        if fault is not None and fault.severity == "error":
            if self.outside == "error":
                raise fault
            fault = CaseError(
                case, path, f"{fault.problem} and was left out", "", "little_overlap", "warning"
            )
        remarks += [] if fault is None else [fault]
        return share >= 0.5


def measure_overlap(
    volume: Volume,
    image: MetaTensor,
    region: NDArray[np.float64] | None,
    *,
    case: str,
    path: str,
    phase: str,
) -> tuple[float, CaseError | None]:
    """Measures which share of the liver, or of the reference volume, a phase shows.

    Args:
        volume: of the phase.
        image: (1, X, Y, Z) of the reference phase.
        region: (3, N) points of the liver in RAS mm; None if the liver is not annotated.
        case: id of the case.
        path: file of the phase.
        phase: its name.

    Returns:
        Share of the liver in the phase, or else of the smaller of the two volumes; an error if the share is
        below 0.5, a warning if less than 0.9 of the reference is in the phase.
    """
    voxels, affine, _ = volume
    grid = image.affine.numpy(), tuple(image.shape[1:])
    points = sample_grid_points(*grid) if region is None else region
    shown_share = compute_coverage(points, affine, voxels.shape)
    share = shown_share
    if region is None:
        share = max(shown_share, compute_coverage(sample_grid_points(affine, voxels.shape), *grid))
    what = "volume" if region is None else "liver"
    problem = f"the {phase} phase shows {shown_share:.0%} of the reference {what}"
    if share < 0.5:
        remedy = "check the affines (LPS or RAS?), or remove the phase from the list"
        return share, CaseError(case, path, problem, remedy, "no_overlap")
    if shown_share < 0.9:
        return share, CaseError(case, path, problem, "", "little_overlap", "warning")
    return share, None


CONSUMED = frozenset((
    "image",
    "phases",
    "label",
    "liver",
    "instances",
    "lesions",
    "id",
    "malignant",
    "phases_used",
    "warnings",
))


def to_meta_tensor(volume: Volume, case: str) -> MetaTensor:
    """Converts a volume to a MetaTensor (1, X, Y, Z) with its affine."""
    voxels, affine, _ = volume
    matrix = torch.as_tensor(orthogonalize_affine(affine))
    meta = {
        # the id, not the path: Spacingd treats names in .nii as MONAI Label's old metadata keys
        "filename_or_obj": case,
        "original_affine": torch.as_tensor(np.array(affine), dtype=torch.float64),
        "spatial_shape": np.asarray(voxels.shape),  # as MONAI's readers do: MONAI Label compares it by numpy
        "space": "RAS",
    }
    return MetaTensor(torch.as_tensor(voxels)[None], affine=matrix, meta=meta)


def sample_liver_points(
    annotation: Annotation | None, liver: MetaTensor | None
) -> NDArray[np.float64] | None:
    """Returns up to about 8000 points (3, N) of the liver in RAS mm; None if the liver is not annotated."""
    mask = annotation.classes if annotation is not None else liver
    if mask is None:
        return None
    index = np.argwhere(mask[0].numpy() != 0).T.astype(np.float64)
    index = index[:, :: max(1, index.shape[1] // 4000)]
    return to_mm(mask.affine.numpy(), index) if index.shape[1] else None
