"""Measure the LI-RADS evidence of each lesion of a patient in the scans, before the results are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from scripts.lidia.components import Component, compute_union_box, measure_components
from scripts.lidia.data.phase_sampling import list_phase_sources, read_phase_crop, resample_hu
from scripts.lidia.geometry.grid import Grid, crop_affine
from scripts.lidia.geometry.volume import Volume
from scripts.lidia.inference.case_evaluator import note_failure
from scripts.lidia.inference.result_files import native_affine
from scripts.lidia.morphometry.lesion_zones import expand_box
from scripts.lidia.morphometry.lirads_category import suggest_category
from scripts.lidia.morphometry.lirads_features import measure_lirads
from scripts.lidia.morphometry.lirads_thresholds import SOURCE, LiradsThresholds
from scripts.lidia.morphometry.type_contradictions import describe_contradictions, find_contradictions
from scripts.lidia.postprocess.diagnosis import Diagnosis

FINEST_MM = (0.8, 1.6)
"""Limits of the voxel size of the measurement; a scan that is finer is sampled at every n-th voxel."""
STEPS_PER_DIAMETER = 16.0
NOTE = "Measured features for a radiologist to judge. LI-RADS applies only to patients at risk of HCC."


class MeasureLirads:
    """Handler that adds the LI-RADS evidence to each lesion of `result`; it must stand before `WriteResults`.

    Args:
        at_risk: whether the patients are at risk of HCC, to whom alone LI-RADS applies: each lesion then
            gets a suggested category.
        **limits: thresholds, see `LiradsThresholds`.
    """

    def __init__(self, *, at_risk: bool = False, **limits: Any) -> None:
        self.at_risk, self.limits = at_risk, LiradsThresholds(**limits)

    def attach(self, engine: Engine) -> None:
        """Measures after each patient."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Measures the lesions of the batch."""
        for data, output in zip(engine.state.batch, engine.state.output, strict=True):
            try:
                output["result"] = self.measure({**data, **output})
            except Exception as problem:  # the other results do not depend on these measurements
                note_failure(engine, problem, data["id"])

    def measure(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Measures the lesions of one patient.

        Args:
            data: result of `postprocessing`, with the patient's `item` of the datalist.

        Returns:
            `result` with `lirads`, also in each lesion, and a warning of lesions whose
            enhancement contradicts their type.
        """
        result: dict[str, Any] = dict(data["result"])
        sources = {
            phase: source
            for phase, source in list_phase_sources(data.get("item") or {}).items()
            if phase in result["phases_used"]
        }
        affine = native_affine(data["pred"])
        evidence = measure_patient(
            data["diagnosis"], affine, result["lesions"], sources, result["id"], self.limits
        )
        lesions = []
        for record in result["lesions"]:
            entry = evidence[record["instance"]]
            entry["contradictions"] = find_contradictions(entry, record["type"], self.limits)
            if self.at_risk:
                entry = {**entry, "suggestion": suggest_category(entry, record["type"])}
            lesions.append({**record, "lirads": entry})
        about = {
            "definitions": SOURCE,
            "at_risk": self.at_risk,
            "note": NOTE,
            "limits": self.limits._asdict(),
        }
        warnings = [*result.get("warnings", ()), *describe_contradictions(lesions)]
        return {**result, "lesions": lesions, "lirads": about, "warnings": warnings}


def measure_patient(
    diagnosis: Diagnosis,
    affine: NDArray[np.float64],
    records: Sequence[Mapping[str, Any]],
    sources: Mapping[str, str | Volume],
    case: str,
    limits: LiradsThresholds | None = None,
) -> dict[int, dict[str, Any]]:
    """Measures the LI-RADS evidence of a patient's lesions.

    Args:
        diagnosis: masks on the native grid.
        affine: (4, 4) of that grid, RAS mm.
        records: lesions of `ID.json`.
        sources: NIfTI file, DICOM folder, or the phase in memory, by phase.
        case: id of the patient, for messages.
        limits: thresholds.

    Returns:
        Evidence by number of the lesion, see `measure_lirads`.
    """
    masks = Volume(diagnosis.instances, affine)
    spacing = masks.spacing.tolist()
    components = {part.instance: part for part in measure_components(diagnosis.instances, spacing)}
    if not components:
        return {}
    boxes = {number: expand_box(part.box, spacing, masks.shape) for number, part in components.items()}
    region = masks.grid.crop(compute_union_box(boxes.values())).corners()
    scans = {phase: read_phase_crop(source, case, region) for phase, source in sources.items()}
    evidence = {}
    for record in records:
        number = int(record["instance"])
        box, stride = boxes[number], _choose_stride(components[number], spacing, record["diameter_mm"])
        grid, view = _thin_out(affine, box, stride)
        lesions = diagnosis.instances[view]
        hu = {phase: resample_hu(scan, grid, outside=np.nan) for phase, scan in scans.items()}
        evidence[number] = measure_lirads(
            hu,
            lesions == number,
            lesions,
            diagnosis.liver[view],
            grid.spacing.tolist(),
            diameter_mm=record["diameter_mm"],
            limits=limits,
        )
    return evidence


def _choose_stride(part: Component, spacing: Sequence[float], diameter_mm: float) -> list[int]:
    """Chooses every n-th voxel along each axis; at least one voxel of the lesion is on the grid."""
    finest = float(np.clip(diameter_mm / STEPS_PER_DIAMETER, *FINEST_MM))
    sides = [side.stop - side.start for side in part.box]
    return [min(max(1, int(finest / step)), size) for step, size in zip(spacing, sides, strict=True)]


def _thin_out(
    affine: NDArray[np.float64], box: Sequence[slice], stride: Sequence[int]
) -> tuple[Grid, tuple[slice, ...]]:
    """Makes the grid of every n-th voxel of a box, and the view of a volume on it."""
    view = tuple(slice(side.start, side.stop, step) for side, step in zip(box, stride, strict=True))
    shape = tuple(len(range(side.start, side.stop, side.step)) for side in view)
    return Grid(crop_affine(affine, box) @ np.diag([*map(float, stride), 1.0]), shape), view
