"""Which series of a study are the patient's phases, why, how sure that is, and the table that says so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series_text import find_phases
from scripts.lidia.dicom.study import Series, Study
from scripts.lidia.phase_id.image_evidence import weigh_image
from scripts.lidia.phase_id.posterior import (
    Acquisition,
    choose_naming,
    group_acquisitions,
    posterior,
    weigh_tags,
)
from scripts.lidia.phase_id.user_naming import description_of, folder_of, named_series, reason_of, title_of
from scripts.lidia.vocabulary import PHASES

SURE = 0.8
"""Below this confidence the result carries a warning."""
UNSEEN = "no series surely shows the liver: check that it was scanned"
NOT_TAKEN = {
    "reconstruction": "another reconstruction is better",
    "same_phase": "another scan of this phase is better",
    "not_wanted": "left out by --phase_map",
    "other_pass": "another part of the body was taken for this phase",
}
"""Why a series that may be a phase is none."""
COLUMNS = ("phase", "number", "description", "slices", "time", "confidence", "why")


class Choice(NamedTuple):
    """What was taken of a study.

    Attributes:
        phases: the series of each phase that was found.
        rows: one a series of the study, for `ID.json`: phase, description, number, uid, slices, spacing_mm,
            time, why, confidence, taken.
        warnings: what a reader of the result must know.
        left_out: every other series, with its reason, a key of `account.REASONS`.
    """

    phases: dict[str, Series]
    rows: list[dict[str, Any]]
    warnings: list[str]
    left_out: list[tuple[Series, str]]


def make_case_id(study: Study, *, private: bool = False) -> str:
    """Gives an id for the patient that can be part of a file name.

    Two PatientIDs never get one id: where signs had to be replaced, a hash of the PatientID follows.

    Args:
        study: of the patient.
        private: whether the id must not tell who the patient is.
    """
    patient = study.patient.strip()
    name = re.sub(r"[^\w.-]+", "_", patient).strip("._")
    if private or not name:
        # of the UID, not of the patient's number: numbers can be tried one by one
        return "case-" + hashlib.sha256(study.uid.encode()).hexdigest()[:10]
    if len(name) <= 64 and name == patient:
        return name
    return f"{name[:57]}-{hashlib.sha256(patient.encode()).hexdigest()[:6]}"


def select_series(
    study: Study, *, case: str, phase_map: Mapping[str, Any] | None = None, private: bool = False
) -> Choice:
    """Finds the patient's phases among the series of a study.

    Args:
        study: of one patient.
        case: id of the case, for messages.
        phase_map: the series of a phase by its number, UID or description, where the user knows better; None
            for a phase that shall not be taken.
        private: descriptions, UIDs and times are told only as far as they cannot name the patient.

    Raises:
        CaseError: if no series can be a phase, or `phase_map` names none or several.
    """
    named = named_series(study, phase_map or {}, case, private)
    renamed = {series.paths: series for series in named.values() if series is not None}
    study = replace(study, series=tuple(renamed.get(s.paths, s) for s in study.series))
    usable = [series for series in study.series if not series.refused]
    if not usable:
        listed = "; ".join(f"{title_of(s, private)}: {reason_of(s, private)}" for s in study.series)
        remedy = "export the axial series of the liver, evenly spaced and upright"
        raise CaseError(case, folder_of(study), f"no series can be a phase: {listed}", remedy, "no_series")
    scans = group_acquisitions(usable)
    for phase, series in named.items():
        if series is not None:
            place = next(number for number, scan in enumerate(scans) if series in scan.series)
            scan = scans[place]
            if scan.named or (series.kind and len(scan.series) > 1):  # the others may be a phase of their own
                scan.series.remove(series)
                scan = Acquisition([series])
                scans.insert(place + 1, scan)
            scan.named, scan.why = phase, ["named by the user"]
            scan.series.sort(key=lambda other: other != series)
    weigh_tags([scan for scan in scans if not scan.named])
    silent = [scan for scan in scans if not scan.named]
    blind = [scan for scan in silent if not weigh_image(scan, case)]
    if 0 < len(blind) < len(silent):
        scans = [scan for scan in scans if scan not in blind]
    odds = posterior(scans)
    taken = {p: n for p, n in choose_naming(scans, odds).items() if p not in named or named[p] is not None}
    phases = {p: scans[taken[p]].series[0] for p in PHASES if p in taken}
    if not phases:
        remedy = "take the phase off --phase_map"
        raise CaseError(case, folder_of(study), "no phase is left", remedy, "no_phase")
    rows, warnings = [], []
    left_out: list[tuple[Series, str]] = []
    for number, scan in enumerate(scans):
        best = PHASES[int(odds[number].argmax())]
        confidence = float(odds[number].max())
        used = phases.get(best) is scan.series[0]
        for series in scan.series:
            taken_here = used and series is scan.series[0]
            why = list(scan.why) if scan.why else ["nothing speaks for any phase"]
            if not taken_here:
                reason = "reconstruction" if used else "same_phase" if best in phases else "not_wanted"
                if best in phases and series.continues(phases[best]):
                    reason = "other_pass"
                left_out.append((series, reason))
                why.append(NOT_TAKEN[reason])
            rows.append(_row(series, study, private, best, why, confidence, taken_here))
        if used:
            warnings += _doubts(scan, best, confidence, private)
    unseen = [
        replace(s, refused="shows no liver") for scan in blind if scan not in scans for s in scan.series
    ]
    left_out += [(series, "no_liver") for series in unseen]
    left_out += [(series, series.kind) for series in study.series if series.refused]
    out = [*unseen, *(series for series in study.series if series.refused)]
    rows += [_row(series, study, private, "", [reason_of(series, private)], None, False) for series in out]
    warnings += _losses(out, phases, private)
    if silent and len(blind) == len(silent):
        warnings.append(UNSEEN)
    return Choice(phases, rows, warnings, left_out)


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as lines of text, those taken first."""
    lines = [COLUMNS]
    for row in sorted(
        rows, key=lambda row: (not row["taken"], PHASES.index(row["phase"]) if row["phase"] else 9)
    ):
        sure = "" if row["confidence"] is None else f"{row['confidence']:.2f}"
        phase = row["phase"] if row["taken"] else f"({row['phase']})" if row["phase"] else "-"
        lines.append((
            phase,
            row["number"],
            row["description"],
            str(row["slices"]),
            row["time"],
            sure,
            row["why"],
        ))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _row(
    series: Series,
    study: Study,
    private: bool,
    phase: str,
    why: Sequence[str],
    confidence: float | None,
    taken: bool,
) -> dict[str, Any]:
    first = min((s.time for s in study.series if s.time is not None), default=None)
    time = ""
    if series.time is not None and first is not None:
        since = int((series.time - first).total_seconds())
        time = f"+{since} s" if private else series.time.strftime("%H:%M:%S")
    return {
        "phase": phase,
        "description": description_of(series, private),
        "number": series.name,
        "uid": series.uid[-12:] if private else series.uid,
        "slices": series.slices,
        "spacing_mm": [round(step, 3) for step in series.spacing],
        "time": time,
        "why": "; ".join(why),
        "confidence": None if confidence is None else round(confidence, 3),
        "taken": taken,
    }


def _doubts(scan: Acquisition, phase: str, confidence: float, private: bool) -> list[str]:
    """What is not sure of a series that was taken."""
    title, told = title_of(scan.series[0], private), []
    if confidence < SURE:
        told.append(f"{title} was taken for {phase} with a confidence of {confidence:.2f}: check it")
    said = find_phases(scan.series[0].description)
    if len(said) == 1 and phase not in said and not scan.named:
        told.append(f"{title} is called {next(iter(said))} and was taken for {phase}: check it")
    return told


def _losses(out: Sequence[Series], phases: Mapping[str, Series], private: bool) -> list[str]:
    """Series left out that promise a phase which no other one stands for, or whose header is at fault."""
    told = []
    for series in out:
        said = find_phases(series.description)
        lost = len(said) == 1 and next(iter(said)) not in phases
        if series.slices >= 8 and (lost or Path(series.file) in series.paths):
            what = f"no {next(iter(said))} phase: " if lost else ""
            told.append(f"{what}{title_of(series, private)} was left out, {reason_of(series, private)}")
    return told
