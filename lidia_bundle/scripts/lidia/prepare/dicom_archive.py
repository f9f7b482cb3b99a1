"""An archive of DICOM studies as a datalist: the phases of each study found, written, and said why."""

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
from scripts.lidia.inference.inputs import leave_series, study_item, with_account
from scripts.lidia.phase_id.select_series import make_case_id
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.output_folder import each, logger

Named = tuple[str, Study]


def read_archive(
    read: Path, write: Path, *, phase_map: Mapping[str, Any] | None = None, private: bool = False
) -> Sections:
    """Finds all CT studies below a folder and writes the phases of each; all go to `test`.

    Args:
        read: the archive; how it is sorted into folders does not matter.
        write: phases go to `phases/ID/` in it.
        phase_map: see `choose`; holds for every study.
        private: ids say nothing of the patients.

    Raises:
        CaseError: if no study holds CT, or studies are at fault, after the others are done.
    """
    with TemporaryDirectory(prefix="lidia-") as temporary:
        account = Account(read, private=private, temporary=temporary)
        try:
            return _read(read, write, phase_map, private, account)
        finally:
            account.close()
            log_summary(account.summary(), logger, read.name)
            if not private:
                account.write(write / "files.csv")
            write_json(write / "files.json", account.summary())


def _read(
    read: Path, write: Path, phase_map: Mapping[str, Any] | None, private: bool, account: Account
) -> Sections:
    unreadable: list[CaseError] = []
    found = find_studies(read, unreadable, account)
    studies = [study for study in found if any(_is_volume(series) for series in study.series)]
    for study in found:
        if study not in studies:
            leave_series(account, [(series, series.kind) for series in study.series], "")
    if len(studies) < len(found):
        logger.warning(f"{len(found) - len(studies)} studies without CT slices were left out")
    if not studies:
        remedy = "check --input_dir"
        raise CaseError("datalist", str(read), "no study holds CT slices", remedy, "no_series")
    options: dict[str, Any] = {"phase_map": phase_map, "private": private, "account": account}
    work = partial(_item, write=write, unreadable=unreadable, **options)
    todo: list[Named | CaseError] = [*_named(studies, private), *_strays(studies, unreadable)]
    items = each(todo, work, _told, write)
    return {"training": [], "validation": [], "test": items}


def _is_volume(series: Series) -> bool:
    """Whether a series is a stack of slices, or would be one but for a file at fault."""
    return series.extent > 0 or series.kind in ("geometry", "bad_value")


def _named(studies: Sequence[Study], private: bool) -> list[Named]:
    """An id for each study: the patient's, with the day where he has several, with a number if they agree."""
    names = [make_case_id(study, private=private) for study in studies]
    several = Counter(names)
    names = [
        f"{name}_{study.day}" if several[name] > 1 and study.day else name
        for name, study in zip(names, studies, strict=True)
    ]
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        names[number] = name if seen[name] == 1 else f"{name}_{seen[name]}"
    return list(zip(names, studies, strict=True))


def _strays(studies: Sequence[Study], unreadable: Sequence[CaseError]) -> list[CaseError]:
    """Unreadable files that lie beside no study: whose they are is not known."""
    beside = {path.parent for study in studies for path in _paths(study)}
    return [fault for fault in unreadable if Path(fault.file).parent not in beside]


def _paths(study: Study) -> Iterator[Path]:
    return (path for series in study.series for path in series.paths)


def _item(
    named: Named | CaseError,
    *,
    write: Path,
    phase_map: Mapping[str, Any] | None,
    private: bool,
    unreadable: Sequence[CaseError],
    account: Account,
) -> dict[str, Any]:
    if isinstance(named, CaseError):
        raise named
    case, study = named
    folders = {path.parent for path in _paths(study)}
    try:
        for fault in unreadable:
            if Path(fault.file).parent in folders:
                problem = f"a file beside its slices cannot be read: {fault.problem}"
                raise CaseError(case, fault.file, problem, fault.remedy, fault.code)
        options: dict[str, Any] = {"phase_map": phase_map, "private": private, "account": account}
        item = study_item(study, write, case_id=case, **options)
    except CaseError:
        leave_series(account, [(series, series.kind or "failed") for series in study.series], case)
        raise
    return with_account(item, account, write, case=case)


def _told(named: Named | CaseError) -> dict[str, str]:
    return {"id": named.case if isinstance(named, CaseError) else named[0]}
