"""Manages output folders: one set of settings per folder, a list of faults, and reruns of missing files."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from scripts.lidia.atomic import remove_stale_files, write_text
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.case_evaluator import to_case_error, write_faults
from scripts.lidia.input_folders import list_files

SETTINGS = "prepare.json"
ERRORS = "errors.json"
logger = logging.getLogger("lidia.prepare")

Case = TypeVar("Case")
Result = TypeVar("Result")


def record_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Creates the folder and records the settings in it, so that it holds results of one set only.

    Raises:
        CaseError: if the folder was begun with other settings.
    """
    note = folder / SETTINGS
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        problem = f"the folder was filled with other settings: {_describe_differences(note, settings)}"
        remedy = "give another folder, or remove this one"
        raise CaseError("datalist", str(note), problem, remedy, "other_settings")
    write_text(note, text)
    for place in list_files(folder).folders:
        remove_stale_files(place)


def _describe_differences(note: Path, settings: Mapping[str, Any]) -> str:
    try:
        previous = json.loads(note.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return "they cannot be read"
    current = json.loads(json.dumps(settings))
    keys = [key for key in sorted({*previous, *current}) if previous.get(key) != current.get(key)]
    return ", ".join(f"{key} was {previous.get(key)!r}, now {current.get(key)!r}" for key in keys)


def is_up_to_date(outputs: Iterable[Path], sources: Iterable[str | Path]) -> bool:
    """Returns whether all output files exist and none is older than its sources.

    Args:
        outputs: files that were written.
        sources: files or DICOM folders that they are made from.
    """
    outputs = list(outputs)
    if not all(path.is_file() for path in outputs):
        return False
    oldest = min((path.stat().st_mtime_ns for path in outputs), default=0)
    return all(_get_modified_ns(Path(source)) <= oldest for source in sources)


def _get_modified_ns(path: Path) -> int:
    """Returns the time of the last change of a file or of a DICOM folder's files; missing ones are newest."""
    listing = list_files(path)
    files = [path, *listing.folders, *listing.files]
    return max((file.stat().st_mtime_ns for file in files), default=0) if path.exists() else 2**63


def process_cases(
    cases: Sequence[Case | CaseError],
    work: Callable[[Case], Result],
    describe: Callable[[Case], Mapping[str, Any]],
    folder: Path,
) -> list[Result]:
    """Processes every case, continues after a fault, and then reports all faults.

    Args:
        cases: the cases to process; a CaseError stands for a case that cannot be processed.
        work: processes one case; raises CaseError.
        describe: returns the `id` (and `phases`) of a case, for the message of an unexpected error.
        folder: output folder of `errors.json`.

    Returns:
        The results of `work`, in the order of the cases.

    Raises:
        CaseError: if cases failed, after all others are done.
    """
    results: list[Result] = []
    faults: list[CaseError] = []
    for case in tqdm(cases, unit="case", disable=None):
        if isinstance(case, CaseError):
            faults.append(case)
            logger.error(str(case))
            continue
        try:
            results.append(work(case))
        except Exception as problem:
            faults.append(to_case_error(problem, describe(case)))
            logger.error(str(faults[-1]))
    write_faults(folder / ERRORS, faults)
    if faults:
        summary = CaseError.together(faults, str(folder / ERRORS))
        raise summary
    return results
