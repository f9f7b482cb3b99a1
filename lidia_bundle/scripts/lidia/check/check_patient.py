"""One patient of a datalist: every fault of his files, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scripts.lidia.data.load_phases import measure_overlap, sample_liver_points, to_meta_tensor
from scripts.lidia.data.phase_order import find_phase_disorder, liver_hu
from scripts.lidia.data.read_volume import Volume, read_phase
from scripts.lidia.data.targets import Annotation, read_annotation, read_liver
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_item
from scripts.lidia.inference.case_evaluator import to_case_error
from scripts.lidia.inference.input_checks import LIVER_ML
from scripts.lidia.metrics.lesion_matching import find_lesions
from scripts.lidia.postprocess.liver_region import liver_region
from scripts.lidia.runtime.weights import digest
from scripts.lidia.vocabulary import CLASSES, FIRST_LESION, GRID_ORDER, LIVER


class Seen(NamedTuple):
    """What a check found of one patient; all of it ready for JSON."""

    faults: list[dict[str, str]]
    """Entries of `errors.json`."""
    facts: dict[str, Any]
    """`phases`, and with a label `liver_ml` and `lesions`."""
    digests: dict[str, str]
    """SHA-256 of each phase's file by its path; DICOM folders have none."""


def check_patient(item: Mapping[str, Any], *, voxels: bool = True) -> Seen:
    """Checks one patient and goes on after a fault.

    Args:
        item: of a datalist, complete.
        voxels: reads the volumes; False leaves it at headers.
    """
    faults = check_item(item)
    facts: dict[str, Any] = {"phases": {phase: {} for phase in item["phases"]}}
    digests: dict[str, str] = {}
    if voxels:
        broken = {fault.file for fault in faults if fault.severity == "error"}
        found = _Reading(item, faults)
        volumes = {
            phase: volume
            for phase, path in item["phases"].items()
            if path not in broken and (volume := found.read(read_phase, path, item["id"])) is not None
        }
        digests = {path: digest(path) for path in item["phases"].values() if Path(path).is_file()}
        facts["phases"] |= {phase: _describe(volume) for phase, volume in volumes.items()}
        facts |= found.read(found.masks, volumes) or {}
    return Seen([fault.as_dict() for fault in _once(faults)], facts, digests)


class _Reading:
    """Reads the files of one patient and collects what is wrong with them."""

    def __init__(self, item: Mapping[str, Any], faults: list[CaseError]) -> None:
        self.item, self.faults = item, faults

    def read(self, reader: Any, *args: Any) -> Any:
        """What the reader gives; None where it fails."""
        try:
            found = reader(*args)
        except Exception as problem:
            self.faults.append(to_case_error(problem, self.item))
            return None
        if isinstance(found, Annotation):
            self.faults += found.remarks
        elif isinstance(found, tuple):
            self.faults += found[2]
        return found

    def masks(self, volumes: Mapping[str, Volume]) -> dict[str, Any]:
        """Checks label and liver against the phases, and the phases against one another."""
        item = self.item
        drawing = self.read(read_annotation, item, 0.0) if isinstance(item.get("label"), str) else None
        liver = None
        if drawing is None and isinstance(item.get("liver"), str):
            liver = self.read(read_liver, item)
        points = sample_liver_points(drawing, liver)
        reference = next((phase for phase in GRID_ORDER if phase in volumes), None)
        if reference is None:
            return {}
        image = to_meta_tensor(volumes[reference], item["id"])
        for phase, volume in volumes.items():
            if phase != reference:
                path = item["phases"][phase]
                _, fault = measure_overlap(volume, image, points, case=item["id"], path=path, phase=phase)
                self.faults += [] if fault is None else [fault]
        told: dict[str, Any] = {}
        if points is not None:
            seen = {phase: liver_hu(voxels, affine, points) for phase, (voxels, affine, _) in volumes.items()}
            told["liver_hu"] = {phase: round(value) for phase, value in seen.items() if value is not None}
            wrong = find_phase_disorder({phase: value for phase, value in seen.items() if value is not None})
            if wrong is not None:
                self.warn(item["phases"][reference], wrong, "look whether phases are swapped", "phase_order")
        if drawing is not None:
            try:
                self.faults += drawing.check(image, item["id"], item["phases"][reference])
            except CaseError as fault:
                self.faults.append(fault)
            told |= self.drawn(drawing)
        return told

    def drawn(self, drawing: Annotation) -> dict[str, Any]:
        """Volume of the liver, lesions by type, and remarks on what looks wrong."""
        classes, instances = drawing.classes.numpy()
        spacing = np.linalg.norm(drawing.classes.affine.numpy()[:3, :3], axis=0).tolist()
        inside = liver_region(classes, spacing)
        lesions, outside = dict.fromkeys(CLASSES[FIRST_LESION:], 0), 0
        found = find_lesions(classes, spacing, instances, smallest_mm3=0.0)
        for lesion in found.lesions:
            box = lesion.part.box
            lesions[CLASSES[lesion.kind]] += 1
            outside += not (inside[box] & (found.numbers[box] == lesion.number)).any()
        if outside:
            problem = f"{outside} of the lesions lie outside the liver"
            remedy = "look at them: LiverMax does not see what lies outside"
            self.warn(drawing.file, problem, remedy, "outside_liver")
        millilitres = float((classes >= LIVER).sum() * np.prod(spacing) / 1000)
        if not LIVER_ML[0] <= millilitres <= LIVER_ML[1]:
            problem = f"liver and lesions have {millilitres:.0f} ml"
            remedy = "look whether the liver is whole, and at its spacing"
            self.warn(drawing.file, problem, remedy, "liver_volume")
        return {"liver_ml": round(millilitres), "lesions": {k: n for k, n in lesions.items() if n}}

    def warn(self, file: str, problem: str, remedy: str, code: str) -> None:
        """Adds a remark."""
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


def _once(faults: list[CaseError]) -> list[CaseError]:
    """The faults without those that were found by header and again by reading."""
    told: dict[tuple[str, ...], CaseError] = {}
    for fault in faults:
        told.setdefault((fault.file, fault.code, fault.problem), fault)
    return list(told.values())
