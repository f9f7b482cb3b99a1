"""Give each lesion one tracking identifier at all dates, and write SEG and SR of each date with it.

A tracking UID depends on the images and the lesion's number of the first date that shows it, so it stays the
same when later dates are added (DICOM PS3.3, C.8.20.2, Tracking UID; PS3.16, TID 1411).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.references import NO_REFERENCE
from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.followup.comparison import Comparison
from scripts.lidia.followup.read_study import Study, StudyHeader
from scripts.lidia.inference.dicom_objects import write_dicom_objects
from scripts.lidia.inference.result_files import dicom_files, result_files
from scripts.lidia.inference.series_findings import SeriesFindings, read_series_findings

logger = logging.getLogger("lidia.dicom")


class TrackedResult(NamedTuple):
    """What the DICOM objects of a date are made of.

    Attributes:
        findings: the series and the masks on its grid.
        result: content of the date's JSON, with the tracking identifiers.
    """

    findings: SeriesFindings
    result: dict[str, Any]


def add_tracking_ids(record: dict[str, Any], comparison: Comparison) -> None:
    """Add `tracking_id` and `tracking_uid` to each lesion of a record."""
    from pydicom.uid import generate_uid

    tracks = {track.lesion: track for track in comparison.tracks}
    for lesion in record["lesions"]:
        track = tracks[lesion["lesion"]]
        study = comparison.studies[track.first]
        images = json.dumps(study.content.result.get("inputs"), sort_keys=True)
        entropy = [images, study.content.result["id"], str(study.date), str(track.instances[track.first])]
        lesion["tracking_id"] = f"LIDIA lesion {track.lesion}"
        lesion["tracking_uid"] = str(generate_uid(entropy_srcs=entropy))


def write_tracked_dicom(
    folder: Path,
    record: Mapping[str, Any],
    comparison: Comparison,
    headers: Sequence[StudyHeader],
    deidentify: bool | str,
) -> tuple[dict[str, str], TrackedResult | None]:
    """Write SEG and SR of every date whose result came from DICOM.

    Args:
        folder: folder of the files.
        record: content of the patient's JSON, with the tracking identifiers.
        comparison: the comparison behind it.
        headers: of the dates.
        deidentify: see `inference.dicom_results.WriteDicom`.

    Returns:
        Id of each date -> `written`, or the reason why there are no files; and what the objects of the latest
        date are made of, None if it has none.

    Raises:
        CaseError: if a series cannot be read.
    """
    outcome: dict[str, str] = {}
    latest = None
    for number, (study, header) in enumerate(zip(comparison.studies, headers, strict=True)):
        latest = None
        for path in dicom_files(folder, study.id).values():
            path.unlink(missing_ok=True)
        sources = find_source_files(_make_item(study, header))
        if not sources:
            outcome[study.id] = "the images are not DICOM"
            continue
        missing = [path for path in sources if not path.is_file()]
        if missing:
            outcome[study.id] = f"{missing[0]} does not exist"
            logger.warning("%s: no SEG and SR: %s", study.id, outcome[study.id])
            continue
        try:
            latest = _read_result(record, number, study, header, sources, deidentify)
            write_dicom_objects(folder, study.id, *latest, deidentify=deidentify)
            outcome[study.id] = "written"
        except CaseError as fault:
            if fault.code != NO_REFERENCE:
                raise
            logger.warning(str(fault))
            outcome[study.id] = fault.problem
    return outcome, latest


def _make_item(study: Study, header: StudyHeader) -> dict[str, Any]:
    """Make the item that `find_source_files` reads, from `inputs` of the result or the datalist."""
    grid = str(study.content.result["grid_phase"])
    entry = (study.content.result.get("inputs") or {}).get(grid) or {}
    if isinstance(entry, Mapping) and entry.get("dicom"):
        return {"source": [str(header.path.parent / path) for path in entry["dicom"]]}
    if header.item.get("source"):
        return {"source": header.item["source"]}
    return {"phases": {phase: path for phase, path in study.content.phases.items() if phase == grid}}


def _read_result(
    record: Mapping[str, Any],
    number: int,
    study: Study,
    header: StudyHeader,
    sources: Sequence[Path],
    deidentify: bool | str,
) -> TrackedResult:
    """Read the series and the masks of a date, and make its result with the tracking identifiers."""
    files = result_files(header.path.parent, header.case)
    images = {name: nib.load(files[name]) for name in ("liver", "instances")}
    masks = {name: np.asarray(image.dataobj) for name, image in images.items()}
    findings = read_series_findings(sources, masks, images["liver"].affine, case=study.id)
    result = {**study.content.result, "lesions": _add_tracking(record, number, study)}
    if deidentify:  # the UIDs must not depend on warnings, which may name the patient
        result["warnings"] = []
    return TrackedResult(findings, result)


def _add_tracking(record: Mapping[str, Any], number: int, study: Study) -> list[dict[str, Any]]:
    """Add tracking identifiers, the short axis and at the latest date growth to the lesions of a date."""
    tracked = {}
    for lesion in record["lesions"]:
        instance = lesion["measurements"][number]["instance"]
        if instance is not None:
            tracked[instance] = {key: lesion[key] for key in ("tracking_id", "tracking_uid")}
            if number == len(lesion["measurements"]) - 1 and "lirads" in lesion:
                tracked[instance]["lirads"] = lesion["lirads"]  # with its growth
    return [
        {
            **row,
            **tracked[int(row["instance"])],
            "short_mm": study.sizes[int(row["instance"])].short_mm,
        }
        for row in study.content.result["lesions"]
    ]
