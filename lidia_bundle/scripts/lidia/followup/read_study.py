"""Read the result of one date, check its images against the recorded SHA-256, and measure its lesions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scripts.lidia.components import Component
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.followup.lesion_change import Size
from scripts.lidia.followup.study_scans import StudyScans
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.inference.result_files import VOLUMES, hash_input, result_files
from scripts.lidia.morphometry.lesion_axes import measure_axes_mm
from scripts.lidia.report.read_results import Patient, read_patient

AXIAL = 2
"""Axis of the axial planes of volumes in RAS order."""


class Study(NamedTuple):
    """The result of one date.

    Attributes:
        id: id of the case.
        path: the file `ID.json`.
        patient: id of the patient, "" if unknown.
        date: date of the scan, None if unknown.
        content: volumes in RAS order, cut to the liver, and the content of `ID.json`; its `phases` are the
            images that can be read.
        grid: whole grid of the result files.
        scans: the images in memory.
        sizes: size of each lesion by its number.
        warnings: remarks on this date, as text.
        is_synthetic: whether the datalist calls the images synthetic.
    """

    id: str
    path: Path
    patient: str
    date: date | None
    content: Patient
    grid: Grid
    scans: StudyScans
    sizes: dict[int, Size]
    warnings: list[str]
    is_synthetic: bool = False

    @property
    def types(self) -> dict[int, str]:
        """Type of each lesion by its number."""
        return {int(row["instance"]): str(row["type"]) for row in self.content.result["lesions"]}

    def find_component(self, lesion: int) -> Component:
        """Returns box, centre and volume of a lesion by its number."""
        return next(item.component for item in self.content.predicted.lesions if item.number == lesion)


class StudyHeader(NamedTuple):
    """What is needed to group and sort results, read from `ID.json` and the datalist.

    Attributes:
        path: the file `ID.json`.
        case: id of the case in the files.
        id: id of the date, unique among the dates of the patient.
        patient: id of the patient, "" if unknown.
        date: date of the scan, None if unknown.
        item: item of the datalist, {} without one.
    """

    path: Path
    case: str
    id: str
    patient: str
    date: date | None
    item: dict[str, Any]


def read_header(path: Path, item: Mapping[str, Any] | None = None, day: str | None = None) -> StudyHeader:
    """Read patient and date of a result.

    Args:
        path: the file `ID.json`.
        item: item of the datalist; its `patient` and `date` replace those of the file.
        day: date (YYYY-MM-DD) that replaces both.

    Raises:
        CaseError: if the file is missing or no result of inference, or a date is invalid.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        case = str(result["id"])
    except FileNotFoundError as problem:
        remedy = "give files that inference.json has written, as ID.json"
        raise CaseError(path.stem, str(path), "the file does not exist", remedy, "missing") from problem
    except (OSError, ValueError, TypeError, KeyError) as problem:
        text = f"the file is no result of inference ({problem})"
        raise CaseError(path.stem, str(path), text, "run inference.json again", "bad_result") from problem
    entry = dict(item or {})
    patient = str(entry.get("patient") or result.get("patient") or "")
    text = day or entry.get("date") or result.get("date")
    return StudyHeader(path, case, case, patient, _parse_date(text, case, path), entry)


def _parse_date(text: Any, case: str, path: Path) -> date | None:
    """Converts YYYY-MM-DD to a date; None stays None.

    Raises:
        CaseError: if the text is no date.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError as problem:
        remedy = "write dates as YYYY-MM-DD, for example 2025-03-31"
        raise CaseError(case, str(path), f"{text!r} is not a date", remedy, "bad_date") from problem


def read_study(header: StudyHeader) -> Study:
    """Read the volumes of a result and measure its lesions.

    Images whose content is not the recorded one are not used, with a warning.

    Raises:
        CaseError: if a file is missing or damaged.
    """
    folder, case = header.path.parent, header.case
    files = result_files(folder, case)
    missing = [path for path in files.values() if not path.is_file()]
    if missing:
        remedy = "run inference.json again for this patient"
        raise CaseError(case, str(missing[0]), "a file of the result does not exist", remedy, "missing")
    result = json.loads(header.path.read_text(encoding="utf-8"))
    phases, warnings = _find_images(result, header)
    try:
        content = read_patient(folder, case, {"phases": phases})
    except (OSError, ValueError, EOFError, KeyError) as problem:
        text = f"the result cannot be read: {problem}"
        raise CaseError(case, str(header.path), text, "run inference.json again", "bad_result") from problem
    image = nib.load(files[VOLUMES[1]])
    sizes = {}
    for lesion in content.predicted.lesions:
        box = lesion.component.box
        mask = content.predicted.numbers[box] == lesion.number
        longest, short = measure_axes_mm(mask, content.spacing, AXIAL)
        sizes[lesion.number] = Size(longest, short, lesion.component.volume_mm3)
    if header.date is None:
        warnings.append("the date of the scan is unknown: no doubling time and no threshold growth")
    synthetic = bool(header.item.get("synthetic"))
    grid = Grid(np.asarray(image.affine, dtype=np.float64), image.shape)
    scans = StudyScans(phases, header.id)
    return Study(
        header.id, header.path, header.patient, header.date, content, grid, scans, sizes, warnings, synthetic
    )


def _find_images(result: Mapping[str, Any], header: StudyHeader) -> tuple[dict[str, str], list[str]]:
    """Find the images of a result: at the recorded paths, else at those of the datalist.

    Returns:
        Path by phase, and warnings about images that are missing or have changed.
    """
    recorded, listed = result.get("inputs") or {}, header.item.get("phases") or {}
    phases, warnings = {}, []
    for phase in result.get("phases_used") or []:
        entry = recorded.get(phase) or {}
        entry = entry if isinstance(entry, Mapping) else {"sha256": entry}
        candidates = [header.path.parent / entry["path"]] if entry.get("path") else []
        candidates += [Path(listed[phase])] if listed.get(phase) else []
        existing = [path for path in candidates if path.exists()]
        same = [path for path in existing if not entry.get("sha256") or hash_input(path) == entry["sha256"]]
        if same:
            phases[phase] = str(same[0])
        elif existing:
            warnings.append(f"the {phase} image {existing[0]} changed since the result and is not used")
        else:
            warnings.append(f"the {phase} image of the result was not found")
    return phases, warnings
