"""Checks one patient of a datalist: collects all faults of the files and measures their content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scripts.lidia.data.annotation import Annotation, read_annotation, read_liver
from scripts.lidia.data.load_phases import measure_overlap, sample_liver_points, to_meta_tensor
from scripts.lidia.data.phase_order import find_phase_disorder, measure_liver_hu
from scripts.lidia.data.read_volume import Volume, read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_item
from scripts.lidia.inference.case_evaluator import to_case_error
from scripts.lidia.inference.input_checks import LIVER_ML
from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.postprocess.liver_region import compute_liver_region
from scripts.lidia.runtime.weights import hash_file
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, GRID_ORDER, LIVER


class PatientCheck(NamedTuple):
    """Result of the check of one patient; all values can be written as JSON."""

    faults: list[dict[str, str]]
    """Entries of `errors.json`."""
    measurements: dict[str, Any]
    """`phases`, and with a label also `liver_ml` and `lesions`."""
    digests: dict[str, str]
    """SHA-256 of each phase's file by path; DICOM folders are left out."""


def check_patient(item: Mapping[str, Any], *, voxels: bool = True) -> PatientCheck:
    """Checks one patient and continues after a fault.

    Args:
        item: completed item of a datalist.
        voxels: reads the volumes; False checks only the headers.
    """
    faults = check_item(item)
    measurements: dict[str, Any] = {"phases": {phase: {} for phase in item["phases"]}}
    digests: dict[str, str] = {}
    if voxels:
        broken = {fault.file for fault in faults if fault.severity == "error"}
        reader = _Reading(item, faults)
        volumes = {
            phase: volume
            for phase, path in item["phases"].items()
            if path not in broken and (volume := reader.read(read_phase, path, item["id"])) is not None
        }
        digests = {path: hash_file(path) for path in item["phases"].values() if Path(path).is_file()}
        measurements["phases"] |= {phase: _describe(volume) for phase, volume in volumes.items()}
        measurements |= reader.read(reader.check_masks, volumes) or {}
    return PatientCheck([fault.as_dict() for fault in _remove_duplicates(faults)], measurements, digests)


class _Reading:
    """Reads the files of one patient and collects their faults."""

    def __init__(self, item: Mapping[str, Any], faults: list[CaseError]) -> None:
        self.item, self.faults = item, faults

    def read(self, reader: Any, *args: Any) -> Any:
        """Returns the result of the reader, or None if it fails; collects faults and warnings."""
        try:
            result = reader(*args)
        except Exception as problem:
            self.faults.append(to_case_error(problem, self.item))
            return None
        if isinstance(result, Annotation):
            self.faults += result.remarks
        elif isinstance(result, tuple):
            self.faults += result[2]
        return result

    def check_masks(self, volumes: Mapping[str, Volume]) -> dict[str, Any]:
        """Checks label and liver against the phases, and the phases against one another."""
        item = self.item
        annotation = self.read(read_annotation, item, 0.0) if isinstance(item.get("label"), str) else None
        liver = None
        if annotation is None and isinstance(item.get("liver"), str):
            liver = self.read(read_liver, item)
        points = sample_liver_points(annotation, liver)
        reference = next((phase for phase in GRID_ORDER if phase in volumes), None)
        if reference is None:
            return {}
        image = to_meta_tensor(volumes[reference], item["id"])
        for phase, volume in volumes.items():
            if phase != reference:
                path = item["phases"][phase]
                _, fault = measure_overlap(volume, image, points, case=item["id"], path=path, phase=phase)
                self.faults += [] if fault is None else [fault]
        measurements: dict[str, Any] = {}
        if points is not None:
            medians = {
                phase: measure_liver_hu(voxels, affine, points)
                for phase, (voxels, affine, _) in volumes.items()
            }
            levels = {phase: value for phase, value in medians.items() if value is not None}
            measurements["liver_hu"] = {phase: round(value) for phase, value in levels.items()}
            disorder = find_phase_disorder(levels)
            if disorder is not None:
                remedy = "check whether phases are swapped"
                self.warn(item["phases"][reference], disorder, remedy, "phase_order")
        if annotation is not None:
            try:
                self.faults += annotation.check(image, item["id"], item["phases"][reference])
            except CaseError as fault:
                self.faults.append(fault)
            measurements |= self.measure_annotation(annotation)
        return measurements

    def measure_annotation(self, annotation: Annotation) -> dict[str, Any]:
        """Returns the volume of the liver and the lesions by type; adds warnings about implausible values."""
        classes, instances = annotation.classes.numpy()
        spacing = np.linalg.norm(annotation.classes.affine.numpy()[:3, :3], axis=0).tolist()
        inside = compute_liver_region(classes, spacing)
        lesions, outside = dict.fromkeys(CLASSES[FIRST_LESION:], 0), 0
        matches = find_lesions(classes, spacing, instances, smallest_mm3=0.0)
        for lesion in matches.lesions:
            box = lesion.component.box
            lesions[CLASSES[lesion.kind]] += 1
            outside += not (inside[box] & (matches.numbers[box] == lesion.number)).any()
        if outside:
            problem = f"{outside} lesions lie outside the liver"
            remedy = "check them: LiverMax ignores lesions outside the liver"
            self.warn(annotation.file, problem, remedy, "outside_liver")
        millilitres = float((classes >= LIVER).sum() * np.prod(spacing) / 1000)
        if not LIVER_ML[0] <= millilitres <= LIVER_ML[1]:
            problem = f"the volume of liver and lesions is {millilitres:.0f} ml"
            remedy = "check that the liver is complete and that the spacing is right"
            self.warn(annotation.file, problem, remedy, "liver_volume")
        return {"liver_ml": round(millilitres), "lesions": {k: n for k, n in lesions.items() if n}}

    def warn(self, file: str, problem: str, remedy: str, code: str) -> None:
        """Adds a warning."""
        self.faults.append(CaseError(self.item["id"], file, problem, remedy, code, "warning"))


def _describe(volume: Volume) -> dict[str, Any]:
    voxels, affine, _ = volume
    low, middle, high = np.percentile(voxels[::2, ::2, ::2], (0.5, 50, 99.5)).round().astype(int).tolist()
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return {
        "shape": list(voxels.shape),
        "spacing_mm": [round(float(size), 3) for size in spacing],
        "orientation": "".join(nib.aff2axcodes(affine)),
        "hu": [low, middle, high],
    }


def _remove_duplicates(faults: list[CaseError]) -> list[CaseError]:
    """Removes faults that both the header check and the reader report."""
    unique: dict[tuple[str, ...], CaseError] = {}
    for fault in faults:
        unique.setdefault((fault.file, fault.code, fault.problem), fault)
    return list(unique.values())
