"""Resolve the input to datalist items: a datalist, the files of one patient, or a DICOM study."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from scripts.lidia.atomic import write_atomically
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.deferred_list import defer
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.dicom.file_account import Account, format_reason, log_summary
from scripts.lidia.dicom.series import read_files
from scripts.lidia.dicom.study import Series, Study, find_studies, refuse_series
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.phase_id.select_series import format_table, make_case_id, select_series
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

logger = logging.getLogger("lidia.dicom")


def resolve_inputs(
    *,
    dicom_dir: str | None = None,
    phase_map: Mapping[str, Any] | None = None,
    output_dir: str = ".",
    deidentify: bool | str = False,
    case_id: str | None = None,
    only: Sequence[str] | None = None,
    liver: str | None = None,
    **choices: Any,
) -> list[dict[str, Any]]:
    """Returns the datalist items of the input.

    Args:
        dicom_dir: folder of one DICOM study; its phases are identified and written to
            `output_dir/phases/ID/`. With None the items come from `load_datalist`.
        phase_map: see `select_series`.
        output_dir: folder of the results.
        deidentify: whether names and logs must not identify the patient.
        case_id: id of the case, see `load_datalist`; of a study by default its PatientID.
        only: phases to use, see `load_datalist`.
        liver: liver mask, see `load_datalist`.
        **choices: further arguments of `load_datalist`.

    Raises:
        CaseError: the folder contains several patients or studies, or no phase could be identified.
    """
    if dicom_dir is None:
        return load_datalist(case_id=case_id, only=only, liver=liver, **choices)
    folder, private = _resolve_study_folder(dicom_dir), bool(deidentify)
    with TemporaryDirectory(prefix="lidia-") as temporary:
        account = Account(folder, private=private, temporary=temporary)
        studies = find_studies(folder, account=account)
        study = require_one_study(studies, folder, private)
        item = make_study_item(
            study,
            Path(output_dir),
            case_id=case_id,
            phase_map=phase_map,
            only=only,
            private=private,
            account=account,
        )
        for other in studies:
            if other is not study:
                record_left_out_series(
                    account, [(series, series.kind) for series in other.series], item["id"]
                )
        item = add_account(item, account, Path(output_dir))
        log_summary(item["notes"]["files"], logger, item["id"])
    return [complete_item({**item, "liver": liver}, Path.cwd())]


defer_inputs = defer(resolve_inputs)


def _resolve_study_folder(dicom_dir: str) -> Path:
    """Returns the absolute path; for a DICOMDIR the folder that it indexes."""
    path = Path(dicom_dir).absolute()
    return path.parent if path.is_file() and path.name.upper() == "DICOMDIR" else path


def add_account(
    item: dict[str, Any], account: Account, output_dir: Path, *, case: str | None = None
) -> dict[str, Any]:
    """Adds the account of the files to an item, with warnings for reasons that may affect the liver.

    The whole list is written to `phases/ID/files.csv` beside the phases, unless file names may identify the
    patient.

    Args:
        item: result of `make_study_item`.
        account: account of the input files.
        output_dir: folder of the phases.
        case: only the files of this patient; None is all.
    """
    if case is None:
        account.close()
    summary = account.summary(case)
    if not account.private:
        account.write(output_dir.absolute() / "phases" / item["id"] / "files.csv", case)
    known_warnings = item["notes"]["warnings"]
    series = [row["number"] for row in item["notes"]["series"]]
    named_series = {
        n for n in series if any(f"series {n} " in words and "left out" in words for words in known_warnings)
    }
    warnings = [
        format_reason(entry)
        for entry in summary["reasons"]
        if entry["warning"] and not (entry["series"] and named_series >= set(entry["series"]))
    ]
    return {**item, "notes": {**item["notes"], "warnings": [*known_warnings, *warnings], "files": summary}}


def record_left_out_series(account: Account, left_out: Sequence[tuple[Series, str]], case: str) -> None:
    """Records the reasons for the files of series that were left out."""
    for series, reason in left_out:
        detail = series.refused if reason in ("geometry", "bad_value", "other_kind") else ""
        paths = [*series.paths, *(path for path, _ in series.spare)]
        account.leave_out(paths, reason, series=series.name, case=case, detail=detail)


def require_one_study(studies: Sequence[Study], folder: Path, private: bool) -> Study:
    """Returns the only study of a folder.

    Raises:
        CaseError: the folder contains CT of several patients or studies.
    """
    imaging = [study for study in studies if any(not series.refused for series in study.series)] or studies
    if len(imaging) == 1:
        return imaging[0]
    patients = len({study.patient for study in imaging})
    kind = f"{patients} patients" if patients > 1 else f"{len(imaging)} studies of one patient"
    listed = ", ".join(make_case_id(s, private=private) + (f" of {s.day}" if s.day and not private else "")
                       for s in imaging)  # fmt: skip
    remedy = "give each study a folder, or make a list of them all by prepare.json --source dicom"
    code = "two_patients" if patients > 1 else "two_studies"
    raise CaseError("dicom", str(folder), f"{kind} in one folder: {listed}", remedy, code)


def make_study_item(
    study: Study,
    output_dir: Path,
    *,
    case_id: str | None = None,
    phase_map: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    private: bool = False,
    account: Account | None = None,
) -> dict[str, Any]:
    """Selects the phases of a study, writes them as NIfTI, and returns the datalist item.

    Args:
        study: study of one patient.
        output_dir: the phases go to `phases/ID/PHASE.nii.gz` in it, HU on their own grids.
        case_id: id of the case; by default from the PatientID, or from a hash if `private`.
        phase_map: see `select_series`.
        only: phases to use; None is all.
        private: see `select_series`.
        account: records the use of each file of the study.

    Returns:
        `id`, `patient` and `date` (unless `private`), `phases`, `source` (the files of the
        grid phase) and `notes` (`series`, `warnings`).

    Raises:
        CaseError: no phase could be identified, or the files of one are damaged.
    """
    case = case_id or make_case_id(study, private=private)
    while True:
        written: dict[str, str] = {}
        try:
            return _read_study(study, output_dir, case, phase_map, only, private, account, written)
        except CaseError as fault:
            rest = refuse_series(study, fault)
            if rest is None:
                raise
            study = rest
            for path in written.values():
                Path(path).unlink(missing_ok=True)


def _read_study(
    study: Study,
    output_dir: Path,
    case: str,
    phase_map: Mapping[str, Any] | None,
    only: Sequence[str] | None,
    private: bool,
    account: Account | None,
    written: dict[str, str],
) -> dict[str, Any]:
    """Builds the item of a study, unless a selected series has meaningless values.

    Raises:
        CaseError: see `make_study_item`; for a series with meaningless values its code is in `VALUE_FAULTS`.
    """
    choice = select_series(study, case=case, phase_map=phase_map, private=private)
    logger.info(f"{case}: series of the study\n{format_table(choice.rows)}")
    for warning in choice.warnings:
        logger.warning(f"{case}: {warning}")
    phases = {p: s for p, s in choice.phases.items() if only is None or p in only}
    if not phases:
        problem = f"none of the phases {', '.join(only or PHASES)} is in the study"
        raise CaseError(case, str(output_dir), problem, "name another phase", "no_phase")
    warnings = list(choice.warnings)
    for phase, series in phases.items():
        voxels, affine, remarks = read_files(series.paths, case=case)
        problems = [*series.remarks, *(remark.problem for remark in remarks)]
        warnings += [f"series {series.name}: {problem}" for problem in problems]
        rounded = np.rint(voxels)
        is_integer = bool(np.abs(voxels - rounded).max() < 1e-3) and rounded.max() < 2**15
        path = output_dir.absolute() / "phases" / case / f"{phase}.nii.gz"
        write_volume(path, rounded.astype(np.int16) if is_integer else voxels, affine)
        written[phase] = str(path)
    grid = next(phase for phase in GRID_ORDER if phase in phases)
    if account is not None:
        for phase, series in phases.items():
            account.use(series.paths, phase, series=series.name, case=case)
            for spare, why in series.spare:
                account.leave_out([spare], why, series=series.name, case=case)
        others = [(series, "not_wanted") for p, series in choice.phases.items() if p not in phases]
        record_left_out_series(account, [*choice.left_out, *others], case)
    source = list(phases[grid].paths)
    if account is not None and account.temporary in {*source[0].parents}:
        if private:
            warnings.append("no SEG and SR: the study came packed, and unpacked files would name the patient")
        source = [] if private else _copy_slices(source, output_dir.absolute() / "phases" / case / "dicom")
    return {
        "id": case,
        **({} if private else _describe_study(study)),
        "phases": written,
        "source": [str(path) for path in source],
        "notes": {"series": choice.rows, "warnings": warnings},
    }


def _describe_study(study: Study) -> dict[str, str]:
    """Returns `patient` and `date` (YYYY-MM-DD) of a study, where the headers have them."""
    names = {"patient": make_case_id(study) if study.patient.strip() else ""}
    day = study.day.strip()
    if len(day) == 8 and day.isdecimal():
        names["date"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return {key: value for key, value in names.items() if value}


def _copy_slices(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Copies unpacked slices, to which SEG and SR refer after the temporary folder is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    copies = []
    for number, path in enumerate(paths, 1):
        copies.append(folder / f"{number:04d}.dcm")
        with write_atomically(copies[-1], sync=False) as temporary:
            shutil.copyfile(path, temporary)
    return copies
