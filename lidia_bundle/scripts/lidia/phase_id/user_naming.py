"""The series of a study by the words of a user: which one is named for a phase, and how messages call it."""

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


def description_of(series: Series, private: bool) -> str:
    """SeriesDescription, or the words of a phase in it alone: the rest is free text that may name people."""
    return ", ".join(find_phases(series.description).values()) if private else series.description


def title_of(series: Series, private: bool) -> str:
    """A series by its number and description."""
    words = description_of(series, private)
    return f"series {series.name}" + (f" ({words})" if words else "")


def reason_of(series: Series, private: bool) -> str:
    """Why a series was left out, with the file at fault unless its name may tell who the patient is."""
    named = not private and Path(series.file) in series.paths
    return f"{series.refused} (file {series.file})" if named else series.refused


def folder_of(study: Study) -> str:
    """The folder of the first series, for messages."""
    return str(study.series[0].paths[0].parent)


def named_series(
    study: Study, asked: Mapping[str, Any], case: str, private: bool
) -> dict[str, Series | None]:
    """The series that the user names for each phase; one that looks like no phase is taken at their word.

    Args:
        study: of one patient.
        asked: by phase the number, UID or description of a series; None for a phase that is not wanted.
        case: id of the case, for messages.
        private: descriptions are told only as far as they cannot name the patient.

    Raises:
        CaseError: if a phase is unknown, or a word fits no series, several, or one that cannot be read.
    """
    found: dict[str, Series | None] = {}
    for phase, word in asked.items():
        if phase not in PHASES:
            remedy = f"the phases are {', '.join(PHASES)}"
            raise CaseError(case, folder_of(study), f"phase_map names {phase!r}", remedy, "unknown_phase")
        text = str(word).strip()
        if word is None or text.lower() in ("", "none"):
            found[phase] = None
            continue
        fits = _fitting(study, text)
        if len(fits) != 1:
            what = f"{len(fits)} series fit" if fits else "no series fits"
            listed = ", ".join(title_of(series, private) for series in fits or study.series)
            remedy = f"name one by its number: {listed}"
            raise CaseError(case, folder_of(study), f"{what} {phase} = {text!r}", remedy, "bad_phase_map")
        twice = next((p for p, one in found.items() if one is not None and one.paths == fits[0].paths), "")
        if twice:
            problem = f"{title_of(fits[0], private)} is named for {twice} and for {phase}"
            raise CaseError(case, folder_of(study), problem, "name a series once", "bad_phase_map")
        if fits[0].refused and fits[0].kind != "geometry":
            fits = [_as_named(fits[0], phase, case, private)]
        if fits[0].refused:
            why = reason_of(fits[0], private)
            problem = f"{title_of(fits[0], private)}, named for {phase}, cannot be read: {why}"
            raise CaseError(case, folder_of(study), problem, "name another series", "bad_phase_map")
        found[phase] = fits[0]
    return found


def _as_named(series: Series, phase: str, case: str, private: bool) -> Series:
    """A series that looks like no phase, as the phase that the user knows it to be.

    Raises:
        CaseError: if it cannot be read as a volume.
    """
    try:
        voxels, affine, _ = read_files(series.paths, case=case)
    except CaseError as fault:
        problem = f"{title_of(series, private)}, named for {phase}, cannot be read: {fault.problem}"
        file = str(series.paths[0].parent) if private else fault.file
        raise CaseError(case, file, problem, "name another series", "bad_phase_map") from fault
    columns, rows, slices = map(float, np.linalg.norm(affine[:3, :3], axis=0))
    remark = f"named for {phase}, and looks like no phase: {series.refused}"
    return replace(
        series,
        refused="",
        spacing=(columns, rows, slices),
        extent=slices * (voxels.shape[2] - 1),
        time=None if series.kind == "computed_map" else series.time,  # it has the time of the scan behind it
        remarks=(*series.remarks, remark),
    )


def _fitting(study: Study, text: str) -> list[Series]:
    """Series by UID, else by number, else by description, else by a part of it."""
    low = text.lower()
    tests = (
        lambda s: s.uid == text,
        lambda s: s.name == text,
        lambda s: s.description.lower() == low,
        lambda s: low in s.description.lower() and not s.refused,
        lambda s: low in s.description.lower(),
    )
    return next((fits for test in tests if (fits := [s for s in study.series if test(s)])), [])
