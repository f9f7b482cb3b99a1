"""Reads datalists: MONAI-style JSON with nested phases, MONAI Label's items, or a single patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_item
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.datalist.read_text_file import read_json
from scripts.lidia.vocabulary import PHASES

SECTIONS = ("training", "validation", "test")


def load_datalist(
    dataset_dir: str | Path = ".",
    section: str = "test",
    *,
    file: str | Path | None = None,
    nc: str | Path | None = None,
    arterial: str | Path | None = None,
    venous: str | Path | None = None,
    delayed: str | Path | None = None,
    case_id: str | None = None,
    liver: str | Path | None = None,
    only: Sequence[str] | None = None,
    complete_only: bool = False,
    patients: int | None = None,
    check: bool = True,
) -> list[dict[str, Any]]:
    """Returns the cases of a section, or a single patient whose phases are given as arguments.

    Args:
        dataset_dir: folder of the data set.
        section: "training", "validation", "test" or any other list in the file.
        file: the JSON file; `dataset_dir/dataset.json` if None. A relative path is looked up in the working
            directory, then in `dataset_dir`. Paths in the file are relative to the file.
        nc: path of the non-contrast phase of a single patient (NIfTI, or a folder of one DICOM series).
        arterial: the same for the arterial phase.
        venous: the same for the venous phase.
        delayed: the same for the delayed phase.
        case_id: id of a single patient; by default the venous file's name without its extension.
        liver: liver mask of a single patient (NIfTI).
        only: phases to use, as if the others had not been scanned; cases without any of these are left
            out. None uses all phases.
        complete_only: leaves out the cases that lack a phase. `only` is applied after it, so that several
            choices of phases can be compared on the same cases.
        patients: number of cases to keep from the start of the section, before `only`. None keeps all.
        check: checks that all files exist and that all headers are valid before anything runs. Without it,
            invalid cases stay in the list, and each fails when it is loaded.

    Returns:
        Items `{"id", "phases": {phase: path}}` with absolute paths and, where given, "label", "liver",
        "instances" and all other keys that the list has for the case.

    Raises:
        CaseError: if the list cannot be read, names a case or a file twice, or (with `check`) if files are
            missing or invalid; the error names all of them.
    """
    user_phases = {"nc": nc, "arterial": arterial, "venous": venous, "delayed": delayed}
    user_phases = {phase: path for phase, path in user_phases.items() if path}
    if user_phases:
        raw: dict[str, Any] = {"phases": user_phases, "liver": liver, "id": case_id}
        source, items = "the command", [complete_item(raw, Path.cwd())]
    else:
        path = find_list_file(Path(dataset_dir), file)
        sections = read_sections(path)
        if section not in sections:
            problem = f"no section '{section}'; there are: {', '.join(sections) or 'none'}"
            remedy = "give one of these sections, or add the missing one to the file"
            raise CaseError("datalist", str(path), problem, remedy, "no_section")
        source, items = str(path), sections[section]
    problem = f"the section '{section}' holds no case"
    _require_cases(items, source, problem, "give another section, or add cases")
    if complete_only:
        items = [item for item in items if len(item["phases"]) == len(PHASES)]
        _require_cases(items, source, "no case has all phases", "leave out --complete_only")
    if patients is not None:
        if not isinstance(patients, int) or isinstance(patients, bool) or patients < 1:
            remedy = "give a whole number of at least 1, or none"
            raise CaseError("datalist", "", f"patients is {patients!r}", remedy, "bad_count")
        items = items[:patients]
    if only is not None:
        items = _restrict_phases(items, only)
    faults = [fault for item in items for fault in check_item(item)] if check else []
    faults = [fault for fault in faults if fault.severity == "error"]
    if faults:
        fault = CaseError.together(faults, source)
        raise fault
    return items


def _require_cases(items: Sequence[Any], source: str, problem: str, remedy: str) -> None:
    """Refuses an empty list, because a job without cases would end without an error.

    Raises:
        CaseError: if there is no case.
    """
    if not items:
        raise CaseError("datalist", source, problem, remedy, "no_case")


def _restrict_phases(items: list[dict[str, Any]], only: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the cases that have any of the phases in `only`, restricted to these phases.

    Raises:
        CaseError: if `only` names an unknown phase, or no case has any of its phases.
    """
    phases = "phases [" + ", ".join(map(str, only)) + "]"
    if isinstance(only, str) or not set(only) <= set(PHASES):
        remedy = f"list some of {', '.join(PHASES)}"
        raise CaseError("datalist", "", f"unknown {phases}", remedy, "unknown_phase")
    reduced = [{**item, "phases": {p: f for p, f in item["phases"].items() if p in only}} for item in items]
    non_empty = [item for item in reduced if item["phases"]]
    if not non_empty:
        raise CaseError("datalist", "", f"no case has any of the {phases}", "give another phase", "no_phase")
    return non_empty


def read_sections(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Reads all sections of a list and checks that no case and no file appears in it twice.

    Args:
        path: JSON file with lists of items, e.g. `{"training": [...], "test": [...]}`.

    Returns:
        Completed items by section, see `complete_item`.

    Raises:
        CaseError: if the file is not a datalist, or if an item is invalid.
    """
    sections, faults = read_lists(path)
    if faults:
        summary = CaseError.together(faults, str(Path(path).absolute()))
        raise summary
    return sections


def read_lists(path: str | Path) -> tuple[dict[str, list[dict[str, Any]]], list[CaseError]]:
    """Reads all sections of a list; returns the valid items and the faults of the others.

    Args:
        path: JSON file, see `read_sections`.

    Returns:
        Completed items by section, and the faults of the invalid items.

    Raises:
        CaseError: if the file is not a datalist.
    """
    path = Path(path).absolute()
    remedy = "give its folder by --dataset_dir, the file by --datalist, or one patient by --venous etc."
    content = read_json(path, missing=remedy)
    lists = {k: v for k, v in content.items() if isinstance(v, list)} if isinstance(content, dict) else {}
    # a file may also hold other lists (authors, references); bare paths are items only in the known sections
    lists = {k: v for k, v in lists.items() if k in SECTIONS or all(isinstance(i, Mapping) for i in v)}
    if not lists:
        problem, remedy = "the file holds no list of cases", 'write {"training": [...], "test": [...]}'
        raise CaseError("datalist", str(path), problem, remedy, "bad_datalist")
    if not any(lists.values()):
        problem = f"the sections {', '.join(lists)} hold no case"
        raise CaseError("datalist", str(path), problem, "add the cases, or give another list", "no_case")
    sections: dict[str, list[dict[str, Any]]] = {}
    faults: list[CaseError] = []
    for section, entries in lists.items():
        sections[section] = []
        for number, entry in enumerate(entries):
            try:
                sections[section].append(complete_item(entry, path.parent, f"{section}[{number}]"))
            except CaseError as fault:
                faults.append(CaseError(fault.case, str(path), fault.problem, fault.remedy, fault.code))
    return sections, faults + _find_duplicates(sections, path)


def find_list_file(folder: Path, file: str | Path | None) -> Path:
    """Returns the path of the list: `file` in the working directory or the folder, else `dataset.json`."""
    if file is None:
        return folder / "dataset.json"
    path = Path(file)
    return path if path.is_absolute() or path.is_file() else folder / path


def _find_duplicates(sections: dict[str, list[dict[str, Any]]], path: Path) -> list[CaseError]:
    places: dict[tuple[str, str], str] = {}
    faults = []
    for section, items in sections.items():
        for item in items:
            # some file systems ignore case and Unicode composition: both ids would name the same files
            identity = normalize("NFC", item["id"]).casefold()
            keys = [("id", identity), *(("file", file) for file in item["phases"].values())]
            for kind, value in keys:
                place = f"{section} ({item['id']})"
                if (kind, value) in places:
                    name = item["id"] if kind == "id" else value
                    problem = f"the {kind} {name} appears in {places[kind, value]} and again in {place}"
                    remedy = "list every patient and file once; ids that differ only in case are the same id"
                    faults.append(CaseError(item["id"], str(path), problem, remedy, "duplicate"))
                places[kind, value] = place
    return faults
