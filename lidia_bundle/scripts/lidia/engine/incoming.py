"""Cases from where they come: a datalist, the files of one patient, or a DICOM study as a scanner sent it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lidia.clinic.choice import case_of, choose, table
from scripts.lidia.clinic.series import read_files
from scripts.lidia.clinic.study import Study, find_studies
from scripts.lidia.datalist import CaseError, complete, datalist
from scripts.lidia.engine.results import write_volume
from scripts.lidia.vocabulary import GRID_ORDER, PHASES

logger = logging.getLogger("lidia.dicom")


def cases(
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
    """Gives the items to work on.

    Args:
        dicom_dir: folder of one DICOM study; its phases are found and written to `output_dir/phases/ID/`.
            None gives the cases of `datalist`.
        phase_map: see `choose`.
        output_dir: where results go.
        deidentify: whether names and logs must not tell who the patient is.
        case_id: id of the case, see `datalist`; of a study by default its PatientID.
        only: phases to look at, see `datalist`.
        liver: liver mask, see `datalist`.
        **choices: further arguments of `datalist`.

    Raises:
        CaseError: if the folder holds two patients or two studies, or no phase can be found in it.
    """
    if dicom_dir is None:
        return datalist(case_id=case_id, only=only, liver=liver, **choices)
    folder = Path(dicom_dir).expanduser().absolute()
    private = bool(deidentify)
    study = one_study(find_studies(folder), folder, private)
    item = study_item(
        study, Path(output_dir), case_id=case_id, phase_map=phase_map, only=only, private=private
    )
    return [complete({**item, "liver": liver}, Path.cwd())]


def one_study(studies: Sequence[Study], folder: Path, private: bool) -> Study:
    """The study of a folder that must hold one.

    Raises:
        CaseError: if CT of two patients lies there, or two studies.
    """
    imaging = [study for study in studies if any(not series.refused for series in study.series)] or studies
    if len(imaging) == 1:
        return imaging[0]
    patients = len({study.patient for study in imaging})
    kind = f"{patients} patients" if patients > 1 else f"{len(imaging)} studies of one patient"
    listed = ", ".join(case_of(s, private=private) + (f" of {s.day}" if s.day and not private else "")
                       for s in imaging)  # fmt: skip
    remedy = "give each study a folder, or make a list of them all by prepare.json --source dicom"
    code = "two_patients" if patients > 1 else "two_studies"
    raise CaseError("dicom", str(folder), f"{kind} in one folder: {listed}", remedy, code)


def study_item(
    study: Study,
    output_dir: Path,
    *,
    case_id: str | None = None,
    phase_map: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    private: bool = False,
) -> dict[str, Any]:
    """Chooses the phases of a study, writes them as NIfTI, and gives the item of a datalist.

    Args:
        study: of one patient.
        output_dir: the phases go to `phases/ID/PHASE.nii.gz` in it, HU on their own grids.
        case_id: id of the case; by default from the PatientID, or from a hash if `private`.
        phase_map: see `choose`.
        only: phases to look at; None is all.
        private: see `choose`.

    Returns:
        `id`, `phases`, `source` (the files behind the grid phase) and `notes` (`series`, `warnings`).

    Raises:
        CaseError: if no phase can be found, or the files of one are damaged.
    """
    case = case_id or case_of(study, private=private)
    choice = choose(study, case=case, phase_map=phase_map, private=private)
    logger.info(f"{case}: series of the study\n{table(choice.rows)}")
    for warning in choice.warnings:
        logger.warning(f"{case}: {warning}")
    phases = {p: s for p, s in choice.phases.items() if only is None or p in only}
    if not phases:
        problem = f"none of the phases {', '.join(only or PHASES)} is in the study"
        raise CaseError(case, str(output_dir), problem, "name another phase", "no_phase")
    written, warnings = {}, list(choice.warnings)
    for phase, series in phases.items():
        voxels, affine, remarks = read_files(series.paths, case=case)
        told = [*series.remarks, *(remark.problem for remark in remarks)]
        warnings += [f"series {series.name}: {problem}" for problem in told]
        whole = np.rint(voxels)
        exact = bool(np.abs(voxels - whole).max() < 1e-3) and whole.max() < 2**15
        path = output_dir.absolute() / "phases" / case / f"{phase}.nii.gz"
        write_volume(path, whole.astype(np.int16) if exact else voxels, affine)
        written[phase] = str(path)
    grid = next(phase for phase in GRID_ORDER if phase in phases)
    return {
        "id": case,
        "phases": written,
        "source": [str(path) for path in phases[grid].paths],
        "notes": {"series": choice.rows, "warnings": warnings},
    }
