"""Reading lists of cases: MONAI-style JSON with nested phases, MONAI Label's items, a lone patient."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import check_item
from scripts.lidia.datalist.read_item import complete_item
from scripts.lidia.datalist.read_text_file import read_text
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
    """Gives the cases of a section, or the one patient whose phases are named.

    Args:
        dataset_dir: folder of the data set.
        section: "training", "validation", "test" or any other list in the file.
        file: the JSON file; `dataset_dir/dataset.json` if None. A relative path is looked up in the working
            directory, then in `dataset_dir`. Paths in the file are relative to the file.
        nc: path of the non-contrast phase of a lone patient (NIfTI, or a folder of one DICOM series).
        arterial: the same for the arterial phase.
        venous: the same for the venous phase.
        delayed: the same for the delayed phase.
        case_id: id of a lone patient; by default the venous file's name without endings.
        liver: liver mask of a lone patient (NIfTI).
        only: phases to look at, as if the others had not been scanned; cases without any of these are left
            out. None is all.
        complete_only: leave out the cases that lack a phase. `only` comes after it, so that several choices
            of phases can be compared on the same cases.
        patients: the first so many cases alone, counted before `only`. None is all.
        check: look for all files and check all headers now, so that a fault is known before anything runs.
            Without it the cases at fault stay in the list, and fail one by one when they are loaded.

    Returns:
        Items `{"id", "phases": {phase: path}}` with absolute paths and, where given, "label", "liver",
        "instances" and whatever else the list says of the case.

    Raises:
        CaseError: if the list cannot be read, names a case or a file twice, or (with `check`) if files are
            missing or unfit; all of them are named at once.
    """
    named = {"nc": nc, "arterial": arterial, "venous": venous, "delayed": delayed}
    named = {phase: path for phase, path in named.items() if path}
    if named:
        raw: dict[str, Any] = {"phases": named, "liver": liver, "id": case_id}
        source, items = "the command", [complete_item(raw, Path.cwd())]
    else:
        path = find_list_file(Path(dataset_dir), file)
        sections = read_sections(path)
        if section not in sections:
            raise CaseError(
                "datalist",
                str(path),
                f"no section '{section}'; there are: {', '.join(sections) or 'none'}",
                "name one of these sections, or add the missing one to the file",
                "no_section",
            )
        source, items = str(path), sections[section]
    _some(items, source, f"the section '{section}' holds no case", "name another section, or add cases")
    if complete_only:
        items = [item for item in items if len(item["phases"]) == len(PHASES)]
        _some(items, source, "no case has all phases", "leave out --complete_only")
    if patients is not None:
        items = items[: _count(patients)]
    if only is not None:
        items = _with_phases(items, only)
    faults = [fault for item in items for fault in check_item(item)] if check else []
    faults = [fault for fault in faults if fault.severity == "error"]
    if faults:
        fault = CaseError.together(faults, source)
        raise fault
    return items


def _some(items: Sequence[Any], source: str, problem: str, remedy: str) -> None:
    """Refuses a list without cases: a job on nobody would end as if all were well.

    Raises:
        CaseError: there is none.
    """
    if not items:
        raise CaseError("datalist", source, problem, remedy, "no_case")


def _count(patients: int) -> int:
    """A number of cases.

    Raises:
        CaseError: if it is no whole number of at least 1.
    """
    if not isinstance(patients, int) or isinstance(patients, bool) or patients < 1:
        problem = f"patients is {patients!r}"
        raise CaseError("datalist", "", problem, "give a whole number of at least 1, or none", "bad_count")
    return patients


def _with_phases(items: list[dict[str, Any]], only: Sequence[str]) -> list[dict[str, Any]]:
    """The cases that have one of the phases `only`, with these phases alone.

    Raises:
        CaseError: if `only` names an unknown phase, or no case has any of its phases.
    """
    named = "phases [" + ", ".join(map(str, only)) + "]"
    if isinstance(only, str) or not set(only) <= set(PHASES):
        remedy = f"list some of {', '.join(PHASES)}"
        raise CaseError("datalist", "", f"unknown {named}", remedy, "unknown_phase")
    cut = [{**item, "phases": {p: f for p, f in item["phases"].items() if p in only}} for item in items]
    kept = [item for item in cut if item["phases"]]
    if not kept:
        raise CaseError("datalist", "", f"no case has any of the {named}", "name another phase", "no_phase")
    return kept


def read_sections(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Reads all sections of a list and checks that no case and no file stands in it twice.

    Args:
        path: JSON file with lists of items, e.g. `{"training": [...], "test": [...]}`.

    Returns:
        Completed items by section, see `complete_item`.

    Raises:
        CaseError: if the file is no such list, or if an item is at fault.
    """
    sections, faults = read_lists(path)
    if faults:
        summary = CaseError.together(faults, str(Path(path).absolute()))
        raise summary
    return sections


def read_lists(path: str | Path) -> tuple[dict[str, list[dict[str, Any]]], list[CaseError]]:
    """Reads all sections of a list, and what is wrong with its items; the good ones are there all the same.

    Args:
        path: JSON file, see `read_sections`.

    Returns:
        Completed items by section; the faults of items.

    Raises:
        CaseError: if the file is no list of cases at all.
    """
    path = Path(path).absolute()
    try:
        content = json.loads(read_text(path))
    except FileNotFoundError as error:
        remedy = "name its folder by --dataset_dir or the file by --datalist, or one patient by --venous etc."
        raise CaseError("datalist", str(path), "there is no such file", remedy, "missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CaseError(
            "datalist", str(path), f"not JSON: {error}", "mend the file at the line named", "bad_json"
        ) from error
    lists = {k: v for k, v in content.items() if isinstance(v, list)} if isinstance(content, dict) else {}
    # other lists (authors, references) may stand beside; bare paths are items in the known sections only
    lists = {k: v for k, v in lists.items() if k in SECTIONS or all(isinstance(i, Mapping) for i in v)}
    if not lists:
        problem = "holds no list of cases"
        raise CaseError(
            "datalist", str(path), problem, 'write {"training": [...], "test": [...]}', "bad_datalist"
        )
    if not any(lists.values()):
        problem = f"the sections {', '.join(lists)} hold no case"
        raise CaseError("datalist", str(path), problem, "add the cases, or name another list", "no_case")
    sections: dict[str, list[dict[str, Any]]] = {}
    faults: list[CaseError] = []
    for section, entries in lists.items():
        sections[section] = []
        for number, entry in enumerate(entries):
            try:
                sections[section].append(complete_item(entry, path.parent, f"{section}[{number}]"))
            except CaseError as fault:
                faults.append(CaseError(fault.case, str(path), fault.problem, fault.remedy, fault.code))
    return sections, faults + _twice(sections, path)


def find_list_file(folder: Path, file: str | Path | None) -> Path:
    """Where the list of a data set lies: `file` from here or from the folder, else its `dataset.json`."""
    if file is None:
        return folder / "dataset.json"
    path = Path(file)
    return path if path.is_absolute() or path.is_file() else folder / path


def _twice(sections: dict[str, list[dict[str, Any]]], path: Path) -> list[CaseError]:
    places: dict[tuple[str, str], str] = {}
    faults = []
    for section, items in sections.items():
        for item in items:
            # files of both would fall on one where a file system knows neither capitals nor composed letters
            identity = normalize("NFC", item["id"]).casefold()
            marks = [("id", identity), *(("file", file) for file in item["phases"].values())]
            for kind, value in marks:
                where = f"{section} ({item['id']})"
                if (kind, value) in places:
                    name = item["id"] if kind == "id" else value
                    problem = f"the {kind} {name} stands in {places[kind, value]} and again in {where}"
                    remedy = "every patient and file may stand in one section once; capitals make no other id"
                    faults.append(CaseError(item["id"], str(path), problem, remedy, "duplicate"))
                places[kind, value] = where
    return faults
