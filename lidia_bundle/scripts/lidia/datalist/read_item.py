"""Normalises one entry of a datalist to the form that all other code reads, and checks its id."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.options.expand_paths import expand_home
from scripts.lidia.vocabulary import CLASSES, PHASES

MASKS = ("label", "liver", "instances", "ignored")
"""Keys of an item that name one file each."""

RESERVED_IDS = ("errors", "index", "summary", "metrics", "check", "report", "prepare", "dataset")
"""Names of files that jobs write beside those of the patients; an id may not be one of them."""

DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.DOTALL)
"""Names that Windows keeps for devices; no file there can have them, with any extension."""

MAX_ID_BYTES = 200
"""Longest id in bytes: file systems allow 255, and result files append to the id."""


def complete_item(
    entry: str | Mapping[str, Any], folder: str | Path, place: str = "this item"
) -> dict[str, Any]:
    """Converts one entry to the form `{"id", "phases": {...}, ...}` with absolute paths.

    An entry may have this form already, be MONAI Label's `{"image": path, "label": path}` or a bare path.
    `image` is then the venous volume, and the other phases are `phases/<id>/<phase>.nii.gz` beside it.

    Args:
        entry: the entry of the list.
        folder: base folder of relative paths.
        place: name for an entry that has no id, used in error messages.

    Returns:
        A new dictionary; other keys of the entry are kept.

    Raises:
        CaseError: if the entry has no phase, an unknown phase, or an id that cannot be a file name.
    """
    if not isinstance(entry, str | Mapping):
        problem = f"{entry!r} is not an item"
        raise CaseError(place, "", problem, 'write {"id": ..., "phases": {...}}', "bad_datalist")
    item: dict[str, Any] = {"image": entry} if isinstance(entry, str) else dict(entry)
    case = place if item.get("id") in (None, "") else str(item["id"])
    phases = item.pop("phases", None) or {}
    unknown = sorted(set(phases) - set(PHASES)) if isinstance(phases, Mapping) else [repr(phases)]
    if unknown:
        problem = f"unknown phase {', '.join(unknown)}"
        raise CaseError(case, "", problem, f"the phases are {', '.join(PHASES)}", "unknown_phase")
    values = {**phases, **{key: item[key] for key in ("image", *MASKS) if key in item}}
    set_values = {
        key: value for key, value in values.items() if value or (key == "image" and value is not None)
    }
    invalid = [key for key, value in set_values.items() if not _is_path(value, several=key == "image")]
    if invalid:
        problem = f"{', '.join(invalid)}: not the path of a file"
        raise CaseError(case, "", problem, "write paths as text", "bad_datalist")
    paths = {p: _absolute(phases[p], folder) for p in PHASES if phases.get(p)}
    image = item.pop("image", None)
    if isinstance(image, list | tuple):
        if len(image) != 1:
            problem = f"`image` names {len(image)} files"
            raise CaseError(case, "", problem, 'list the phases under "phases" by name', "unknown_phase")
        image = image[0]
    if image is not None and "venous" not in paths and _absolute(image, folder) not in paths.values():
        paths["venous"] = _absolute(image, folder)
    if not paths:
        remedy = f"give at least one of {', '.join(PHASES)}"
        raise CaseError(case, "", "no phase is given", remedy, "no_phase")
    first = paths.get("venous") or next(reversed(paths.values()))
    identity = _make_id(item.get("id"), first, case)
    if image is not None:
        beside = Path(first).parent / "phases" / identity
        siblings = {p: str(beside / f"{p}.nii.gz") for p in PHASES if (beside / f"{p}.nii.gz").is_file()}
        paths = {**siblings, **paths}
    item = {k: v for k, v in item.items() if v is not None}
    if "ignore" in item and not (type(item["ignore"]) is int and len(CLASSES) <= item["ignore"] <= 255):
        problem = f"ignore is {item['ignore']!r}"
        remedy = f"give the label value to ignore, {len(CLASSES)} to 255"
        raise CaseError(case, first, problem, remedy, "bad_datalist")
    item["id"] = identity
    item["phases"] = {p: paths[p] for p in PHASES if p in paths}
    item.update({key: _absolute(item[key], folder) for key in MASKS if isinstance(item.get(key), str | Path)})
    return item


def _make_id(raw_id: Any, first: str, case: str) -> str:
    """Returns the given id of a case, or one made from the name of its first file; file names begin with it.

    Raises:
        CaseError: if it cannot be part of a file name, or is the name of a file that jobs write.
    """
    remedy = "choose an id without slashes and special characters"
    if raw_id is not None and not (isinstance(raw_id, str) or type(raw_id) is int):
        problem = f"the id {raw_id!r} is not text, and its conversion to text may change it"
        raise CaseError(case, first, problem, 'write it in quotes, as "id": "..."', "bad_id")
    identity = make_case_name(first) if raw_id is None else str(raw_id)
    problem = ""
    if identity.strip() in ("", ".", "..") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in identity):
        problem = f"the id {identity!r} cannot be part of a file name"
    elif identity.lower() in RESERVED_IDS:
        problem, remedy = f"the id {identity!r} is the name of a file that jobs write", "choose another id"
    elif DEVICE_NAMES.fullmatch(identity):
        problem, remedy = f"the id {identity!r} is the name of a device on Windows", "choose another id"
    elif len(identity.encode(errors="replace")) > MAX_ID_BYTES:
        problem, remedy = f"the id has more than {MAX_ID_BYTES} bytes", "choose a shorter id"
    if problem:
        raise CaseError(case, first, problem, remedy, "bad_id")
    return identity


def make_case_name(path: str | PurePath) -> str:
    """Returns a file's name without .nii or .nii.gz (other dots are kept), the default id of a case."""
    name = Path(path).name
    for ending in (".nii.gz", ".nii"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _is_path(value: Any, *, several: bool) -> bool:
    if several and isinstance(value, list | tuple):
        return all(_is_path(item, several=False) for item in value)
    return isinstance(value, str | os.PathLike) and bool(str(value)) and "\0" not in str(value)


def _absolute(path: str | Path, folder: str | Path) -> str:
    """Makes a path absolute, relative to the folder of the list.

    Raises:
        CaseError: if it begins with `~` and that home folder does not exist.
    """
    try:
        return str(Path(folder).absolute() / expand_home(path))
    except ValueError as problem:
        remedy = f"write {problem}"
        raise CaseError("datalist", str(path), "its home folder is unknown", remedy, "missing") from problem
