"""A folder that a command fills: one set of settings, faults listed, and a rerun does what is missing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from scripts.lidia.atomic import sweep, write_text
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.inference.case_evaluator import to_case_error, write_faults
from scripts.lidia.input_folders import list_files

SETTINGS = "prepare.json"
ERRORS = "errors.json"
logger = logging.getLogger("lidia.prepare")

Case = TypeVar("Case")
Done = TypeVar("Done")


def claim(folder: Path, settings: Mapping[str, Any]) -> None:
    """Makes the folder and notes the settings in it, so that no two sets of settings mix in one folder.

    Raises:
        CaseError: if the folder was begun with other settings.
    """
    note = folder / SETTINGS
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    if note.is_file() and note.read_text(encoding="utf-8") != text:
        problem = f"the folder was filled with other settings: {_differences(note, settings)}"
        remedy = "name another folder, or remove this one"
        raise CaseError("datalist", str(note), problem, remedy, "other_settings")
    write_text(note, text)
    for place in list_files(folder).folders:
        sweep(place)


def _differences(note: Path, settings: Mapping[str, Any]) -> str:
    try:
        before = json.loads(note.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        return "they cannot be read"
    plain = json.loads(json.dumps(settings))
    keys = [key for key in sorted({*before, *plain}) if before.get(key) != plain.get(key)]
    return ", ".join(f"{key} was {before.get(key)!r}, now {plain.get(key)!r}" for key in keys)


def is_fresh(made: Iterable[Path], sources: Iterable[str | Path]) -> bool:
    """Whether all files are there and none is older than what it was made from."""
    made = list(made)
    if not all(path.is_file() for path in made):
        return False
    oldest = min((path.stat().st_mtime_ns for path in made), default=0)
    return all(_changed(Path(source)) <= oldest for source in sources)


def _changed(path: Path) -> int:
    """When a file, or the last one in a DICOM folder, was changed; a missing one makes everything stale."""
    listing = list_files(path)
    files = [path, *listing.folders, *listing.files]
    return max((file.stat().st_mtime_ns for file in files), default=0) if path.exists() else 2**63


def each(
    cases: Sequence[Case],
    work: Callable[[Case], Done],
    told: Callable[[Case], Mapping[str, Any]],
    folder: Path,
) -> list[Done]:
    """Works on every case, the good ones to the end; then names those at fault.

    Args:
        cases: what to work on.
        work: does one case; raises CaseError.
        told: the `id` (and `phases`) of a case, for the message of an unforeseen fault.
        folder: where `errors.json` goes.

    Returns:
        What `work` gave, in the order of the cases.

    Raises:
        CaseError: if a case is at fault, after all others are done.
    """
    done: list[Done] = []
    faults: list[CaseError] = []
    for case in tqdm(cases, unit="case", disable=None):
        try:
            done.append(work(case))
        except Exception as problem:
            faults.append(to_case_error(problem, told(case)))
            logger.error(str(faults[-1]))
    write_faults(folder / ERRORS, faults)
    if faults:
        summary = CaseError.together(faults, str(folder / ERRORS))
        raise summary
    return done
