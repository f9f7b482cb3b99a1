"""Exports a datalist to nnU-Net v2's raw folder: all phases on the reference grid, one file per channel.

nnU-Net has no absent channels. An absent phase is written as air, -1024 HU everywhere; the import reads a
constant channel as an absent phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from scripts.lidia.atomic import write_json
from scripts.lidia.data.annotation import resample_to_grid
from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.data.read_volume import HU, read_mask
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.cross_validation import Sections, make_folds
from scripts.lidia.prepare.output_folder import is_up_to_date, logger, process_cases, record_settings
from scripts.lidia.vocabulary import CLASSES, IGNORED, PHASES

FILE_ENDING = ".nii.gz"
FOLDER_SUFFIX = {"training": "Tr", "validation": "Tr", "test": "Ts"}


def export_nnunet(
    sections: Sections,
    folder: Path,
    *,
    source: str,
    phases: Sequence[str] | None = None,
    complete: bool = False,
    ct: bool | None = None,
    folds: int | None = None,
    seed: int = 0,
) -> Path:
    """Writes `imagesTr`, `labelsTr`, `imagesTs`, `labelsTs`, `splits_final.json` and, last, `dataset.json`.

    Args:
        sections: completed items; training and validation go to `Tr`, test to `Ts`, others are left out.
        folder: `DatasetXXX_Name`.
        source: the list, for error messages and the recorded settings.
        phases: phases to write, one channel per phase in temporal order; all four by default.
        complete: leaves out training and validation cases without all these phases. All test cases stay.
        ct: true names all channels "CT", by which nnU-Net clips and scales by the cohort's HU; false names
            them by phase, by which it scales each volume by its own mean and SD. By default a channel is CT
            if all training and validation cases have the phase: air of absent phases distorts the scale.
        folds: number of folds in `splits_final.json`; by default one, the list's own two sections.
        seed: seed of the folds.

    Returns:
        Path of `dataset.json`.

    Raises:
        CaseError: if a case is invalid, or the folder holds other cases or was begun with other settings.
    """
    phase_names = _check_phases(phases)
    exported = {name: _restrict_phases(sections.get(name, []), phase_names) for name in FOLDER_SUFFIX}
    for name in ("training", "validation"):
        if complete:
            exported[name] = [item for item in exported[name] if len(item["phases"]) == len(phase_names)]
    for name in sorted(set(sections) - set(FOLDER_SUFFIX)):
        logger.warning(f"section {name} is left out: nnU-Net has no such section")
    if not exported["training"]:
        problem = f"no training case with {'all of ' if complete else ''}{', '.join(phase_names)}"
        raise CaseError("datalist", source, problem, "give other phases, or another list", "no_phase")
    record_settings(folder, {"source": source, "phases": phase_names, "complete": complete, "to": "nnunet"})
    cases = [(item, FOLDER_SUFFIX[name]) for name, items in exported.items() for item in items]
    expected = [list_case_files(item, place, folder, phase_names) for item, place in cases]
    _refuse_foreign_files(folder, [path for paths in expected for path in paths])
    (folder / "dataset.json").unlink(missing_ok=True)
    work = partial(_write_case, folder=folder, phases=phase_names)
    process_cases(cases, work, lambda case: case[0], folder)
    _write_splits(folder, exported, folds, seed, source)
    labels = {name: value for value, name in enumerate(CLASSES)}
    if any(_has_ignored(path) for path in folder.glob(f"labelsT[rs]/*{FILE_ENDING}")):
        labels["ignore"] = len(CLASSES)  # nnU-Net requires the highest value
    about = {
        "name": folder.name.partition("_")[2],
        "channel_names": _make_channel_names(phase_names, exported["training"] + exported["validation"], ct),
        "phases": {str(n): phase for n, phase in enumerate(phase_names)},
        "labels": labels,
        "numTraining": sum(place == "Tr" for _, place in cases),
        "file_ending": FILE_ENDING,
    }
    write_json(folder / "dataset.json", about)
    return folder / "dataset.json"


def _has_ignored(path: Path) -> bool:
    """Whether a written label has ignored voxels."""
    voxels, _, _ = read_mask(path, path.name, len(CLASSES))
    return bool((voxels == len(CLASSES)).any())


def _make_channel_names(
    phases: Sequence[str], items: Sequence[dict[str, Any]], ct: bool | None
) -> dict[str, str]:
    """Returns the channel names, by which nnU-Net chooses the scaling of each channel."""
    names = {}
    for number, phase in enumerate(phases):
        lacking = sum(phase not in item["phases"] for item in items)
        if lacking:
            logger.warning(f"{lacking} of {len(items)} cases have no {phase} phase; it is written as air")
        names[str(number)] = "CT" if (ct is None and not lacking) or ct else phase
    return names


def list_case_files(item: dict[str, Any], place: str, folder: Path, phases: Sequence[str]) -> list[Path]:
    """Lists the files of a case: one per channel, and the label if the case has one."""
    names = [f"images{place}/{item['id']}_{number:04d}{FILE_ENDING}" for number in range(len(phases))]
    if place == "Tr" or "label" in item:
        names.append(f"labels{place}/{item['id']}{FILE_ENDING}")
    return [folder / name for name in names]


def _write_case(case: tuple[dict[str, Any], str], *, folder: Path, phases: Sequence[str]) -> None:
    item, place = case
    files = list_case_files(item, place, folder, phases)
    sources = [*item["phases"].values(), *(item[k] for k in ("label", "liver", "instances") if k in item)]
    if is_up_to_date(files, sources):
        return
    labelled = len(files) > len(phases)
    loaded = LoadPhases("native" if labelled else None)(item)
    image: MetaTensor = loaded["image"]
    affine = image.affine.numpy()
    if labelled:
        label = resample_to_grid(loaded["drawing"].classes, image)
        values = label.numpy()[0]
        write_volume(files[-1], np.where(values == IGNORED, len(CLASSES), values).astype(np.uint8), affine)
    volumes = {loaded["grid_phase"]: image.numpy()[0]}
    volumes |= {phase: resample_to_reference(volume, image) for phase, volume in loaded["phases"].items()}
    for phase, file in zip(phases, files, strict=False):
        voxels = volumes.get(phase, np.full(image.shape[1:], HU[0]))
        write_volume(file, np.rint(voxels).astype(np.int16), affine)


def resample_to_reference(volume: MetaTensor, image: MetaTensor) -> np.ndarray:
    """Resamples a phase to the grid of the reference, with antialiasing where that grid is coarser.

    Args:
        volume: (1, X, Y, Z) HU on its own grid.
        image: (1, X, Y, Z) reference.

    Returns:
        (X, Y, Z) HU; -1024 beyond the phase's field of view.
    """
    grid = Grid(image.affine.numpy(), tuple(image.shape[1:]))
    return resample(volume, grid, antialias=True, outside=HU[0]).numpy()[0]


def _check_phases(phases: Sequence[str] | None) -> list[str]:
    """Checks the phases to write and returns them in temporal order.

    Raises:
        CaseError: if a phase is unknown, or there is none.
    """
    requested = [phases] if isinstance(phases, str) else list(PHASES if phases is None else phases)
    if not requested or not set(requested) <= set(PHASES):
        problem = f"phases is {requested}"
        raise CaseError("datalist", "", problem, f"list some of {', '.join(PHASES)}", "unknown_phase")
    return [phase for phase in PHASES if phase in requested]


def _restrict_phases(items: Sequence[dict[str, Any]], phases: Sequence[str]) -> list[dict[str, Any]]:
    """Restricts the cases to these phases; cases with none of them are left out with a warning."""
    restricted = [
        {**item, "phases": {p: f for p, f in item["phases"].items() if p in phases}} for item in items
    ]
    for item in restricted:
        if not item["phases"]:
            logger.warning(f"{item['id']} is left out: it has none of {', '.join(phases)}")
    return [item for item in restricted if item["phases"]]


def _refuse_foreign_files(folder: Path, expected: Sequence[Path]) -> None:
    """Refuses a folder with cases of another list, because nnU-Net would train on them.

    Raises:
        CaseError: if there is such a file.
    """
    existing = {path for part in ("images", "labels") for path in folder.glob(f"{part}T[rs]/*")}
    foreign = sorted(existing - set(expected))
    if foreign:
        problem = f"{len(foreign)} files here belong to no case of the list, for example {foreign[0].name}"
        remedy = "remove them, or give another folder"
        raise CaseError("datalist", str(foreign[0]), problem, remedy, "other_cases")


def _write_splits(folder: Path, sections: Sections, folds: int | None, seed: int, source: str) -> None:
    """Writes `splits_final.json`, which nnU-Net's planner copies; no file without validation cases."""
    parts = [sections] if folds is None else make_folds(sections, folds, seed, source)
    path = folder / "splits_final.json"
    if not parts[0]["validation"]:
        path.unlink(missing_ok=True)
        return
    keys = {"train": "training", "val": "validation"}
    splits = [{k: sorted(item["id"] for item in part[name]) for k, name in keys.items()} for part in parts]
    write_json(path, splits)
