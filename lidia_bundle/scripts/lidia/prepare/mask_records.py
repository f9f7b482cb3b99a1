"""Makes the liver mask of one scan, measures and pictures it, and keeps the record for later runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lidia.atomic import write_json
from scripts.lidia.components import find_axial_axis
from scripts.lidia.data.read_volume import read_nifti, read_phase
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.liver_segmenter import SegmentedLiver
from scripts.lidia.inference.result_files import hash_input, write_volume
from scripts.lidia.phase_id.image_evidence import STEP_MM, compute_brightness_likelihood
from scripts.lidia.phase_id.organ_landmarks import find_landmarks
from scripts.lidia.prepare.mask_quality import measure_mask
from scripts.lidia.prepare.unlabelled_scans import Scan
from scripts.lidia.report.mask_pages import draw_mask
from scripts.lidia.vocabulary import PHASES

Segmenter = Callable[[str, str, Path], SegmentedLiver]
UNCERTAIN = 0.8
"""Probability of the most likely phase below which a phase that the image alone tells is a warning."""
MAX_LABELS = 64
"""Largest number of distinct whole values of a file that is taken for a mask or a label map."""


def mask_files(folder: Path, case: str) -> dict[str, Path]:
    """Returns the files of one scan: `mask`, `record` (written last) and `pictures`."""
    return {
        "mask": folder / "masks" / f"{case}.nii.gz",
        "record": folder / "masks" / f"{case}.json",
        "pictures": folder / "pictures" / f"{case}.json",
    }


def read_record(folder: Path, scan: Scan, digest: str) -> dict[str, Any] | None:
    """Reads the record of an earlier run; None if a file is missing, or the CT or its phase has changed.

    Args:
        folder: output folder.
        scan: the scan.
        digest: SHA-256 of its file.
    """
    files = mask_files(folder, scan.id)
    if not all(path.is_file() for path in files.values()):
        return None
    try:
        record = json.loads(files["record"].read_text(encoding="utf-8"))
    except ValueError:
        return None
    is_same = record.get("input_sha256") == digest and scan.phase in (None, record.get("phase"))
    return record if is_same else None


def make_record(folder: Path, scan: Scan, digest: str, segment: Segmenter) -> dict[str, Any]:
    """Segments a scan, writes its mask, pictures and record, and returns the record.

    Args:
        folder: output folder.
        scan: the scan.
        digest: SHA-256 of its file.
        segment: function of id, phase and file, see `LiverSegmenter`.

    Raises:
        CaseError: the file cannot be read, or does not hold a CT.
    """
    files = mask_files(folder, scan.id)
    files["record"].unlink(missing_ok=True)
    hu, affine, remarks = _read_ct(scan)
    phase, warnings = (scan.phase, []) if scan.phase is not None else identify_phase(hu, affine)
    segmented = segment(scan.id, phase, scan.path)
    write_volume(files["mask"], segmented.native.astype(np.uint8), segmented.native_affine)
    write_json(files["pictures"], draw_mask(hu, segmented.native, affine))
    messages = [*scan.warnings, *warnings, *(remark.problem for remark in remarks), *segmented.warnings]
    record = {
        "id": scan.id,
        "patient": scan.patient,
        "phase": phase,
        "phase_from": scan.phase_from,
        "input": str(scan.path),
        "input_sha256": digest,
        "quantities": measure_mask(segmented),
        "warnings": list(dict.fromkeys(messages)),
    }
    write_json(files["record"], record)
    return record


def hash_scan(scan: Scan) -> str:
    """Computes the SHA-256 of a scan's file.

    Raises:
        CaseError: the file cannot be read.
    """
    try:
        return hash_input(scan.path)
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror or error})"
        raise CaseError(scan.id, str(scan.path), problem, "check its permissions", "damaged") from error


def _read_ct(scan: Scan) -> tuple[Any, Any, list[CaseError]]:
    """Reads a CT in HU.

    Raises:
        CaseError: as `read_phase`; as a warning for a mask or a label map (`mask`), and for a localizer.
    """
    try:
        return read_phase(scan.path, scan.id)
    except CaseError as fault:
        if fault.code == "not_hu" and _holds_labels(scan):
            problem = "the file holds a mask or a label map, not a CT"
            remedy = "to train with masks of your own, write them under `liver` of a datalist"
            raise CaseError(scan.id, str(scan.path), problem, remedy, "mask", "warning") from fault
        if fault.code == "too_flat":  # a localizer, which converters of DICOM write beside the scans
            raise CaseError(
                fault.case, fault.file, fault.problem, fault.remedy, fault.code, "warning"
            ) from fault
        raise


def _holds_labels(scan: Scan) -> bool:
    values = np.unique(read_nifti(scan.path, scan.id)[0])
    return len(values) <= MAX_LABELS and bool((values == np.rint(values)).all() and values.min() >= 0)


def identify_phase(hu: Any, affine: Any) -> tuple[str, list[str]]:
    """Identifies the contrast phase of a CT from the HU of its organs.

    Args:
        hu: `(X, Y, Z)` HU.
        affine: `(4, 4)` from voxel indices to RAS mm.

    Returns:
        The most likely phase (venous if no organ is found), and a warning if it is uncertain.
    """
    axis = find_axial_axis(affine)
    step = max(1, int(STEP_MM / np.linalg.norm(affine[:3, axis])))
    keep: list[slice] = [slice(None)] * 3
    keep[axis] = slice(None, None, step)
    thinned = affine.copy()
    thinned[:3, axis] *= step
    landmarks = find_landmarks(hu[tuple(keep)], thinned)
    if not landmarks:
        return "venous", ["the phase is unknown: no organ was found, and the file is not named by a phase"]
    likelihood = compute_brightness_likelihood(landmarks)
    best = int(likelihood.argmax())
    share = float(likelihood[best] / likelihood.sum())
    if share >= UNCERTAIN:
        return PHASES[best], []
    values = ", ".join(f"{name} {mark.hu:.0f} HU" for name, mark in landmarks.items())
    message = f"the phase is uncertain: {PHASES[best]} has {share:.0%} ({values}); name the file by its phase"
    return PHASES[best], [message]


def as_item(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Builds the item of the datalist for an accepted scan: one phase, and the mask on its grid."""
    return {
        "id": record["id"],
        "patient": record["patient"],
        "phases": {record["phase"]: record["input"]},
        "liver": str(mask_files(folder, record["id"])["mask"]),
    }
