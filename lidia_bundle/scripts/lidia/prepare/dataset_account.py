"""The account of a public data set: which file became a phase, a label or a table of which patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, log_summary
from scripts.lidia.input_folders import list_files
from scripts.lidia.prepare.case_files import Patient
from scripts.lidia.prepare.output_folder import logger


def close_account(
    account: Account, patients: Sequence[Patient | CaseError], folder: Path, used: Sequence[str]
) -> dict[str, Any]:
    """Gives every file of a data set its fate, tells of it, and writes `files.csv`.

    Args:
        account: of the data set; what a reader already left out stays so, unless a patient uses it.
        patients: what the reader found, faults among them.
        folder: where `files.csv` goes.
        used: ids of the patients who were converted.

    Returns:
        The summary of the account.
    """
    for one in patients:
        if isinstance(one, CaseError):
            account.leave_out(_below([Path(one.file)]), "failed", case=one.case, detail=one.problem)
        elif one.id in used:
            for phase, place in one.phases.items():
                account.use(_below(place if isinstance(place, tuple) else [place]), phase, case=one.id)
            drawn = [one_drawn.path for one_drawn in one.drawn or ()]
            account.use(_below(drawn), "label", case=one.id)
            account.use(_below(one.told_by), "table")
        else:
            places = [place if isinstance(place, tuple) else (place,) for place in one.phases.values()]
            account.leave_out(_below([path for place in places for path in place]), "failed", case=one.id)
    account.close("not_needed")
    summary = account.summary()
    log_summary(summary, logger, account.folder.name)
    account.write(folder / "files.csv")
    return summary


def _below(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (list_files(path).files if path.is_dir() else [path])]
