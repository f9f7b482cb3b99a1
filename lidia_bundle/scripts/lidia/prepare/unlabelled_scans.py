"""Lists the CT scans of an unlabelled folder: NIfTI files in any layout, and DICOM studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from tqdm import tqdm

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.dicom.series_text import find_phases
from scripts.lidia.inference.case_evaluator import to_case_error
from scripts.lidia.phase_id.select_series import make_case_id
from scripts.lidia.prepare.dicom_archive import list_ct_studies, list_strays, make_item, name_studies
from scripts.lidia.prepare.output_folder import logger
from scripts.lidia.prepare.scan_names import is_nifti, make_valid_id, remove_phase_words
from scripts.lidia.vocabulary import PHASES

BY_NAME, BY_IMAGE, BY_OPTION, BY_DICOM = "name", "image", "phase_map", "dicom"
OTHER_VOLUME = "a volume in another format than NIfTI, or in an archive"
NEEDS_NO_ENTRY = ("failed", "not_needed", "hidden", "unpacked")
"""Reasons of an account without an entry of their own in `errors.json`."""
MAX_SINGLE_ENTRIES = 20
"""Largest number of files left out for one reason that have an entry each."""


class Scan(NamedTuple):
    """One CT volume."""

    id: str
    patient: str
    """Scans of one patient share it."""
    path: Path
    phase: str | None
    """Contrast phase; None if only the image can tell."""
    phase_from: str
    """`name`, `phase_map`, `dicom` or `image`."""
    warnings: tuple[str, ...] = ()


def list_scans(
    read: Path, write: Path, account: Account, *, phase_map: Mapping[str, Any] | None, private: bool
) -> tuple[list[Scan], list[CaseError]]:
    """Lists all scans of a folder, NIfTI first.

    Args:
        read: the folder.
        write: phases of DICOM studies go to `phases/ID/` in it.
        account: of `read`; each file is recorded in it.
        phase_map: for NIfTI the path pattern of each phase, with `*`; for DICOM see `select_series`.
        private: makes ids of DICOM studies that do not identify the patients.

    Returns:
        The scans, and the faults of files and studies that cannot be used.

    Raises:
        CaseError: the folder holds neither NIfTI nor CT in DICOM, or `phase_map` names an unknown phase.
    """
    files = [path for path in account.names if is_nifti(path) and not account.is_hidden(path)]
    scans = [describe_nifti(path, account.names[path], phase_map) for path in sorted(files)]
    others, faults = _list_dicom(read, write, account, phase_map, private)
    for scan in scans:
        account.use([scan.path], scan.phase or "ct", case=scan.id)
    _check_phase_map(phase_map, scans, read, has_dicom=bool(others or faults))
    scans += others
    if not scans and not faults:
        remedy = "give a folder with NIfTI files (.nii, .nii.gz) or DICOM studies as --input_dir"
        raise CaseError("datalist", str(read), "the folder holds no CT", remedy, "no_case")
    return _number_repeated_ids(scans), faults


def _check_phase_map(
    phase_map: Mapping[str, Any] | None, scans: Sequence[Scan], read: Path, *, has_dicom: bool
) -> None:
    """Checks that `phase_map` names phases, and that each of its patterns matches a NIfTI file.

    Raises:
        CaseError: if not; patterns are not checked where DICOM studies may match them.
    """
    matched = {scan.phase for scan in scans if scan.phase_from == BY_OPTION}
    for phase, pattern in (phase_map or {}).items():
        if phase not in PHASES:
            remedy = f"the phases are {', '.join(PHASES)}"
            raise CaseError("datalist", str(read), f"phase_map names {phase!r}", remedy, "unknown_phase")
        if pattern and phase not in matched and not has_dicom:
            remedy = "give the end of the path, such as {'venous': '*_0001.nii.gz'}"
            problem = f"no file matches the pattern {pattern!r} of the phase {phase}"
            raise CaseError("datalist", str(read), problem, remedy, "bad_phase_map")


def describe_nifti(path: Path, name: str, phase_map: Mapping[str, Any] | None = None) -> Scan:
    """Derives id, patient and phase of a NIfTI file from its path.

    The id is the path in the folder, joined by `_`. The patient is the same without the words of a phase:
    `P1/venous.nii.gz`, `venous/P1.nii.gz` and `P1_portal_venous.nii.gz` all belong to P1.

    Args:
        path: the file.
        name: its path relative to the input folder.
        phase_map: path pattern by phase, such as {"venous": "*_0001.nii.gz"}; it has priority over words.
    """
    relative = PurePath(name)
    parts = [*relative.parent.parts, make_case_name(relative)]
    identity = make_valid_id("_".join(parts))
    patient = "_".join(rest for part in parts if (rest := remove_phase_words(part))) or identity
    for phase, pattern in (phase_map or {}).items():
        if pattern and relative.match(str(pattern)):
            return Scan(identity, patient, path, phase, BY_OPTION)
    for part in reversed(parts):  # the file's own name first, then its folders
        phases = find_phases(part)
        if len(phases) == 1:
            return Scan(identity, patient, path, next(iter(phases)), BY_NAME)
    return Scan(identity, patient, path, None, BY_IMAGE)


def _number_repeated_ids(scans: Sequence[Scan]) -> list[Scan]:
    """Adds a number to ids that differ in case only, or that two paths share (`a/b_c` and `a_b/c`)."""
    used: set[str] = set()
    numbered = []
    for scan in scans:
        number, case = 1, scan.id
        while case.casefold() in used:
            number += 1
            case = f"{scan.id}_{number}"
        used.add(case.casefold())
        numbered.append(scan._replace(id=case))
    return numbered


def _list_dicom(
    read: Path, write: Path, account: Account, phase_map: Mapping[str, Any] | None, private: bool
) -> tuple[list[Scan], list[CaseError]]:
    """Writes the phases of all DICOM studies; returns them as scans, and the faults."""
    unreadable: list[CaseError] = []
    try:
        studies = list_ct_studies(read, unreadable, account)
    except CaseError as fault:
        return [], unreadable or ([] if fault.code == "no_dicom" else [fault])
    scans, faults = [], list(list_strays(studies, unreadable))
    for stray in faults:
        logger.error(str(stray))
    entries = name_studies(studies, private)
    for case, study in tqdm(entries, desc="studies", unit="study", disable=None):
        try:
            item = make_item((case, study), write=write, phase_map=phase_map, private=private,
                             unreadable=unreadable, account=account)  # fmt: skip
        except Exception as problem:
            faults.append(to_case_error(problem, {"id": case}))
            logger.error(str(faults[-1]))
            continue
        patient, warnings = make_case_id(study, private=private), tuple(item["notes"]["warnings"])
        scans += [
            Scan(f"{case}_{phase}", patient, Path(file), phase, BY_DICOM, warnings)
            for phase, file in item["phases"].items()
        ]
    return scans, faults


def close_account(account: Account, write: Path, faults: Sequence[CaseError]) -> list[CaseError]:
    """Writes `files.csv` and `files.json`, and returns a warning for the files that were left out.

    Args:
        account: of the input folder, after all scans were listed.
        write: output folder.
        faults: files with a fault of their own; they get no second entry.
    """
    for fault in faults:
        reason = "failed" if fault.severity == "error" else "not_needed"
        account.leave_out([Path(fault.file)], reason, case=fault.case, detail=fault.problem)
    account.close()
    named = {fault.file for fault in faults}
    summary = account.summary()
    if not account.private:
        account.write(write / "files.csv")
    write_json(write / "files.json", summary)
    warnings = []
    for entry in summary["reasons"]:
        if entry["reason"] in NEEDS_NO_ENTRY:
            continue
        files = [
            name
            for path, name in account.names.items()
            if account.fates[path].reason == entry["reason"] and str(path) not in named
        ]
        remedy = "files.csv lists all files; convert those that are CT to NIfTI (.nii.gz) or DICOM"
        what = OTHER_VOLUME if entry["reason"] == "volume" else entry["what"]
        if not files:
            continue
        if len(files) > MAX_SINGLE_ENTRIES or account.private:
            places = [", ".join(entry["examples"]) or str(account.folder)]
            problem = f"{len(files)} files were left out: {what}"
        else:
            places, problem = sorted(files), f"the file was left out: {what}"
        warnings += [
            CaseError("datalist", place, problem, remedy, entry["reason"], "warning") for place in places
        ]
    return warnings
