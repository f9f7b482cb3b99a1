"""Reads the annotation of a case: classes and instances, on its own grid or on another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from scripts.lidia.components import is_smaller, label_components, measure_components
from scripts.lidia.data.read_volume import read_mask
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.grid import Grid, compute_coverage, is_same_grid, to_mm
from scripts.lidia.geometry.resample import resample
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, IGNORED, LIVER

MAX_INSTANCES = np.iinfo(np.int16).max


@dataclass
class Annotation:
    """Classes and lesion instances as annotated.

    Args:
        classes: (2, X, Y, Z) float32 on the annotation's grid: class 0..9 (-1 ignored), instance (0 none).
        file: file of the classes.
        remarks: warnings about corrections.
    """

    classes: MetaTensor
    file: str
    remarks: list[CaseError] = field(default_factory=list)

    def check(self, image: MetaTensor, case: str, path: str) -> list[CaseError]:
        """Checks that the annotation lies within the reference volume.

        Args:
            image: (1, X, Y, Z) reference volume.
            case: id of the case.
            path: file of the reference volume.

        Returns:
            A warning if the two grids differ (the annotation is then resampled).

        Raises:
            CaseError: if more than 1 % of the annotation lies outside the reference volume, or its header
                has lost the affine.
        """
        affine, shape = self.classes.affine.numpy(), self.classes.shape[1:]
        has_identity, image_has_identity = (
            np.allclose(np.abs(matrix), np.eye(4)) for matrix in (affine, image.affine.numpy())
        )
        if has_identity and not image_has_identity and tuple(shape) == tuple(image.shape[1:]):
            problem = f"it has as many voxels as {path}, but 1 mm ones that begin at 0: its header was lost"
            remedy = "write the mask with the affine of its image"
            raise CaseError(case, self.file, problem, remedy, "lost_header")
        index = np.argwhere(self.classes[0].numpy() > 0).T.astype(np.float64)
        inside = compute_coverage(
            to_mm(self.classes.affine.numpy(), index), image.affine.numpy(), image.shape[1:]
        )
        if inside < 0.99:
            problem = f"only {inside:.1%} of the annotated voxels lie in the reference volume {path}"
            remedy = "check the label's affine (was its header lost?)"
            raise CaseError(case, self.file, problem, remedy, "label_outside")
        if is_same_grid(
            self.classes.affine.numpy(), self.classes.shape[1:], image.affine.numpy(), image.shape[1:]
        ):
            return []
        problem = "the label has another grid than the reference phase and was resampled"
        return [CaseError(case, self.file, problem, "", "label_grid", "warning")]


def read_annotation(item: Mapping[str, Any], min_lesion_mm3: float) -> Annotation:
    """Reads label, liver and instances of a case.

    Args:
        item: completed item of a datalist. `label` has priority over `liver`; the value that
            `ignore` names becomes `IGNORED`.
        min_lesion_mm3: lesions below this volume become `IGNORED`; 0 keeps all.

    Returns:
        The annotation; without `instances`, lesions are connected components (26) of one class.

    Raises:
        CaseError: if there is no label or no liver, or if the maps do not match.
    """
    case = item["id"]
    if not isinstance(item.get("label"), str):
        raise CaseError(
            case, "", "the case has no label", "add a label, or remove the case from the list", "no_label"
        )
    file = item["label"]
    ignored_values = (item["ignore"],) if "ignore" in item else ()
    classes, affine, remarks = read_mask(file, case, len(CLASSES) - 1, also=ignored_values)
    classes[np.isin(classes, ignored_values)] = IGNORED
    grid = MetaTensor(torch.as_tensor(classes)[None], affine=torch.as_tensor(affine))
    if isinstance(item.get("liver"), str):
        liver = resample_to_grid(read_liver(item), grid).numpy()[0]
        classes[(classes == 0) & (liver > 0)] = LIVER
    if isinstance(item.get("ignored"), str):
        voxels, mask_affine, _ = read_mask(item["ignored"], case, 1, binary=True)
        mask = MetaTensor(torch.as_tensor(voxels)[None], affine=torch.as_tensor(mask_affine))
        classes[resample_to_grid(mask, grid).numpy()[0] > 0] = IGNORED
    if not (classes == LIVER).any():
        problem = "the label has no liver (class 1) and no liver mask is given"
        remedy = 'add class 1 to the label, or a "liver" mask to the datalist'
        raise CaseError(case, file, problem, remedy, "no_liver")
    lesion = classes >= FIRST_LESION
    if isinstance(item.get("instances"), str):
        instances, instance_remarks = _read_instances(item, grid, lesion)
        remarks = remarks + instance_remarks
    else:
        instances = label_components(np.where(lesion, classes, 0)).astype(np.int64)
    if instances.max(initial=0) > MAX_INSTANCES:
        raise CaseError(case, file, "more than 32767 lesions", "check the label", "bad_label")
    spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    small = [
        c.instance for c in measure_components(instances, spacing) if is_smaller(c.volume_mm3, min_lesion_mm3)
    ]
    if small:
        ignored = np.isin(instances, small)
        classes[ignored], instances[ignored] = IGNORED, 0
    both = torch.as_tensor(np.stack([classes, instances]).astype(np.float32))
    return Annotation(MetaTensor(both, affine=torch.as_tensor(affine)), file, list(remarks))


def read_liver(item: Mapping[str, Any]) -> MetaTensor:
    """Reads the liver mask of a completed item: (1, X, Y, Z) of 0 and 1 on its own grid.

    Raises:
        CaseError: if the mask cannot be read, or is empty.
    """
    voxels, affine, _ = read_mask(item["liver"], item["id"], 1, binary=True)
    if not voxels.any():
        raise CaseError(item["id"], item["liver"], "the liver mask is empty", "give another mask", "no_liver")
    return MetaTensor(torch.as_tensor(voxels)[None], affine=torch.as_tensor(affine))


def resample_to_grid(mask: MetaTensor, image: MetaTensor) -> MetaTensor:
    """Resamples a mask (C, X, Y, Z) to an image's grid by nearest neighbour, unless the grids are equal."""
    values = mask.as_tensor()
    if not is_same_grid(mask.affine.numpy(), mask.shape[1:], image.affine.numpy(), image.shape[1:]):
        values = resample(mask, Grid(image.affine.numpy(), image.shape[1:]), nearest=True, outside=0.0)
    metadata = {key: value for key, value in image.meta.items() if key != "affine"}
    return MetaTensor(values.to(torch.int16), affine=image.affine.clone(), meta=metadata)


def _read_instances(
    item: Mapping[str, Any], grid: MetaTensor, lesion: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], list[CaseError]]:
    """Reads the instance map; lesion voxels without an instance become new instances.

    Raises:
        CaseError: if it cannot be read, or has another grid than the label.
    """
    case, file = item["id"], item["instances"]
    values, affine, remarks = read_mask(file, case, MAX_INSTANCES)
    remarks = list(remarks)
    if not is_same_grid(affine, values.shape, grid.affine.numpy(), grid.shape[1:]):
        raise CaseError(case, file, "not on the grid of the label", "store both on one grid", "bad_instances")
    instances = np.where(lesion, values, 0).astype(np.int64)
    if (values[~lesion] > 0).any():
        problem = f"{int((values[~lesion] > 0).sum())} instance voxels are not lesion in the label; ignored"
        remarks.append(CaseError(case, file, problem, "", "bad_instances", "warning"))
    unassigned = lesion & (instances == 0)
    if unassigned.any():
        classes = grid.numpy()[0]
        new_instances = label_components(np.where(unassigned, classes, 0)).astype(np.int64)
        instances = np.where(unassigned, new_instances + instances.max(initial=0), instances)
        problem = f"{int(unassigned.sum())} lesion voxels had no instance: {int(new_instances.max())} new"
        remarks.append(CaseError(case, file, problem, "", "bad_instances", "warning"))
    return instances, remarks
