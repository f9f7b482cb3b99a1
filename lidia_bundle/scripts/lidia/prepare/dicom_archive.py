"""Converts an archive of DICOM studies to a datalist: selects and writes the phases of each study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.lidia.atomic import write_json
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import Account, log_summary
from scripts.lidia.dicom.study import Series, Study, find_studies
from scripts.lidia.inference.inputs import add_account, make_study_item, record_left_out_series
from scripts.lidia.phase_id.select_series import make_case_id
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.output_folder import logger, process_cases

NamedStudy = tuple[str, Study]


def read_archive(
    read: Path, write: Path, *, phase_map: Mapping[str, Any] | None = None, private: bool = False
) -> Sections:
    """Finds all CT studies below a folder and writes the phases of each; all cases go to `test`.

    Args:
        read: the archive; its folder structure does not matter.
        write: phases go to `phases/ID/` in it.
        phase_map: see `select_series`; applies to every study.
        private: makes ids that do not identify the patients.

    Raises:
        CaseError: if no study holds CT, or if studies are invalid (after the others are done).
    """
    with TemporaryDirectory(prefix="lidia-") as temporary:
        account = Account(read, private=private, temporary=temporary)
        try:
            return _read_studies(read, write, phase_map, private, account)
        finally:
            account.close()
            log_summary(account.summary(), logger, read.name)
            if not private:
                account.write(write / "files.csv")
            write_json(write / "files.json", account.summary())


def _read_studies(
    read: Path, write: Path, phase_map: Mapping[str, Any] | None, private: bool, account: Account
) -> Sections:
    unreadable: list[CaseError] = []
    studies = list_ct_studies(read, unreadable, account)
    if not studies:
        remedy = "check --input_dir"
        raise CaseError("datalist", str(read), "no study holds CT slices", remedy, "no_series")
    options: dict[str, Any] = {"phase_map": phase_map, "private": private}
    work = partial(make_item, write=write, unreadable=unreadable, account=account, **options)
    entries: list[NamedStudy | CaseError] = [*name_studies(studies, private)]
    entries += list_strays(studies, unreadable)
    items = process_cases(entries, work, lambda entry: {"id": entry[0]}, write)
    return {"training": [], "validation": [], "test": items}


def list_ct_studies(read: Path, unreadable: list[CaseError], account: Account) -> list[Study]:
    """Lists the studies below a folder that hold CT slices; records the files of the others as left out.

    Args:
        read: the archive.
        unreadable: receives the errors of files that should be DICOM and cannot be read.
        account: of the archive.

    Raises:
        CaseError: if there is no DICOM file.
    """
    all_studies = find_studies(read, unreadable, account)
    studies = [study for study in all_studies if any(_is_volume(series) for series in study.series)]
    for study in all_studies:
        if study not in studies:
            record_left_out_series(account, [(series, series.kind) for series in study.series], "")
    if len(studies) < len(all_studies):
        logger.warning(f"{len(all_studies) - len(studies)} studies without CT slices were left out")
    return studies


def _is_volume(series: Series) -> bool:
    """Whether a series is a stack of slices, or would be one without a faulty file."""
    return series.extent > 0 or series.kind in ("geometry", "bad_value")


def name_studies(studies: Sequence[Study], private: bool) -> list[NamedStudy]:
    """Makes an id for each study: the patient's, with the date if there are several, numbered for ties."""
    names = [make_case_id(study, private=private) for study in studies]
    repeats = Counter(names)
    names = [
        f"{name}_{study.day}" if repeats[name] > 1 and study.day else name
        for name, study in zip(names, studies, strict=True)
    ]
    counts: Counter[str] = Counter()
    for number, name in enumerate(names):
        counts[name] += 1
        names[number] = name if counts[name] == 1 else f"{name}_{counts[name]}"
    return list(zip(names, studies, strict=True))


def list_strays(studies: Sequence[Study], unreadable: Sequence[CaseError]) -> list[CaseError]:
    """Lists unreadable files whose folder holds no study, so that their patient is unknown."""
    beside = {path.parent for study in studies for path in _list_paths(study)}
    return [fault for fault in unreadable if Path(fault.file).parent not in beside]


def _list_paths(study: Study) -> Iterator[Path]:
    return (path for series in study.series for path in series.paths)


def make_item(
    entry: NamedStudy, *, write: Path, unreadable: Sequence[CaseError], account: Account, **options: Any
) -> dict[str, Any]:
    """Writes the phases of a study and returns its item of the datalist.

    Args:
        entry: id and study.
        write: phases go to `phases/ID/` in it.
        unreadable: files that cannot be read; a study beside one of them is incomplete.
        account: of the archive.
        **options: `phase_map` and `private`, see `select_series`.

    Raises:
        CaseError: if the study is invalid.
    """
    case, study = entry
    folders = {path.parent for path in _list_paths(study)}
    try:
        for fault in unreadable:
            if Path(fault.file).parent in folders:
                problem = f"a file beside its slices cannot be read: {fault.problem}"
                raise CaseError(case, fault.file, problem, fault.remedy, fault.code)
        item = make_study_item(study, write, case_id=case, account=account, **options)
    except CaseError:
        record_left_out_series(account, [(series, series.kind or "failed") for series in study.series], case)
        raise
    return add_account(item, account, write, case=case)
