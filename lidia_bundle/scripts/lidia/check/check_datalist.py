"""Checks a datalist and all its files in several processes and reports all faults together."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch.utils.data import DataLoader
from tqdm import tqdm

from scripts.lidia.atomic import write_json
from scripts.lidia.check.check_page import build_check_sections
from scripts.lidia.check.check_patient import check_patient
from scripts.lidia.check.check_summary import summarize
from scripts.lidia.check.patient_leaks import find_leaks
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import find_list_file, read_lists
from scripts.lidia.report.html_page import write_page

logger = logging.getLogger("lidia.check")


def check(
    *,
    dataset_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    datalist: str | None = None,
    sections: Sequence[str] | None = None,
    voxels: bool = True,
    workers: int = 2,
) -> dict[str, Any]:
    """Checks every case of a datalist and writes `errors.json`, `summary.json` and `check.html`.

    Args:
        dataset_dir: folder of the data set, which is only read.
        output_dir: folder for the three files.
        datalist: the JSON file, `dataset_dir/dataset.json` by default.
        sections: names of the sections to check; all by default.
        voxels: reads the volumes; False checks only the list and the headers.
        workers: number of processes.

    Raises:
        CaseError: if there is any error; it is raised after all cases are checked and the files are written.
    """
    file, folder = find_list_file(Path(dataset_dir), datalist), Path(output_dir)
    try:
        lists, list_faults = read_lists(file)
    except CaseError as fault:
        lists, list_faults = {}, [fault]
    unknown = sorted(set(sections or ()) - set(lists)) if lists else []
    if unknown:
        problem = f"the list has no section {', '.join(unknown)}; its sections are {', '.join(lists)}"
        list_faults.append(
            CaseError("datalist", str(file), problem, "give one of these sections", "no_section")
        )
    lists = {name: items for name, items in lists.items() if sections is None or name in sections}
    items = [item for section in lists.values() for item in section]
    measurements: dict[str, Any] = {}
    digests: dict[str, str] = {}
    faults: list[dict[str, Any]] = [fault.as_dict() for fault in list_faults]
    work = partial(check_patient, voxels=voxels)  # runs in the workers
    loader = DataLoader(cast(Any, items), batch_size=None, num_workers=int(workers), collate_fn=work)
    bar = tqdm(loader, total=len(items), unit="patient", desc="check")
    for item, result in zip(items, bar, strict=True):
        faults += result.faults
        measurements[item["id"]] = result.measurements
        digests |= result.digests
    faults += [fault.as_dict() for fault in find_leaks(lists, digests, str(file))]
    summary = summarize(lists, measurements, faults)
    for name, content in (("errors.json", faults), ("summary.json", summary)):
        write_json(folder / name, content)
    synthetic = bool(items) and all(item.get("synthetic") for item in items)
    blocks = build_check_sections(str(file), summary, faults)
    page = write_page(folder / "check.html", "Check of a datalist", blocks, synthetic=synthetic)
    errors = [CaseError(**fault) for fault in faults if fault["severity"] == "error"]
    logger.info(
        "%d patients, %d errors, %d warnings: %s", len(items), len(errors), len(faults) - len(errors), page
    )
    if errors:
        combined = CaseError.together(errors, str(folder / "errors.json"))
        raise combined
    return summary
