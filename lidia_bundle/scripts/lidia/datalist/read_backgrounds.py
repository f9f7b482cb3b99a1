"""Reads a datalist of backgrounds: CT with liver masks, into which lesions are implanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.deferred_list import defer
from scripts.lidia.datalist.read_datalist import load_datalist, read_sections


def read_backgrounds(file: str | Path, ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Reads the cases of all sections of a datalist.

    Args:
        file: JSON file; each case has `phases` on one grid and `liver`.
        ids: cases that are used; None uses all.

    Returns:
        The cases.

    Raises:
        CaseError: if the list is invalid, has no case of `ids`, or a case has no liver mask.
    """
    items = [item for section in read_sections(file).values() for item in section]
    _require_cases(items, ids or (), "the list", file, "background_ids")
    items = [item for item in items if ids is None or item["id"] in ids]
    _require_liver(items, file)
    return items


def load_backgrounds(
    file: str | Path | None, *, section: str = "training", leave_out: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Loads the backgrounds of one section and checks that all their files exist.

    Args:
        file: JSON file, see `read_backgrounds`.
        section: section of the list.
        leave_out: ids of cases that are not used, for cross-validation; None uses all.

    Returns:
        The cases.

    Raises:
        CaseError: if no file is given, the list or a file of it is invalid, a case has no liver mask, or
            `leave_out` names a case that the section does not have.
    """
    if file is None:
        problem, remedy = "no backgrounds are given", "name the datalist of your CT by --backgrounds"
        raise CaseError("backgrounds", "", problem, remedy, "missing")
    items = load_datalist(section=section, file=file)
    _require_liver(items, file)
    omitted = set(leave_out or ())
    _require_cases(items, omitted, f"the section {section!r}", file, "leave_out")
    return [item for item in items if item["id"] not in omitted]


defer_backgrounds = defer(load_backgrounds)


def _require_cases(
    items: Sequence[dict[str, Any]], ids: Iterable[str], place: str, file: str | Path, option: str
) -> None:
    """Checks that each id is the id of a case.

    Raises:
        CaseError: it names the ids that are not.
    """
    unknown = set(ids) - {item["id"] for item in items}
    if unknown:
        problem = f"{place} has no case {', '.join(sorted(unknown))}"
        raise CaseError("backgrounds", str(file), problem, f"correct {option}", "unknown_case")


def _require_liver(items: Sequence[dict[str, Any]], file: str | Path) -> None:
    """Checks that each case has a liver mask.

    Raises:
        CaseError: it names all cases without one.
    """
    remedy = "give its mask under `liver`"
    faults = [
        CaseError(item["id"], str(file), "no liver mask", remedy, "no_liver_mask")
        for item in items
        if not item.get("liver")
    ]
    if faults:
        fault = CaseError.together(faults, str(file))
        raise fault
