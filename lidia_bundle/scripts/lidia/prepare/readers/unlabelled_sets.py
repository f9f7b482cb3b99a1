"""Reads sets without masks, as lists for inference: TCGA-LIHC and VinDr-Multiphase, both DICOM."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_text_file import read_text
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import SourcePatient
from scripts.lidia.prepare.foreign_names import normalize_name
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.dicom_stacks import Stack, find_stacks
from scripts.lidia.prepare.readers.phase_timing import assign_phases, describe_scan

COLUMNS = {
    "study": ("studyuid", "studyinstanceuid"),
    "series": ("seriesuid", "seriesinstanceuid"),
    "label": ("label", "phase"),
}


def read_tcga_lihc(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the CT studies of TCGA-LIHC, one case per study; leaves out MR and studies without any phase.

    All patients have an HCC. Phases are assigned by description, else by time, see `phase_timing`.

    Raises:
        CaseError: if there is no CT in the folder.
    """
    stacks, _ = find_stacks(layout.root, layout.account)
    layout.require_any(stacks, "CT series")
    studies: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in stacks:
        studies[stack.patient, stack.study].append(stack)
    numbers: Counter[str] = Counter()
    for (patient, _), scans in studies.items():
        numbers[patient] += 1
        case = f"{patient}_{numbers[patient]}"
        groups = [[s for s in scans if s.frame == frame] for frame in sorted({s.frame for s in scans})]
        phases = max((assign_phases(group, layout) for group in groups), key=len)
        if phases:
            sources = {phase: stack.source for phase, stack in phases.items()}
            about = {"patient": patient, "source_type": "HCC"}
            yield SourcePatient(case, sources, None, about=about, section="test")
        else:
            descriptions = "; ".join(describe_scan(stack) for stack in scans[:5])
            remedy = f"map scans by --phase_map \"{{'{scans[0].series}': 'venous'}}\""
            folder, problem = str(scans[0].paths[0].parent), f"no phase is known: {descriptions}"
            yield CaseError(case, folder, problem, remedy, "unknown_phase", "warning")


def read_vindr(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the studies of VinDr-Multiphase, whose table names the phase of each series.

    Other phases, and series that hold several scans, are left out.

    Raises:
        CaseError: if there is no table with study, series and label, or it names an unknown phase.
    """
    table, rows = _read_rows(layout)
    stacks, _ = find_stacks(layout.root, layout.account)
    scans = Counter(stack.series for stack in stacks)
    single_scans = {stack.series: stack for stack in stacks if scans[stack.series] == 1}
    unread = {normalize_name(word) for word in layout.terms.ignored}
    studies: dict[str, dict[str, Stack]] = defaultdict(dict)
    for study, series, label in rows:
        phases = studies[study]
        if normalize_name(label) in unread or series not in single_scans:
            continue
        phase, stack = layout.to_phase(label, table), single_scans[series]
        if phase not in phases or len(phases[phase].paths) < len(stack.paths):
            phases[phase] = stack
    for study, phases in studies.items():
        if phases:
            patient = next(iter(phases.values())).patient
            about = {"patient": patient} if patient else {}
            sources = {phase: stack.source for phase, stack in phases.items()}
            yield SourcePatient(study, sources, None, about=about, section="test")
        else:
            problem = "none of its series exists with a known phase"
            yield CaseError(study, str(table), problem, "download the study", "no_phase", "warning")


def _read_rows(layout: Layout) -> tuple[Path, list[tuple[str, str, str]]]:
    """Reads the table: its path, and study, series and label of each row.

    Raises:
        CaseError: if no table has the columns.
    """
    for path in find_paths(layout.root, "*.csv"):
        with StringIO(read_text(path), newline="") as file:
            rows = csv.DictReader(file)
            names = {normalize_name(name): name for name in rows.fieldnames or ()}
            keys = [next((names[n] for n in words if n in names), None) for words in COLUMNS.values()]
            if None not in keys:
                study, series, label = (str(key) for key in keys)
                return path, [(row[study].strip(), row[series].strip(), row[label].strip()) for row in rows]
    problem = "no table *.csv with the columns StudyInstanceUID, SeriesInstanceUID and Label"
    raise CaseError("datalist", str(layout.root), problem, "give the folder that holds it", "missing")
