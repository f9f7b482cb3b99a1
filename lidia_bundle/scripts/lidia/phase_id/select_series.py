"""Selects the series of each phase of a study, with reasons, confidences and a table."""

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
    compute_posterior,
    group_acquisitions,
    select_acquisitions,
    weigh_tags,
)
from scripts.lidia.phase_id.user_naming import (
    describe_series,
    find_folder,
    format_reason,
    format_title,
    match_named_series,
)
from scripts.lidia.vocabulary import PHASES

MIN_CONFIDENCE = 0.8
"""A lower confidence gives a warning."""
NO_LIVER_WARNING = "no series clearly shows the liver: check that it was scanned"
REJECTION_TEXTS = {
    "reconstruction": "another reconstruction is better",
    "same_phase": "another scan of this phase is better",
    "not_wanted": "left out by --phase_map",
    "other_pass": "another part of the body was selected for this phase",
}
"""Why a series that may be a phase was not selected."""
COLUMNS = ("phase", "number", "description", "slices", "time", "confidence", "why")


class SeriesSelection(NamedTuple):
    """The selected series of a study.

    Attributes:
        phases: the selected series of each phase.
        rows: one for each series, for `ID.json`: phase, description, number, uid, slices, spacing_mm,
            time, why, confidence, taken.
        warnings: warnings for the result.
        left_out: every other series, with a key of `file_account.REASONS`.
    """

    phases: dict[str, Series]
    rows: list[dict[str, Any]]
    warnings: list[str]
    left_out: list[tuple[Series, str]]


def make_case_id(study: Study, *, private: bool = False) -> str:
    """Makes an id of the patient that is valid in a file name.

    Different PatientIDs get different ids: where characters are replaced, a hash of the PatientID is added.

    Args:
        study: a study of the patient.
        private: makes an id that does not identify the patient.
    """
    patient = study.patient.strip()
    name = re.sub(r"[^\w.-]+", "_", patient).strip("._")
    if private or not name:
        # a hash of the UID, not of the PatientID: short numbers could be tried one by one
        return "case-" + hashlib.sha256(study.uid.encode()).hexdigest()[:10]
    if len(name) <= 64 and name == patient:
        return name
    return f"{name[:57]}-{hashlib.sha256(patient.encode()).hexdigest()[:6]}"


def select_series(
    study: Study, *, case: str, phase_map: Mapping[str, Any] | None = None, private: bool = False
) -> SeriesSelection:
    """Selects the series of each phase of a study.

    Args:
        study: of one patient.
        case: id of the case, for messages.
        phase_map: number, UID or description of the series that the user names for a phase; None leaves the
            phase out.
        private: shortens descriptions, UIDs and times so that they cannot identify the patient.

    Raises:
        CaseError: if no series can be a phase, or `phase_map` names none or several.
    """
    user_series = match_named_series(study, phase_map or {}, case, private)
    renamed = {series.paths: series for series in user_series.values() if series is not None}
    study = replace(study, series=tuple(renamed.get(s.paths, s) for s in study.series))
    usable = [series for series in study.series if not series.refused]
    if not usable:
        reasons = "; ".join(f"{format_title(s, private)}: {format_reason(s, private)}" for s in study.series)
        remedy = "export the axial series of the liver, evenly spaced and upright"
        raise CaseError(case, find_folder(study), f"no series can be a phase: {reasons}", remedy, "no_series")
    scans = group_acquisitions(usable)
    for phase, series in user_series.items():
        if series is not None:
            place = next(number for number, scan in enumerate(scans) if series in scan.series)
            scan = scans[place]
            if scan.user_phase or (series.kind and len(scan.series) > 1):  # the others may be another phase
                scan.series.remove(series)
                scan = Acquisition([series])
                scans.insert(place + 1, scan)
            scan.user_phase, scan.why = phase, ["named by the user"]
            scan.series.sort(key=lambda other: other != series)
    weigh_tags([scan for scan in scans if not scan.user_phase])
    silent = [scan for scan in scans if not scan.user_phase]
    blind = [scan for scan in silent if not weigh_image(scan, case)]
    if 0 < len(blind) < len(silent):
        scans = [scan for scan in scans if scan not in blind]
    odds = compute_posterior(scans)
    selected = select_acquisitions(scans, odds)
    excluded = [phase for phase, series in user_series.items() if series is None]
    phases = {p: scans[selected[p]].series[0] for p in PHASES if p in selected and p not in excluded}
    if not phases:
        remedy = "remove the phase from --phase_map"
        raise CaseError(case, find_folder(study), "--phase_map leaves out every phase", remedy, "no_phase")
    rows, warnings = [], []
    left_out: list[tuple[Series, str]] = []
    for number, scan in enumerate(scans):
        best = PHASES[int(odds[number].argmax())]
        confidence = float(odds[number].max())
        used = phases.get(best) is scan.series[0]
        for series in scan.series:
            is_selected = used and series is scan.series[0]
            why = list(scan.why) if scan.why else ["no evidence for any phase"]
            if not is_selected:
                reason = "reconstruction" if used else "same_phase" if best in phases else "not_wanted"
                if best in phases and series.continues(phases[best]):
                    reason = "other_pass"
                left_out.append((series, reason))
                why.append(REJECTION_TEXTS[reason])
            rows.append(_make_row(series, study, private, best, why, confidence, is_selected))
        if used:
            warnings += _make_doubt_warnings(scan, best, confidence, private)
    unused = [scan for scan in blind if scan not in scans]
    without_liver = [replace(s, refused="shows no liver") for scan in unused for s in scan.series]
    left_out += [(series, "no_liver") for series in without_liver]
    left_out += [(series, series.kind) for series in study.series if series.refused]
    out = [*without_liver, *(series for series in study.series if series.refused)]
    for series in out:
        rows.append(_make_row(series, study, private, "", [format_reason(series, private)], None, False))
    warnings += _make_loss_warnings(out, phases, private)
    if silent and len(blind) == len(silent):
        warnings.append(NO_LIVER_WARNING)
    return SeriesSelection(phases, rows, warnings, left_out)


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats the rows as a table in text; selected series come first."""
    lines = [COLUMNS]
    for row in sorted(
        rows, key=lambda row: (not row["taken"], PHASES.index(row["phase"]) if row["phase"] else 9)
    ):
        sure = "" if row["confidence"] is None else f"{row['confidence']:.2f}"
        phase = row["phase"] if row["taken"] else f"({row['phase']})" if row["phase"] else "-"
        texts = [str(row[column]) for column in ("number", "description", "slices", "time")]
        lines.append((phase, *texts, sure, row["why"]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _make_row(
    series: Series,
    study: Study,
    private: bool,
    phase: str,
    why: Sequence[str],
    confidence: float | None,
    is_selected: bool,
) -> dict[str, Any]:
    first = min((s.time for s in study.series if s.time is not None), default=None)
    time = ""
    if series.time is not None and first is not None:
        since = int((series.time - first).total_seconds())
        time = f"+{since} s" if private else series.time.strftime("%H:%M:%S")
    return {
        "phase": phase,
        "description": describe_series(series, private),
        "number": series.name,
        "uid": series.uid[-12:] if private else series.uid,
        "slices": series.slices,
        "spacing_mm": [round(step, 3) for step in series.spacing],
        "time": time,
        "why": "; ".join(why),
        "confidence": None if confidence is None else round(confidence, 3),
        "taken": is_selected,
    }


def _make_doubt_warnings(scan: Acquisition, phase: str, confidence: float, private: bool) -> list[str]:
    """Makes warnings on a selected series with a low confidence or a contradicting description."""
    title, warnings = format_title(scan.series[0], private), []
    if confidence < MIN_CONFIDENCE:
        warnings.append(f"{title} was selected as {phase} with a confidence of {confidence:.2f}: check it")
    phases = find_phases(scan.series[0].description)
    if len(phases) == 1 and phase not in phases and not scan.user_phase:
        contradiction = f"names {next(iter(phases))}; it was selected as {phase}"
        warnings.append(f"the description of {title} {contradiction}: check it")
    return warnings


def _make_loss_warnings(out: Sequence[Series], phases: Mapping[str, Series], private: bool) -> list[str]:
    """Makes warnings on refused series that name a missing phase or have an invalid header."""
    warnings = []
    for series in out:
        phases_in_text = find_phases(series.description)
        is_missing = len(phases_in_text) == 1 and next(iter(phases_in_text)) not in phases
        if series.slices >= 8 and (is_missing or Path(series.file) in series.paths):
            what = f"no {next(iter(phases_in_text))} phase: " if is_missing else ""
            title, reason = format_title(series, private), format_reason(series, private)
            warnings.append(f"{what}{title} was left out, {reason}")
    return warnings
