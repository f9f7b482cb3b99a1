"""One entry of a list of cases in the one form that everything else reads, and what an id may be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.options.expand_paths import expand
from scripts.lidia.vocabulary import CLASSES, PHASES

MASKS = ("label", "liver", "instances")
"""Keys of an item that name one file each."""

TAKEN = ("errors", "index", "summary", "metrics", "check", "report", "prepare", "dataset")
"""Names of files that jobs write beside those of the patients."""

LONGEST = 200
"""Bytes of an id: file systems end at 255, and results add to it."""


def complete_item(
    entry: str | Mapping[str, Any], folder: str | Path, place: str = "this item"
) -> dict[str, Any]:
    """Brings one entry into the form `{"id", "phases": {...}, ...}` with absolute paths.

    An entry may be ours, MONAI Label's `{"image": path, "label": path}` or a bare path; `image` is then the
    venous volume, and its siblings are `phases/<id>/<phase>.nii.gz` beside it.

    Args:
        entry: what the list holds.
        folder: where relative paths begin.
        place: what to call an entry that has no id.

    Returns:
        A new dictionary; other keys of the entry are kept.

    Raises:
        CaseError: if the entry has no phase, an unknown one, or an id that is no file name.
    """
    if not isinstance(entry, str | Mapping):
        problem = f"{entry!r} is no item"
        raise CaseError(place, "", problem, 'write {"id": ..., "phases": {...}}', "bad_datalist")
    item: dict[str, Any] = {"image": entry} if isinstance(entry, str) else dict(entry)
    case = place if item.get("id") in (None, "") else str(item["id"])
    phases = item.pop("phases", None) or {}
    unknown = sorted(set(phases) - set(PHASES)) if isinstance(phases, Mapping) else [repr(phases)]
    if unknown:
        problem = f"unknown phase {', '.join(unknown)}"
        raise CaseError(case, "", problem, f"the phases are {', '.join(PHASES)}", "unknown_phase")
    named = {**phases, **{key: item[key] for key in ("image", *MASKS) if key in item}}
    given = {key: value for key, value in named.items() if value or (key == "image" and value is not None)}
    odd = [key for key, value in given.items() if not _is_path(value, several=key == "image")]
    if odd:
        problem = f"{', '.join(odd)}: no path of a file"
        raise CaseError(case, "", problem, "write paths as text", "bad_datalist")
    paths = {p: _absolute(phases[p], folder) for p in PHASES if phases.get(p)}
    image = item.pop("image", None)
    if isinstance(image, list | tuple):
        if len(image) != 1:
            problem = f"`image` names {len(image)} files"
            raise CaseError(case, "", problem, 'list the phases under "phases" by name', "unknown_phase")
        image = image[0]
    if image is not None and "venous" not in paths:
        paths["venous"] = _absolute(image, folder)
    if not paths:
        raise CaseError(
            case, "", "no phase is given", f"name at least one of {', '.join(PHASES)}", "no_phase"
        )
    first = paths.get("venous") or next(reversed(paths.values()))
    identity = _identity(item.get("id"), first, case)
    if image is not None:
        beside = Path(first).parent / "phases" / identity
        found = {p: str(beside / f"{p}.nii.gz") for p in PHASES if (beside / f"{p}.nii.gz").is_file()}
        paths = {**found, **paths}
    item = {k: v for k, v in item.items() if v is not None}
    if "ignore" in item and not (type(item["ignore"]) is int and len(CLASSES) <= item["ignore"] <= 255):
        problem = f"ignore is {item['ignore']!r}"
        remedy = f"name the value of the label to be ignored, {len(CLASSES)} to 255"
        raise CaseError(case, first, problem, remedy, "bad_datalist")
    item["id"] = identity
    item["phases"] = {p: paths[p] for p in PHASES if p in paths}
    item.update({key: _absolute(item[key], folder) for key in MASKS if isinstance(item.get(key), str | Path)})
    return item


def _identity(given: Any, first: str, case: str) -> str:
    """The id of a case, which begins the names of its files: as given, else by the name of its first file.

    Raises:
        CaseError: if it cannot be part of a file name, or would name a file of the job.
    """
    remedy = "choose an id without slashes and special characters"
    if given is not None and not (isinstance(given, str) or type(given) is int):
        problem = f"the id {given!r} is no text, and may be something else than what was written"
        raise CaseError(case, first, problem, 'write it in quotes, as "id": "..."', "bad_id")
    identity = case_name(first) if given is None else str(given)
    problem = ""
    if identity.strip() in ("", ".", "..") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in identity):
        problem = f"the id {identity!r} cannot be part of a file name"
    elif identity.lower() in TAKEN:
        problem, remedy = f"the id {identity!r} is the name of a file of the job", "choose another id"
    elif len(identity.encode(errors="replace")) > LONGEST:
        problem, remedy = f"the id has more than {LONGEST} bytes", "choose a shorter id"
    if problem:
        raise CaseError(case, first, problem, remedy, "bad_id")
    return identity


def case_name(path: str | Path) -> str:
    """Gives a file's name without .nii or .nii.gz (other dots are kept): the id of a case without one."""
    name = Path(path).name
    for ending in (".nii.gz", ".nii"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _is_path(value: Any, *, several: bool) -> bool:
    if several and isinstance(value, list | tuple):
        return all(_is_path(one, several=False) for one in value)
    return isinstance(value, str | os.PathLike) and bool(str(value)) and "\0" not in str(value)


def _absolute(path: str | Path, folder: str | Path) -> str:
    """A path from the folder of the list.

    Raises:
        CaseError: if it begins with `~`, and there is no such home folder.
    """
    try:
        return str(Path(folder).absolute() / expand(path))
    except ValueError as problem:
        remedy = f"write {problem}"
        raise CaseError("datalist", str(path), "its home folder is unknown", remedy, "missing") from problem
