"""Write the results of one run or of all parts of a divided run as two tables (CSV)."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import load_datalist
from scripts.lidia.evaluation.evaluation_files import write_table
from scripts.lidia.inference.case_evaluator import CohortError, write_faults
from scripts.lidia.inference.result_files import result_files
from scripts.lidia.inference.shards import ERRORS, PATTERN
from scripts.lidia.report.flat_rows import flatten
from scripts.lidia.report.read_results import find_finished

logger = logging.getLogger(__name__)

OTHER_ROWS = ("lesions", "inputs", "settings", "files", "series")
"""Parts of `ID.json` that are no columns of a patient."""
REPEAT = "run inference.json again with the same options and --skip_existing True"


def write_result_tables(
    *,
    results: str | Path | Sequence[str | Path],
    output_dir: str | Path,
    dataset_dir: str | Path | None = None,
    datalist: str | Path | None = None,
    section: str = "test",
) -> None:
    """Writes `patients.csv`, `lesions.csv` and `errors.json` of complete results.

    Args:
        results: folder with results of inference, or a list of folders, such as one for each part.
        output_dir: folder of the tables.
        dataset_dir: folder of the data set; with it or `datalist`, every patient of the section must have a
            result.
        datalist: its JSON file, `dataset_dir/dataset.json` if None.
        section: section of the datalist.

    Raises:
        CaseError: a patient has results in two folders, or the datalist cannot be read.
        CohortError: patients failed or have no result; the tables of the others are written.
        FileNotFoundError: no folder holds a result.
    """
    folders = [Path(results)] if isinstance(results, str | Path) else [Path(folder) for folder in results]
    expected = _read_expected(dataset_dir, datalist, section)
    places = _find_results(folders)
    records = {case: _read_result(folder, case) for case, folder in sorted(places.items())}
    if not records and expected is None:
        names = ", ".join(map(str, folders))
        raise FileNotFoundError(f"{names}: no results; run inference.json with this output_dir first.")
    _warn_of_differences(records)
    faults = list(_read_faults(folders, places))
    missing = sorted(set(expected or ()) - set(records) - {fault.case for fault in faults})
    faults += [CaseError(case, "", "there is no result", REPEAT, "no_result") for case in missing]
    if expected is not None and (others := sorted(set(records) - set(expected))):
        logger.warning("%d results are of patients outside the list: %s", len(others), _shorten(others))
    target = Path(output_dir)
    write_rows(target / "patients.csv", [_make_patient_row(record) for record in records.values()])
    write_rows(target / "lesions.csv", [row for case in records for row in _make_lesion_rows(records[case])])
    write_faults(target / ERRORS, sorted(faults, key=lambda fault: fault.case))
    logger.info("%s: %d patients", target, len(records))
    if faults:
        failed = sorted({fault.case for fault in faults})
        raise CohortError(
            f"{len(failed)} failed or have no result: {_shorten(failed)}. See {target / ERRORS}; the tables "
            f"hold the other {len(records)}."
        )


def write_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Writes rows that may lack columns; the columns are in the order of their first use."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["id"]
    write_table(path, ({name: row.get(name, "") for name in names} for row in rows), names)


def _read_expected(
    dataset_dir: str | Path | None, datalist: str | Path | None, section: str
) -> list[str] | None:
    """Returns the ids of the patients in the list; None without a list."""
    if dataset_dir is None and datalist is None:
        return None
    folder = "." if dataset_dir is None else dataset_dir
    return [item["id"] for item in load_datalist(folder, section, file=datalist, check=False)]


def _find_results(folders: Sequence[Path]) -> dict[str, Path]:
    """Returns the folder of each patient with complete results.

    Raises:
        CaseError: a patient has results in two folders.
        FileNotFoundError: a folder does not exist.
    """
    places: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such folder.")
        for case in find_finished(folder):
            if case in places:
                problem = f"the patient has results in {places[case]} and in {folder}"
                raise CaseError(case, str(folder), problem, "leave one of the folders out", "twice")
            places[case] = folder
    return places


def _read_result(folder: Path, case: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(result_files(folder, case)["result"].read_text(encoding="utf-8"))
    return content


def _read_faults(folders: Sequence[Path], places: Mapping[str, Path]) -> Iterator[CaseError]:
    """Reads the failures of all parts, except those of patients who were completed afterwards."""
    for path in (path for folder in folders for path in sorted(folder.glob(PATTERN))):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, list):  # the result of a patient with such an id
            continue
        for fault in (CaseError(**entry) for entry in content):
            result = result_files(places.get(fault.case, path.parent), fault.case)["result"]
            is_later = result.is_file() and result.stat().st_mtime_ns > path.stat().st_mtime_ns
            if fault.case not in places or not is_later:
                yield fault


def _warn_of_differences(records: Mapping[str, Mapping[str, Any]]) -> None:
    """Warns if the results come from different weights, versions or settings."""
    for part in ("versions", "settings"):
        texts = {case: json.dumps(record.get(part), sort_keys=True) for case, record in records.items()}
        kinds = Counter(texts.values()).most_common()
        if len(kinds) > 1:
            others = [case for case, text in texts.items() if text != kinds[0][0]]
            logger.warning("results were computed with different %s, such as %s", part, _shorten(others))


def _make_patient_row(record: Mapping[str, Any]) -> dict[str, str]:
    lesions = record["lesions"]
    content = {key: value for key, value in record.items() if key not in OTHER_ROWS}
    sizes = [lesion["diameter_mm"] for lesion in lesions]
    content |= {"lesions": len(lesions), "largest_mm": max(sizes, default=None)}
    content["lesions_mm3"] = sum(lesion["volume_mm3"] for lesion in lesions)
    return flatten(content)


def _make_lesion_rows(record: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for lesion in record["lesions"]:
        yield flatten({"id": record["id"], **lesion})


def _shorten(cases: Sequence[str]) -> str:
    more = f" and {len(cases) - 10} more" if len(cases) > 10 else ""
    return ", ".join(cases[:10]) + more
