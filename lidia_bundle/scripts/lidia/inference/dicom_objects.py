"""Write the DICOM SEG, SR, RTSTRUCT and Encapsulated PDF of one result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import write_atomically
from scripts.lidia.inference.result_files import dicom_files
from scripts.lidia.inference.series_findings import SeriesFindings


def write_dicom_objects(
    folder: Path,
    case: str,
    findings: SeriesFindings,
    result: Mapping[str, Any],
    *,
    deidentify: bool | str = False,
    rtstruct: bool = False,
) -> None:
    """Writes `CASE_seg.dcm`, `CASE_sr.dcm` and, on request, `CASE_rtstruct.dcm`.

    Args:
        folder: folder of the files.
        case: first part of their names.
        findings: the series and the masks on its grid.
        result: content of `ID.json`.
        deidentify: see `WriteDicom`.
        rtstruct: whether to write the RT Structure Set.
    """
    # The DICOM libraries load slowly, and a MONAI Label server with its older pydicom never uses them.
    from scripts.lidia.dicom.provenance import make_origin
    from scripts.lidia.dicom.write_rtstruct import make_structure_set
    from scripts.lidia.dicom.write_seg import make_segmentation
    from scripts.lidia.dicom.write_sr import make_report

    source, liver, instances, liver_mm3 = findings
    origin = make_origin(source, liver, instances, result)
    # A warning may name a file, and a file name may identify the patient.
    reported = {**result, "warnings": []} if deidentify else result
    seg = make_segmentation(liver, instances, result["lesions"], origin)
    objects = [seg, make_report(reported, liver_mm3, seg, origin)]
    if rtstruct:
        objects.append(make_structure_set(liver, instances, result["lesions"], origin))
    paths = dicom_files(folder, case, rtstruct=rtstruct).values()
    for dicom_object, path in zip(objects, paths, strict=True):
        _save(dicom_object, path, deidentify)


def write_dicom_pdf(
    path: Path,
    content: bytes,
    findings: SeriesFindings,
    result: Mapping[str, Any],
    *,
    deidentify: bool | str = False,
) -> None:
    """Writes a PDF as a DICOM object of the study that it reports.

    Args:
        path: the file.
        content: the PDF; with `deidentify` it must not name the patient.
        findings: the series and the masks on its grid.
        result: content of `ID.json`.
        deidentify: see `WriteDicom`.
    """
    from scripts.lidia.dicom.provenance import make_origin
    from scripts.lidia.dicom.write_pdf import make_encapsulated_pdf

    origin = make_origin(findings.source, findings.liver, findings.instances, result)
    dataset = make_encapsulated_pdf(content, origin, has_identity=not deidentify)
    _save(dataset, path, deidentify)


def _save(dataset: Any, path: Path, deidentify: bool | str) -> None:
    """Saves an object, without the patient's identity if asked for."""
    from scripts.lidia.dicom.deidentify import deidentify as remove_identity

    if deidentify:
        remove_identity(dataset, uids="replace" if deidentify == "uids" else "keep")
    with write_atomically(path) as temporary:
        dataset.save_as(temporary)
