"""Write the follow-up of each patient: JSON, CSV, a page, and SEG and SR with common tracking identifiers."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import write_atomically, write_json, write_text
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.followup.compare_studies import compare_studies
from scripts.lidia.followup.comparison import Settings
from scripts.lidia.followup.find_patients import find_patients
from scripts.lidia.followup.followup_page import write_followup_page
from scripts.lidia.followup.lesion_change import ChangeLimits, GrowthLimits
from scripts.lidia.followup.read_study import StudyHeader, read_study
from scripts.lidia.followup.recist import RecistLimits
from scripts.lidia.followup.tracked_dicom import add_tracking_ids, write_tracked_dicom
from scripts.lidia.inference.case_evaluator import CohortError, to_case_error, write_faults
from scripts.lidia.inference.dicom_objects import write_dicom_pdf
from scripts.lidia.report.patient_pdf_files import check_library

logger = logging.getLogger("lidia.followup")

COLUMNS = (
    "patient", "lesion", "id", "date", "state", "instance", "type", "longest_mm", "short_mm", "volume_mm3",
    "target", "change", "change_longest_mm", "change_longest_percent", "change_volume_percent",
    "doubling_days", "threshold_growth", "exceeds_repeatability",
)  # fmt: skip
"""Columns of the CSV: one row for each lesion and date."""


def make_settings(
    *,
    registration: Mapping[str, Any],
    matching: Mapping[str, float],
    change: Mapping[str, float],
    recist: Mapping[str, Any],
    lirads: Mapping[str, float],
    repeatability: Mapping[str, float],
) -> Settings:
    """Make the settings of the comparison from the blocks of `follow.json`."""
    disease = {**recist, "target_types": tuple(recist["target_types"])}
    return Settings(
        dict(registration),
        dict(matching),
        ChangeLimits(**change),
        GrowthLimits(**lirads),
        RecistLimits(**disease),
        dict(repeatability),
    )


def write_followup(
    *,
    output_dir: str | Path,
    settings: Settings,
    results_dir: str | Path | None = None,
    results: Sequence[str] | str | None = None,
    dates: Sequence[str] | None = None,
    dataset_dir: str | Path | None = None,
    datalist: str | Path | None = None,
    section: str = "test",
    pages: bool = True,
    dicom: bool = True,
    deidentify: bool | str = False,
    pdf: bool = False,
) -> list[Path]:
    """Compare the dates of one or more patients and write the files of each.

    Args:
        output_dir: `PATIENT_followup.json`, `.csv`, `.html`, and `ID_seg.dcm`, `ID_sr.dcm` of each date whose
            result came from DICOM; with `pdf` also `PATIENT_followup.pdf` and `PATIENT_followup_pdf.dcm`;
            also `errors.json`.
        settings: from `make_settings`.
        results_dir: see `find_patients`, as for `results`, `dates`, `dataset_dir`, `datalist` and `section`.
        results: see `find_patients`.
        dates: see `find_patients`.
        dataset_dir: see `find_patients`.
        datalist: see `find_patients`.
        section: see `find_patients`.
        pages: write the page.
        dicom: write SEG and SR.
        deidentify: see `inference.dicom_results.WriteDicom`.
        pdf: write the PDF, and with `dicom` the same as an object of the study of the latest date.

    Returns:
        The JSON files.

    Raises:
        CaseError: if there is nothing to compare, or reportlab is not installed for `pdf`.
        CohortError: if patients failed; the others are written.
    """
    if pdf:
        check_library()
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    faults: list[CaseError] = []
    try:
        groups = find_patients(
            results_dir=results_dir, results=results, dates=dates, dataset_dir=dataset_dir,
            datalist=datalist, section=section,
        )  # fmt: skip
    except CaseError as fault:
        write_faults(folder / "errors.json", [*fault.members, fault])
        raise
    faults += groups.faults
    written = []
    for patient, headers in groups.patients.items():
        try:
            written.append(_write_patient(folder, patient, headers, settings, pages, dicom, deidentify, pdf))
        except Exception as problem:  # the other patients do not depend on this one
            faults.append(to_case_error(problem, {"id": patient}))
    for entry in faults:
        logger.warning(str(entry))
    write_faults(folder / "errors.json", faults)
    failed = [entry.case for entry in faults if entry.severity == "error"]
    if failed:
        names = ", ".join(failed[:10])
        details = f"{len(written)} patients are written, see {folder / 'errors.json'}"
        raise CohortError(f"{len(failed)} failed: {names}; {details}")
    logger.info("Wrote the follow-up of %d patients to %s", len(written), folder)
    return written


def make_file_name(patient: str) -> str:
    """Make a file name of a patient's id; a hash is added where characters must be replaced."""
    name = re.sub(r"[^\w.-]+", "_", patient).strip("._")
    if name == patient and len(name) <= 100:
        return name
    return f"{name[:90]}-{sha256(patient.encode()).hexdigest()[:6]}"


def _write_patient(
    folder: Path,
    patient: str,
    headers: Sequence[StudyHeader],
    settings: Settings,
    pages: bool,
    dicom: bool,
    deidentify: bool | str,
    pdf: bool,
) -> Path:
    name = make_file_name(patient)
    paths = {kind: folder / f"{name}_followup.{kind}" for kind in ("json", "csv", "html", "pdf")}
    paths["dcm"] = folder / f"{name}_followup_pdf.dcm"
    for path in paths.values():
        path.unlink(missing_ok=True)
    studies = [read_study(header) for header in headers]
    record, comparison = compare_studies(studies, settings)
    record["patient"] = patient
    add_tracking_ids(record, comparison)
    latest = None
    if dicom:
        record["dicom"], latest = write_tracked_dicom(folder, record, comparison, headers, deidentify)
    write_text(paths["csv"], render_csv(record))
    if pages:
        write_followup_page(paths["html"], record, comparison)
    if pdf:
        from scripts.lidia.followup.followup_pdf import render_followup_pdf  # reportlab is optional

        content = render_followup_pdf(record, comparison, warnings=not deidentify)
        with write_atomically(paths["pdf"]) as temporary:
            Path(temporary).write_bytes(content)
        if latest is not None:
            write_dicom_pdf(paths["dcm"], content, *latest, deidentify=deidentify)
        elif dicom:
            case = comparison.studies[-1].id
            logger.warning("%s: the PDF is not written as DICOM: %s", case, record["dicom"][case])
    write_json(paths["json"], record)
    return paths["json"]


def render_csv(record: Mapping[str, Any]) -> str:
    """Render one row for each lesion and date."""
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, COLUMNS)
    table.writeheader()
    for lesion in record["lesions"]:
        changes = {change["to"]: change for change in lesion["changes"]}
        for measurement in lesion["measurements"]:
            change = changes.get(measurement["id"], {})
            row = {"patient": record["patient"], "lesion": lesion["lesion"], "target": lesion["target"]}
            row |= {key: measurement[key] for key in COLUMNS if key in measurement}
            row |= {"change": change.get("change"), "change_longest_mm": change.get("longest_mm")}
            row["change_longest_percent"] = change.get("longest_percent")
            row["change_volume_percent"] = change.get("volume_percent")
            for key in ("doubling_days", "threshold_growth", "exceeds_repeatability"):
                row[key] = change.get(key)
            table.writerow({key: "" if value is None else value for key, value in row.items()})
    return buffer.getvalue()
