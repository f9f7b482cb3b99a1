"""The one command of the room: reads or writes a kind of folder, chosen by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.write_datalist import write_datalist
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.prepare.case_files import Patient, convert_case
from scripts.lidia.prepare.cross_validation import Sections, format_folds, make_folds
from scripts.lidia.prepare.datalist_summary import write_summary
from scripts.lidia.prepare.dataset_account import close_account
from scripts.lidia.prepare.dicom_archive import read_archive
from scripts.lidia.prepare.nnunet_export import write_raw
from scripts.lidia.prepare.nnunet_import import read_raw
from scripts.lidia.prepare.output_folder import claim, each, logger
from scripts.lidia.prepare.readers import RAW, READERS, REFUSED, WORDS, Layout
from scripts.lidia.prepare.register_cohort import register_cohort

LISTS = {
    "folds": "folds of a datalist",
    "to_nnunet": "nnU-Net's raw folder from a datalist",
    "register": "a datalist whose phases are registered",
}
SOURCES = (*LISTS, "nnunet", "dicom", *RAW, *READERS)


def prepare(
    *,
    source: str,
    input_dir: str | os.PathLike[str],
    dataset_dir: str | os.PathLike[str],
    datalist: str | None = None,
    phase_map: Mapping[str, str] | None = None,
    class_map: Mapping[str, str] | None = None,
    masks: Mapping[str, str] | None = None,
    folds: int | None = None,
    seed: int = 0,
    phases: Sequence[str] | None = None,
    complete: bool = False,
    ct: bool | None = None,
    deidentify: bool = False,
    register: str = "greedy",
    register_limit_s: float = 300.0,
) -> Path:
    """Brings other people's folders to our datalist, our datalist to nnU-Net, or a datalist to folds.

    Args:
        source: `nnunet` or a public data set (see `READERS`): read `input_dir`, write `dataset.json` and
            `summary.json` into `dataset_dir`; `to_nnunet`: read a datalist, write the raw folder
            `dataset_dir`; `dicom`: find the studies in `input_dir`, write their phases and `dataset.json`;
            `folds`: read a datalist, write `dataset_fold0.json` and so on into `dataset_dir`; `register`:
            read a datalist, write registered phases and their list.
        input_dir: folder to read; nothing is written there.
        dataset_dir: folder to write. For `to_nnunet` its name is `DatasetXXX_Name`.
        datalist: the list in `input_dir`, for `to_nnunet`, `folds` and `register`; `dataset.json` by default.
        phase_map: what the source calls a phase, and which it is; for `folder` the pattern of each phase.
        class_map: what the source calls a lesion, and our class of it.
        masks: for `folder`, the file patterns of `label` and `liver`.
        folds: how many folds to make of training and validation; needed for `folds`.
        seed: of the folds.
        phases: for `to_nnunet`, phases to write; all four by default.
        complete: for `to_nnunet`, leave out training and validation cases without all of them.
        register: for `register`, the method, "greedy" or "convexadam".
        register_limit_s: for `register`, seconds that a pair of phases may take.
        ct: for `to_nnunet`, whether nnU-Net is to scale the channels as CT; by default those that all have.
        deidentify: for `dicom`, ids and logs that say nothing of the patients.

    Returns:
        Path of the (first) list that was written.

    Raises:
        CaseError: if the source is unknown, a name is, or a case is at fault; the good cases are done then.
    """
    read, write = Path(input_dir).absolute(), Path(dataset_dir).absolute()
    if source in REFUSED:
        raise CaseError("datalist", str(read), *REFUSED[source], "refused_source")
    if source not in SOURCES:
        remedy = f"choose one of {', '.join(SOURCES)}"
        raise CaseError("datalist", str(read), f"source {source!r} is unknown", remedy, "unknown_source")
    if source != "folds" and (read == write or read in write.parents and source != "to_nnunet"):
        problem = "dataset_dir is input_dir, or lies in it: a data set is never written into"
        raise CaseError("datalist", str(write), problem, "name another dataset_dir", "same_folder")
    if source in LISTS:
        file = read / (datalist or "dataset.json")
        sections = read_sections(file)
        if source == "folds":
            return _write_folds(_folds(sections, folds or 0, seed, str(file)), write, str(file))
        if source == "register":
            told_by = {"input_dir": str(read), "datalist": datalist, "register": register}
            claim(write, {"source": source, **told_by})
            done = register_cohort(sections, write, method=register, limit_s=register_limit_s)
            return write_datalist(write / "dataset.json", done, description=f"{register}: {read}")
        options: dict[str, Any] = {"phases": phases, "complete": complete, "ct": ct}
        return write_raw(sections, _named(write), source=str(file), folds=folds, seed=seed, **options)
    if not read.is_dir():
        raise CaseError("datalist", str(read), "there is no such folder", "check --input_dir", "missing")
    asked: dict[str, Any] = {"phase_map": phase_map, "class_map": class_map, "masks": masks}
    if source == "dicom":
        asked["deidentify"] = deidentify
    claim(write, {"source": source, "input_dir": str(read), **asked})
    if source == "dicom":
        sections = read_archive(read, write, phase_map=phase_map, private=deidentify)
        return write_datalist(write / "dataset.json", sections, description="found in a DICOM archive")
    words = WORDS[source]
    layout = Layout(read, phase_map or {}, class_map or {}, masks or {}, words, Account(read))
    left_out: list[CaseError] = []
    files: dict[str, Any] = {}
    if source in READERS:
        patients = list(READERS[source](layout))
        left_out = [one for one in patients if isinstance(one, CaseError) and one.severity == "warning"]
        finished: list[str] = []
        try:
            parts = [_read([one for one in patients if one not in left_out], left_out, write)]
            finished = [item["id"] for part in parts[0].values() for item in part]
        finally:
            files = close_account(layout.account, patients, write, finished)
    else:
        parts = read_raw(read, write, phase_map=layout.phases, class_map=layout.classes)
    about = {"description": f"{source}: {read.name}"}
    written = write_datalist(write / "dataset.json", parts[0], **about)
    write_summary(write, parts[0], left_out, source=source, input_dir=str(read), words=words.told(),
                  files=files)  # fmt: skip
    if folds is not None:
        parts = _folds(parts[0], folds, seed, str(written))
    if len(parts) > 1:
        _write_folds(parts, write, str(written))
    return written


def _read(patients: Sequence[Patient | CaseError], left_out: Sequence[CaseError], folder: Path) -> Sections:
    """Converts the patients of a public data set.

    Raises:
        CaseError: if patients are at fault, or none is left.
    """
    if not patients and left_out:
        fault = CaseError.together(left_out, str(folder))
        raise fault
    if not patients:
        remedy = "check --input_dir and --source"
        raise CaseError("datalist", str(folder), "the reader found no case", remedy, "no_case")
    items = each(patients, partial(_convert, folder=folder), _name, folder)
    sections: Sections = {"training": [], "validation": [], "test": []}
    for patient, item in zip(patients, items, strict=True):
        sections[patient.section if isinstance(patient, Patient) else "test"].append(item)
    return sections


def _convert(found: Patient | CaseError, folder: Path) -> dict[str, Any]:
    """Converts a patient.

    Raises:
        CaseError: if the patient is at fault, or the reader says so.
    """
    if isinstance(found, CaseError):
        raise found
    return convert_case(found, folder)


def _name(found: Patient | CaseError) -> dict[str, str]:
    return {"id": found.case if isinstance(found, CaseError) else found.id}


def _folds(sections: Sections, folds: int, seed: int, file: str) -> list[Sections]:
    parts = make_folds(sections, int(folds), int(seed), file)
    for number, line in enumerate(format_folds(parts)):
        logger.info(f"fold {number}: " + ", ".join(f"{name} {count}" for name, count in line.items()))
    return parts


def _write_folds(parts: Sequence[Sections], folder: Path, file: str) -> Path:
    """Writes a list a fold; returns the first."""
    names = [folder / f"dataset_fold{number}.json" for number in range(len(parts))]
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        write_datalist(name, part, description=f"fold {number} of {len(parts)} of {Path(file).name}")
    for path in set(folder.glob("dataset_fold*.json")) - set(names):
        path.unlink()  # of an earlier call with more folds: a mixture of two splits would leak
    return names[0]


def _named(folder: Path) -> Path:
    """Checks the name of a raw folder.

    Raises:
        CaseError: if nnU-Net would not find it.
    """
    number, _, name = folder.name.removeprefix("Dataset").partition("_")
    if not (folder.name.startswith("Dataset") and len(number) == 3 and number.isdigit() and name):
        problem = f"nnU-Net finds folders by the name DatasetXXX_Name, this one is {folder.name}"
        remedy = "name it so, e.g. --dataset_dir nnUNet_raw/Dataset501_LIDIA"
        raise CaseError("datalist", str(folder), problem, remedy, "bad_id")
    return folder
