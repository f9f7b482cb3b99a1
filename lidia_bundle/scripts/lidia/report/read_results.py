"""Read the result files of a patient, and the truth from the datalist."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scripts.lidia.components import compute_union_box, find_bounding_box
from scripts.lidia.data.phase_sampling import list_phase_sources
from scripts.lidia.geometry.grid import crop_affine
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.inference.result_files import VOLUMES, is_finished, result_files
from scripts.lidia.metrics.lesion_matching import LesionMap, find_lesions, match_lesions
from scripts.lidia.metrics.patient_auc import PRESENT_MM3, sum_true_volumes
from scripts.lidia.vocabulary import LESION_TYPES

MARGIN_MM = 40.0
"""Margin around liver and lesions to which volumes are cut."""


class Patient(NamedTuple):
    """Results of one patient, with images and truth if known; volumes are (X, Y, Z) in RAS order.

    Volumes are cut to a box around liver and lesions.

    Attributes:
        result: content of `ID.json`.
        phases: phase -> path of its volume, or the volume, see `list_phase_sources`; empty if the patient is
            not in the datalist.
        affine: voxel indices of the box -> RAS mm.
        predicted: predicted lesions.
        liver: predicted liver.
        truth: true lesions, None without a label.
        malignant: instance -> whether a lesion of type `others` is malignant, where the datalist has it.
        first: the box's first slice on the results' grid.
    """

    result: dict[str, Any]
    phases: dict[str, str | Volume]
    affine: np.ndarray
    predicted: LesionMap
    liver: np.ndarray
    truth: LesionMap | None
    malignant: dict[str, bool]
    first: int = 0

    @property
    def spacing(self) -> list[float]:
        """Voxel size in mm along X, Y, Z."""
        sizes: list[float] = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return sizes


def find_finished(folder: str | Path) -> list[str]:
    """Find the ids of the patients with complete results in a folder, sorted."""
    cases = (path.name.removesuffix(".json") for path in Path(folder).glob("*.json"))
    return sorted(case for case in cases if is_finished(folder, case))


def read_patient(folder: str | Path, case: str, item: Mapping[str, Any] | None = None) -> Patient:
    """Read one patient's four result files and, with a datalist item, image paths and truth.

    Raises:
        FileNotFoundError: if a result file is missing.
        ValueError: see `make_patient`.
    """
    files = result_files(folder, case)
    result = json.loads(files["result"].read_text(encoding="utf-8"))
    images = {name: nib.load(files[name]) for name in VOLUMES}
    volumes = {name: np.asarray(image.dataobj) for name, image in images.items()}
    return make_patient(result, volumes, images["instances"].affine, item)


def make_patient(
    result: Mapping[str, Any],
    labels: Mapping[str, np.ndarray],
    native: np.ndarray,
    item: Mapping[str, Any] | None = None,
) -> Patient:
    """Make a patient of results and, where a datalist item is given, read the truth.

    Args:
        result: content of `ID.json`.
        labels: `lesions`, `instances` and `liver`, (X, Y, Z) each.
        native: (4, 4) of their grid, voxel indices to RAS mm.
        item: the patient's item of the datalist.

    Raises:
        ValueError: if the result and the instance map name different lesions, or the label has another grid.
    """
    case, item = result["id"], item or {}
    volumes = {name: _turn_to_ras(nib.Nifti1Image(voxels, native)) for name, voxels in labels.items()}
    numbers, affine = volumes["instances"]
    masks = [volumes["liver"][0], numbers]
    if item.get("label"):
        label, label_affine = _turn_to_ras(nib.load(item["label"]))
        if label.shape != numbers.shape or not np.allclose(label_affine, affine, atol=1e-3):
            raise ValueError(f"{case}: the label {item['label']} and the results have different grids.")
        label = np.where(label == item.get("ignore", -1), 0, label)
        masks.append(label)
    spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    box = find_box_with_margin(masks, spacing, MARGIN_MM)
    predicted = find_lesions(volumes["lesions"][0][box], spacing, numbers[box], smallest_mm3=0.0)
    if {lesion.number for lesion in predicted.lesions} != {int(row["instance"]) for row in result["lesions"]}:
        raise ValueError(f"{case}.json and {case}_instances.nii.gz name different lesions.")
    truth = None
    if item.get("label"):
        instances = _turn_to_ras(nib.load(item["instances"]))[0][box] if item.get("instances") else None
        truth = find_lesions(label[box], spacing, instances)
    phases, flags = list_phase_sources(item), dict(item.get("malignant") or {})
    liver = volumes["liver"][0][box] > 0
    return Patient(
        dict(result), phases, crop_affine(affine, box), predicted, liver, truth, flags, int(box[2].start)
    )


def _turn_to_ras(image: nib.Nifti1Image) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels to RAS by flips and swaps only; return them and their affine."""
    turned = nib.as_closest_canonical(image)
    return np.asarray(turned.dataobj), turned.affine


def find_box_with_margin(
    volumes: Sequence[np.ndarray], spacing: Sequence[float], margin: float
) -> tuple[slice, ...]:
    """Find the box around all positive voxels with a margin in mm; the whole volume if there are none."""
    boxes = [box for volume in volumes if (box := find_bounding_box(volume)) is not None]
    if not boxes:
        return tuple(slice(0, size) for size in volumes[0].shape)
    return tuple(
        slice(max(side.start - round(margin / mm), 0), min(side.stop + round(margin / mm), size))
        for side, mm, size in zip(compute_union_box(boxes), spacing, volumes[0].shape, strict=True)
    )


def read_truth(patient: Patient) -> dict[str, bool] | None:
    """Read which types and groups the patient has, by the rule of the metrics; None without a label."""
    if patient.truth is None:
        return None
    volumes = sum_true_volumes(patient.truth.lesions, patient.malignant)
    return {name: volumes[name] > PRESENT_MM3 for name in (*LESION_TYPES, "malignant", "benign")}


def match_true_lesions(patient: Patient) -> dict[int, int]:
    """Match predicted lesion numbers to true lesion numbers, by the rule of the metrics."""
    if patient.truth is None:
        return {}
    match = match_lesions(patient.predicted, patient.truth, counted_mm3=0.0)
    return {guess.lesion.number: guess.best for guess in match.predictions if guess.kind}
