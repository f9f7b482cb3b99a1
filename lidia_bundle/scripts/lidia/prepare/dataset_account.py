"""Records for each file of a public data set whether it became a phase, a label or a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, log_summary
from scripts.lidia.input_folders import list_files
from scripts.lidia.prepare.case_files import SourcePatient
from scripts.lidia.prepare.output_folder import logger


def close_account(
    account: Account, patients: Sequence[SourcePatient | CaseError], folder: Path, used: Sequence[str]
) -> dict[str, Any]:
    """Records the use of every file of a data set, logs it, and writes `files.csv`.

    Args:
        account: account of the data set; a reader's exclusions stay, unless a patient uses the file.
        patients: results of the reader, faults included.
        folder: output folder of `files.csv`.
        used: ids of the converted patients.
    """
    for patient in patients:
        if isinstance(patient, CaseError):
            files = _list_below([Path(patient.file)])
            account.leave_out(files, "failed", case=patient.case, detail=patient.problem)
            continue
        for phase, place in patient.phases.items():
            files = _list_below(place if isinstance(place, tuple) else [place])
            if patient.id in used:
                account.use(files, phase, case=patient.id)
            else:
                account.leave_out(files, "failed", case=patient.id)
        if patient.id in used:
            account.use(_list_below(mask.path for mask in patient.masks or ()), "label", case=patient.id)
            account.use(_list_below(patient.tables), "table")
    account.close("not_needed")
    summary = account.summary()
    log_summary(summary, logger, account.folder.name)
    account.write(folder / "files.csv")
    return summary


def _list_below(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (list_files(path).files if path.is_dir() else [path])]
