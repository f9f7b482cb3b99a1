"""Matches the series that a user names for a phase, and formats series for messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_files
from scripts.lidia.dicom.series_text import find_phases
from scripts.lidia.dicom.study import Series, Study
from scripts.lidia.vocabulary import PHASES


def describe_series(series: Series, private: bool) -> str:
    """Returns the SeriesDescription; if private, its phase words only, since free text may name people."""
    return ", ".join(find_phases(series.description).values()) if private else series.description


def format_title(series: Series, private: bool) -> str:
    """Formats a series by number and description."""
    words = describe_series(series, private)
    return f"series {series.name}" + (f" ({words})" if words else "")


def format_reason(series: Series, private: bool) -> str:
    """Formats why a series was left out; names the file unless its name may identify the patient."""
    shows_file = not private and Path(series.file) in series.paths
    return f"{series.refused} (file {series.file})" if shows_file else series.refused


def find_folder(study: Study) -> str:
    """Returns the folder of the first series, for messages."""
    return str(study.series[0].paths[0].parent)


def match_named_series(
    study: Study, phase_map: Mapping[str, Any], case: str, private: bool
) -> dict[str, Series | None]:
    """Finds the series that the user names for each phase, also one that does not look like a phase.

    Args:
        study: of one patient.
        phase_map: number, UID or description of a series by phase; None leaves the phase out.
        case: id of the case, for messages.
        private: shortens descriptions so that they cannot identify the patient.

    Raises:
        CaseError: if a phase is unknown, or a name matches no series, several, or an unreadable one.
    """
    selected: dict[str, Series | None] = {}
    for phase, word in phase_map.items():
        if phase not in PHASES:
            remedy = f"the phases are {', '.join(PHASES)}"
            raise CaseError(case, find_folder(study), f"phase_map names {phase!r}", remedy, "unknown_phase")
        text = str(word).strip()
        if word is None or text.lower() in ("", "none"):
            selected[phase] = None
            continue
        matches = _find_matches(study, text)
        if len(matches) != 1:
            what = f"{len(matches)} series match" if matches else "no series matches"
            candidates = ", ".join(format_title(series, private) for series in matches or study.series)
            remedy = f"name one by its number: {candidates}"
            raise CaseError(case, find_folder(study), f"{what} {phase} = {text!r}", remedy, "bad_phase_map")
        twice = [p for p, series in selected.items() if series and series.paths == matches[0].paths]
        if twice:
            problem = f"{format_title(matches[0], private)} is named for {twice[0]} and for {phase}"
            raise CaseError(case, find_folder(study), problem, "name a series once", "bad_phase_map")
        if matches[0].refused and matches[0].kind != "geometry":
            matches = [_accept_named(matches[0], phase, case, private)]
        if matches[0].refused:
            why = format_reason(matches[0], private)
            problem = f"{format_title(matches[0], private)}, named for {phase}, cannot be read: {why}"
            raise CaseError(case, find_folder(study), problem, "name another series", "bad_phase_map")
        selected[phase] = matches[0]
    return selected


def _accept_named(series: Series, phase: str, case: str, private: bool) -> Series:
    """Accepts a series that does not look like a phase as the phase that the user names.

    Raises:
        CaseError: if it cannot be read as a volume.
    """
    try:
        voxels, affine, _ = read_files(series.paths, case=case)
    except CaseError as fault:
        problem = f"{format_title(series, private)}, named for {phase}, cannot be read: {fault.problem}"
        file = str(series.paths[0].parent) if private else fault.file
        raise CaseError(case, file, problem, "name another series", "bad_phase_map") from fault
    columns, rows, slices = map(float, np.linalg.norm(affine[:3, :3], axis=0))
    remark = f"named for {phase}, but does not look like a contrast phase: {series.refused}"
    return replace(
        series,
        refused="",
        spacing=(columns, rows, slices),
        extent=slices * (voxels.shape[2] - 1),
        # the time of a computed map is that of the scan it was computed from
        time=None if series.kind == "computed_map" else series.time,
        remarks=(*series.remarks, remark),
    )


def _find_matches(study: Study, text: str) -> list[Series]:
    """Finds series by UID, else by number, else by description, else by a part of it."""
    low = text.lower()
    tests = (
        lambda s: s.uid == text,
        lambda s: s.name == text,
        lambda s: s.description.lower() == low,
        lambda s: low in s.description.lower() and not s.refused,
        lambda s: low in s.description.lower(),
    )
    return next((fits for test in tests if (fits := [s for s in study.series if test(s)])), [])
