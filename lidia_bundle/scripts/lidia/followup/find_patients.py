"""Find the results to compare, and group them by patient in order of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import find_list_file, read_sections
from scripts.lidia.followup.read_study import StudyHeader, read_header
from scripts.lidia.report.read_results import find_finished


class Groups(NamedTuple):
    """Results by patient.

    Attributes:
        patients: id of the patient -> at least two results in order of date.
        faults: results that cannot be compared, with the reason.
    """

    patients: dict[str, list[StudyHeader]]
    faults: list[CaseError]


def find_patients(
    *,
    results_dir: str | Path | None,
    results: Sequence[str] | str | None,
    dates: Sequence[str] | None,
    dataset_dir: str | Path | None,
    datalist: str | Path | None,
    section: str,
) -> Groups:
    """Find the results of each patient.

    Args:
        results_dir: folder with results of inference; used without `results`.
        results: `ID.json` of two or more dates of one patient.
        dates: date (YYYY-MM-DD) of each file in `results`, in the same order; None uses the recorded dates.
        dataset_dir: folder of the data set whose datalist gives `patient` and `date`; None uses those in
            `ID.json`.
        datalist: see `load_datalist`.
        section: section of the datalist.

    Raises:
        CaseError: if no patient has two dates, or the arguments contradict each other.
    """
    items = _read_items(dataset_dir, datalist, section)
    if results:
        headers = _read_named(results, dates, items)
        names = {header.patient for header in headers if header.patient}
        if len(names) > 1:
            problem = f"the results are of several patients: {', '.join(sorted(names))}"
            remedy = "give results of one patient, or a folder by --results_dir"
            raise CaseError("followup", str(headers[0].path), problem, remedy, "two_patients")
        ordered = make_ids_unique(sort_by_date(headers))
        return Groups({next(iter(names), ordered[-1].id): ordered}, [])
    if dates:
        remedy = "give --results with one file for each date"
        raise CaseError(
            "followup", str(results_dir), "dates belong to results, which are not given", remedy, "bad_count"
        )
    if results_dir is None:
        raise CaseError("followup", "", "no results are given", "give --results_dir or --results", "no_case")
    return _group(Path(results_dir), items)


def _read_items(
    dataset_dir: str | Path | None, datalist: str | Path | None, section: str
) -> dict[str, dict[str, Any]]:
    if dataset_dir is None and datalist is None:
        return {}
    path = find_list_file(Path(dataset_dir or "."), datalist)
    sections = read_sections(path)
    if section not in sections:
        problem = f"no section '{section}'; there are: {', '.join(sections)}"
        raise CaseError("datalist", str(path), problem, "give one of these by --section", "no_section")
    return {item["id"]: item for item in sections[section]}


def _read_named(
    results: Sequence[str] | str, dates: Sequence[str] | None, items: Mapping[str, dict[str, Any]]
) -> list[StudyHeader]:
    paths = [Path(path) for path in ([results] if isinstance(results, str) else results)]
    if len(paths) < 2:
        problem, remedy = "one result cannot be compared", "give the results of two or more dates"
        raise CaseError("followup", str(paths[0]), problem, remedy, "bad_count")
    if len({path.resolve() for path in paths}) < len(paths):
        raise CaseError(
            "followup", str(paths[0]), "a result is given twice", "give each file once", "duplicate"
        )
    if dates is not None and len(dates) != len(paths):
        problem = f"{len(dates)} dates are given for {len(paths)} results"
        raise CaseError("followup", str(paths[0]), problem, "give one date for each result", "bad_count")
    days: Sequence[str | None] = dates or [None] * len(paths)
    return [read_header(path, items.get(path.stem), day) for path, day in zip(paths, days, strict=True)]


def make_ids_unique(headers: Sequence[StudyHeader]) -> list[StudyHeader]:
    """Add the date, or the number, to the ids of dates whose files have the same id."""
    cases = [header.case for header in headers]
    if len(set(cases)) == len(cases):
        return list(headers)
    return [
        header._replace(id=f"{header.case}_{header.date or number}")
        for number, header in enumerate(headers, 1)
    ]


def sort_by_date(headers: Sequence[StudyHeader]) -> list[StudyHeader]:
    """Sort the results of a patient by date; without any date the given order is kept.

    Raises:
        CaseError: if some of the dates are unknown, or two are equal.
    """
    unknown = [header for header in headers if header.date is None]
    if len(unknown) == len(headers):
        return list(headers)
    remedy = "give --dates, or `date` (YYYY-MM-DD) in the datalist"
    if unknown:
        raise CaseError(unknown[0].id, str(unknown[0].path), "the date is unknown", remedy, "bad_date")
    ordered = sorted(headers, key=lambda header: str(header.date))
    for first, second in zip(ordered, ordered[1:], strict=False):
        if first.date == second.date:
            problem = f"{first.id} and {second.id} have the same date {first.date}"
            raise CaseError(second.id, str(second.path), problem, remedy, "bad_date")
    return ordered


def _group(folder: Path, items: Mapping[str, dict[str, Any]]) -> Groups:
    """Group the results of a folder.

    Raises:
        CaseError: if the folder has no results, or no patient has two dates.
    """
    faults: list[CaseError] = []
    groups: dict[str, list[StudyHeader]] = {}
    cases = find_finished(folder)
    if not cases:
        remedy = "run inference.json with this output_dir first"
        raise CaseError("followup", str(folder), "the folder contains no results", remedy, "no_case")
    for case in cases:
        try:
            header = read_header(folder / f"{case}.json", items.get(case))
        except CaseError as fault:
            faults.append(fault)
            continue
        if header.patient:
            groups.setdefault(header.patient, []).append(header)
        else:
            remedy = "give --dataset_dir with a datalist that has `patient` and `date`"
            faults.append(_warn(header, "the patient of the result is unknown", remedy))
    patients: dict[str, list[StudyHeader]] = {}
    for patient, headers in groups.items():
        if len(headers) < 2:
            faults.append(_warn(headers[0], f"the patient {patient} has one date", "add another date"))
            continue
        try:
            ordered = sort_by_date(headers)
            if ordered[0].date is None:
                remedy = "give `date` (YYYY-MM-DD) in the datalist"
                raise CaseError(
                    ordered[0].id, str(ordered[0].path), "the dates are unknown", remedy, "bad_date"
                )
            patients[patient] = ordered
        except CaseError as fault:
            faults.append(fault)
    if not patients:
        reasons = "; ".join(sorted({fault.problem for fault in faults})[:3])
        problem, remedy = f"no patient has two dates ({reasons})", "see errors.json and the datalist"
        raise CaseError("followup", str(folder), problem, remedy, "no_case", members=faults)
    return Groups(patients, faults)


def _warn(header: StudyHeader, problem: str, remedy: str) -> CaseError:
    return CaseError(header.id, str(header.path), problem, remedy, "not_followed", "warning")
