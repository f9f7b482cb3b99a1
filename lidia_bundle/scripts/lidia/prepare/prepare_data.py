"""Runs the command `prepare`: converts a folder of the given source."""

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
from scripts.lidia.prepare.case_files import SourcePatient, convert_case
from scripts.lidia.prepare.cross_validation import Sections, format_folds, make_folds
from scripts.lidia.prepare.datalist_summary import write_summary
from scripts.lidia.prepare.dataset_account import close_account
from scripts.lidia.prepare.dicom_archive import read_archive
from scripts.lidia.prepare.liver_masks import describe_inference, make_liver_masks
from scripts.lidia.prepare.mask_gate import MaskGate
from scripts.lidia.prepare.nnunet_export import export_nnunet
from scripts.lidia.prepare.nnunet_import import import_nnunet
from scripts.lidia.prepare.output_folder import logger, process_cases, record_settings
from scripts.lidia.prepare.readers import DATASET_TERMS, RAW, READERS, REFUSED, Layout
from scripts.lidia.prepare.register_cohort import register_cohort

UNLABELLED = "unlabelled"
LIST_SOURCES = {
    "folds": "folds of a datalist",
    "to_nnunet": "nnU-Net's raw folder from a datalist",
    "register": "a datalist whose phases are registered",
}
SOURCES = (*LIST_SOURCES, "nnunet", "dicom", UNLABELLED, *RAW, *READERS)


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
    inference_config: str | Sequence[str] | None = None,
    model_file: str | Sequence[str] | None = None,
    device: Any = None,
    mirror_axis: int = 2,
    mask_gate: MaskGate | None = None,
    accept: Sequence[str] | None = None,
    refuse: Sequence[str] | None = None,
) -> Path:
    """Converts other folders to a datalist, a datalist to nnU-Net, or a datalist to folds.

    Args:
        source: `nnunet` or a public data set (see `READERS`): read `input_dir`, write `dataset.json` and
            `summary.json` into `dataset_dir`; `to_nnunet`: read a datalist, write the raw folder
            `dataset_dir`; `dicom`: find the studies in `input_dir`, write their phases and `dataset.json`;
            `unlabelled`: make liver masks of the CT in `input_dir`, write them, a page and `dataset.json`;
            `folds`: read a datalist, write `dataset_fold0.json` and so on into `dataset_dir`; `register`:
            read a datalist, write registered phases and their list.
        input_dir: folder to read; nothing is written into it.
        dataset_dir: folder to write. For `to_nnunet` its name is `DatasetXXX_Name`.
        datalist: the list in `input_dir`, for `to_nnunet`, `folds` and `register`; `dataset.json` by default.
        phase_map: phase by its name in the source; for `folder` the path pattern by phase.
        class_map: class by its name in the source.
        masks: for `folder`, the file patterns of `label` and `liver`.
        folds: number of folds of training and validation; required for `folds`.
        seed: seed of the folds.
        phases: for `to_nnunet`, phases to write; all four by default.
        complete: for `to_nnunet`, leaves out training and validation cases without all of them.
        register: for `register`, the method, "greedy" or "convexadam".
        register_limit_s: for `register`, time limit in seconds per pair of phases.
        ct: for `to_nnunet`, whether nnU-Net scales channels as CT; by default those that all cases have.
        inference_config: for `unlabelled`, `inference.json` and its overlays, which make the masks.
        model_file: for `unlabelled`, weights; None takes those of `inference_config`.
        device: for `unlabelled`; None takes that of `inference_config`.
        mirror_axis: for `unlabelled`, axis of the mirrored second pass (0 right-left, 1 posterior-anterior,
            2 inferior-superior).
        mask_gate: for `unlabelled`, accepts or refuses a mask.
        accept: for `unlabelled`, ids whose masks are used although the gate refuses them.
        refuse: for `unlabelled`, ids that are not used.
        deidentify: for `dicom` and `unlabelled`, makes ids and logs that do not identify the patients.

    Returns:
        Path of the (first) written list.

    Raises:
        CaseError: if the source or a name is unknown, or if cases are invalid (after the others are done).
    """
    read, write = Path(input_dir).absolute(), Path(dataset_dir).absolute()
    if source in REFUSED:
        raise CaseError("datalist", str(read), *REFUSED[source], "refused_source")
    if source not in SOURCES:
        remedy = f"choose one of {', '.join(SOURCES)}"
        raise CaseError("datalist", str(read), f"source {source!r} is unknown", remedy, "unknown_source")
    if source != "folds" and (read == write or read in write.parents and source != "to_nnunet"):
        problem = "dataset_dir is input_dir or lies in it, and input_dir must stay unchanged"
        raise CaseError("datalist", str(write), problem, "give another dataset_dir", "same_folder")
    if source in LIST_SOURCES:
        file = read / (datalist or "dataset.json")
        sections = read_sections(file)
        if source == "folds":
            return _write_folds(_make_folds(sections, folds or 0, seed, str(file)), write, str(file))
        if source == "register":
            register_settings = {"input_dir": str(read), "datalist": datalist, "register": register}
            record_settings(write, {"source": source, **register_settings})
            sections = register_cohort(sections, write, method=register, limit_s=register_limit_s)
            return write_datalist(write / "dataset.json", sections, description=f"{register}: {read}")
        options: dict[str, Any] = {"phases": phases, "complete": complete, "ct": ct, "folds": folds}
        return export_nnunet(sections, _check_folder_name(write), source=str(file), seed=seed, **options)
    if not read.is_dir():
        raise CaseError("datalist", str(read), "there is no such folder", "check --input_dir", "missing")
    settings: dict[str, Any] = {"phase_map": phase_map, "class_map": class_map, "masks": masks}
    if source in ("dicom", UNLABELLED):
        settings["deidentify"] = deidentify
    if source == UNLABELLED:
        if inference_config is None:
            remedy = "give --inference_config lidia_bundle/configs/inference.json"
            raise CaseError("datalist", str(read), "no inference config is given", remedy, "missing")
        settings |= {"mirror_axis": mirror_axis, **describe_inference(inference_config, model_file)}
    record_settings(write, {"source": source, "input_dir": str(read), **settings})
    if source == "dicom":
        sections = read_archive(read, write, phase_map=phase_map, private=deidentify)
        return write_datalist(write / "dataset.json", sections, description="found in a DICOM archive")
    if source == UNLABELLED:
        sections, faults = make_liver_masks(
            read,
            write,
            config=inference_config or (),
            gate=mask_gate or MaskGate(),
            model_file=model_file,
            device=device,
            mirror_axis=mirror_axis,
            phase_map=phase_map,
            private=bool(deidentify),
            accept=accept or (),
            refuse=refuse or (),
        )
        return _write_masked(sections, faults, write, settings["weights_sha256"], folds, seed)
    terms = DATASET_TERMS[source]
    layout = Layout(read, phase_map or {}, class_map or {}, masks or {}, terms, Account(read))
    left_out: list[CaseError] = []
    files: dict[str, Any] = {}
    if source in READERS:
        patients = list(READERS[source](layout))
        faults = [entry for entry in patients if isinstance(entry, CaseError)]
        left_out = [fault for fault in faults if fault.severity == "warning"]
        remaining = [entry for entry in patients if entry not in left_out]
        finished: list[str] = []
        try:
            parts = [_convert_patients(remaining, left_out, write)]
            finished = [item["id"] for part in parts[0].values() for item in part]
        finally:
            files = close_account(layout.account, patients, write, finished)
    else:
        parts = import_nnunet(read, write, phase_map=layout.phases, class_map=layout.classes)
    about = {"description": f"{source}: {read.name}"}
    written = write_datalist(write / "dataset.json", parts[0], **about)
    write_summary(write, parts[0], left_out, source=source, input_dir=str(read), words=terms.as_dict(),
                  files=files)  # fmt: skip
    if folds is not None:
        parts = _make_folds(parts[0], folds, seed, str(written))
    if len(parts) > 1:
        _write_folds(parts, write, str(written))
    return written


def _write_masked(
    sections: Sections,
    faults: Sequence[CaseError],
    folder: Path,
    weights: Sequence[str],
    folds: int | None,
    seed: int,
) -> Path:
    """Writes the list of the scans whose liver masks were accepted, and its folds.

    Raises:
        CaseError: if no mask was accepted; if files are faulty, after the list of the others is written.
    """
    path = folder / "dataset.json"
    if not sections["training"]:
        path.unlink(missing_ok=True)  # of an earlier run
        if not faults:
            remedy = "look at masks.html, and keep the masks that are good by --accept ID"
            raise CaseError("datalist", str(folder), "no liver mask was accepted", remedy, "no_case")
    else:
        about = {"description": "CT with liver masks predicted by LIDIA", "weights_sha256": list(weights)}
        write_datalist(path, sections, **about)
        if folds is not None:
            _write_folds(_make_folds(sections, folds, seed, str(path)), folder, str(path))
    if faults:
        cases = sorted({fault.case for fault in faults})
        rest = (
            f"{path.name} holds the others" if sections["training"] else "no mask of the others was accepted"
        )
        problem = f"files or scans that cannot be used: {', '.join(cases[:10])} ({len(cases)} in all); {rest}"
        remedy = "correct the files and run the command again, or name them by --refuse"
        code = "several" if len({fault.code for fault in faults}) > 1 else faults[0].code
        raise CaseError("datalist", str(folder / "errors.json"), problem, remedy, code, members=faults)
    return path


def _convert_patients(
    patients: Sequence[SourcePatient | CaseError], left_out: Sequence[CaseError], folder: Path
) -> Sections:
    """Converts the patients of a public data set.

    Raises:
        CaseError: if patients are invalid, or none is left.
    """
    if not patients and left_out:
        fault = CaseError.together(left_out, str(folder))
        raise fault
    if not patients:
        remedy = "check --input_dir and --source"
        raise CaseError("datalist", str(folder), "the reader found no case", remedy, "no_case")
    work = partial(_convert_patient, folder=folder)
    sections: Sections = {"training": [], "validation": [], "test": []}
    for section, item in process_cases(patients, work, lambda patient: {"id": patient.id}, folder):
        sections[section].append(item)
    return sections


def _convert_patient(patient: SourcePatient, folder: Path) -> tuple[str, dict[str, Any]]:
    return patient.section, convert_case(patient, folder)


def _make_folds(sections: Sections, folds: int, seed: int, file: str) -> list[Sections]:
    parts = make_folds(sections, int(folds), int(seed), file)
    for number, line in enumerate(format_folds(parts)):
        logger.info(f"fold {number}: " + ", ".join(f"{name} {count}" for name, count in line.items()))
    return parts


def _write_folds(parts: Sequence[Sections], folder: Path, file: str) -> Path:
    """Writes one list per fold and returns the path of the first."""
    names = [folder / f"dataset_fold{number}.json" for number in range(len(parts))]
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        write_datalist(name, part, description=f"fold {number} of {len(parts)} of {Path(file).name}")
    for path in set(folder.glob("dataset_fold*.json")) - set(names):
        path.unlink()  # left by an earlier call with more folds; mixing two splits would leak patients
    return names[0]


def _check_folder_name(folder: Path) -> Path:
    """Checks the name of a raw folder.

    Raises:
        CaseError: if the name does not follow nnU-Net's pattern.
    """
    number, _, name = folder.name.removeprefix("Dataset").partition("_")
    if not (folder.name.startswith("Dataset") and len(number) == 3 and number.isdigit() and name):
        problem = f"nnU-Net finds folders by the name DatasetXXX_Name, this one is {folder.name}"
        remedy = "rename it, e.g. --dataset_dir nnUNet_raw/Dataset501_LIDIA"
        raise CaseError("datalist", str(folder), problem, remedy, "bad_id")
    return folder
