"""From a datalist to nnU-Net v2's raw folder: all phases on the reference grid, one file a channel.

nnU-Net knows no absent channel. An absent phase is written as air, -1024 HU everywhere, so that a constant
channel says 'not there' to whoever reads the folder back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from scripts.lidia.atomic import write_json
from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.data.read_volume import HU, read_mask
from scripts.lidia.data.targets import resample_to_grid
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.geometry.grid import Grid
from scripts.lidia.geometry.resample import resample
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.cross_validation import Sections, make_folds
from scripts.lidia.prepare.output_folder import claim, each, is_fresh, logger
from scripts.lidia.vocabulary import CLASSES, IGNORED, PHASES

ENDING = ".nii.gz"
PLACES = {"training": "Tr", "validation": "Tr", "test": "Ts"}


def write_raw(
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
        source: the list, for messages and the record.
        phases: phases to write, one channel each in temporal order; all four by default.
        complete: leave out training and validation cases without all these phases. Test cases all stay.
        ct: true names all channels "CT", by which nnU-Net clips and scales by the cohort's HU; false names
            them by phase, by which it scales each volume by its own mean and SD. By default a channel is CT
            if all cases to train on have the phase: air among the HU of the lesions would spoil the scale.
        folds: how many folds `splits_final.json` has; by default one, the list's own two sections.
        seed: of the folds.

    Returns:
        Path of `dataset.json`.

    Raises:
        CaseError: if a case is at fault, the folder holds other cases or was begun with other settings.
    """
    kept = _chosen(phases)
    listed = {name: _with_phases(sections.get(name, []), kept) for name in PLACES}
    for name in ("training", "validation"):
        if complete:
            listed[name] = [item for item in listed[name] if len(item["phases"]) == len(kept)]
    for name in sorted(set(sections) - set(PLACES)):
        logger.warning(f"section {name} is left out: nnU-Net has no place for it")
    if not listed["training"]:
        problem = f"no training case with {'all of ' if complete else ''}{', '.join(kept)}"
        raise CaseError("datalist", source, problem, "name other phases, or another list", "no_phase")
    claim(folder, {"source": source, "phases": kept, "complete": complete, "to": "nnunet"})
    cases = [(item, PLACES[name]) for name, items in listed.items() for item in items]
    _refuse_strangers(folder, [path for item, place in cases for path in files_of(item, place, folder, kept)])
    (folder / "dataset.json").unlink(missing_ok=True)
    each(cases, partial(_write_case, folder=folder, phases=kept), lambda case: case[0], folder)
    _write_splits(folder, listed, folds, seed, source)
    labels = {name: value for value, name in enumerate(CLASSES)}
    if any(_ignores(path) for path in folder.glob(f"labelsT[rs]/*{ENDING}")):
        labels["ignore"] = len(CLASSES)  # nnU-Net wants the highest value
    about = {
        "name": folder.name.partition("_")[2],
        "channel_names": _channel_names(kept, listed["training"] + listed["validation"], ct),
        "phases": {str(n): phase for n, phase in enumerate(kept)},
        "labels": labels,
        "numTraining": sum(place == "Tr" for _, place in cases),
        "file_ending": ENDING,
    }
    write_json(folder / "dataset.json", about)
    return folder / "dataset.json"


def _ignores(path: Path) -> bool:
    """Whether a written label has voxels that nobody drew."""
    voxels, _, _ = read_mask(path, path.name, len(CLASSES))
    return bool((voxels == len(CLASSES)).any())


def _channel_names(phases: Sequence[str], items: Sequence[dict[str, Any]], ct: bool | None) -> dict[str, str]:
    """The word by which nnU-Net chooses each channel's scaling."""
    names = {}
    for number, phase in enumerate(phases):
        lacking = sum(phase not in item["phases"] for item in items)
        if lacking:
            logger.warning(f"{lacking} of {len(items)} cases have no {phase} phase; it is written as air")
        names[str(number)] = "CT" if (ct is None and not lacking) or ct else phase
    return names


def files_of(item: dict[str, Any], place: str, folder: Path, phases: Sequence[str]) -> list[Path]:
    """Files that a case becomes: one a channel, and the label where the case has one."""
    names = [f"images{place}/{item['id']}_{number:04d}{ENDING}" for number in range(len(phases))]
    if place == "Tr" or "label" in item:
        names.append(f"labels{place}/{item['id']}{ENDING}")
    return [folder / name for name in names]


def _write_case(case: tuple[dict[str, Any], str], *, folder: Path, phases: Sequence[str]) -> None:
    item, place = case
    files = files_of(item, place, folder, phases)
    sources = [*item["phases"].values(), *(item[k] for k in ("label", "liver", "instances") if k in item)]
    if is_fresh(files, sources):
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
    volumes |= {phase: on_reference(volume, image) for phase, volume in loaded["phases"].items()}
    for phase, file in zip(phases, files, strict=False):
        voxels = volumes.get(phase, np.full(image.shape[1:], HU[0]))
        write_volume(file, np.rint(voxels).astype(np.int16), affine)


def on_reference(volume: MetaTensor, image: MetaTensor) -> np.ndarray:
    """A phase on the grid of the reference, smoothed first where that is coarser.

    Args:
        volume: (1, X, Y, Z) HU on its own grid.
        image: (1, X, Y, Z), the reference.

    Returns:
        (X, Y, Z) HU; -1024 beyond the phase's field of view.
    """
    grid = Grid(image.affine.numpy(), tuple(image.shape[1:]))
    return resample(volume, grid, antialias=True, outside=HU[0]).numpy()[0]


def _chosen(phases: Sequence[str] | None) -> list[str]:
    """The phases to write, in temporal order.

    Raises:
        CaseError: if one is unknown, or there is none.
    """
    named = [phases] if isinstance(phases, str) else list(PHASES if phases is None else phases)
    if not named or not set(named) <= set(PHASES):
        problem = f"phases is {named}"
        raise CaseError("datalist", "", problem, f"list some of {', '.join(PHASES)}", "unknown_phase")
    return [phase for phase in PHASES if phase in named]


def _with_phases(items: Sequence[dict[str, Any]], phases: Sequence[str]) -> list[dict[str, Any]]:
    """The cases with these phases alone; those with none of them are left out, and said to be."""
    cut = [{**item, "phases": {p: f for p, f in item["phases"].items() if p in phases}} for item in items]
    for item in cut:
        if not item["phases"]:
            logger.warning(f"{item['id']} is left out: it has none of {', '.join(phases)}")
    return [item for item in cut if item["phases"]]


def _refuse_strangers(folder: Path, expected: Sequence[Path]) -> None:
    """Refuses a folder with cases of another list: nnU-Net would train on them.

    Raises:
        CaseError: if there is such a file.
    """
    found = {path for part in ("images", "labels") for path in folder.glob(f"{part}T[rs]/*")}
    strangers = sorted(found - set(expected))
    if strangers:
        problem = f"{len(strangers)} files here belong to no case of the list, {strangers[0].name} among them"
        remedy = "remove them, or name another folder"
        raise CaseError("datalist", str(strangers[0]), problem, remedy, "other_cases")


def _write_splits(folder: Path, listed: Sections, folds: int | None, seed: int, source: str) -> None:
    """Writes `splits_final.json`, which nnU-Net's planner takes along; none without validation cases."""
    parts = [listed] if folds is None else make_folds(listed, folds, seed, source)
    path = folder / "splits_final.json"
    if not parts[0]["validation"]:
        path.unlink(missing_ok=True)
        return
    keys = {"train": "training", "val": "validation"}
    splits = [{k: sorted(item["id"] for item in part[name]) for k, name in keys.items()} for part in parts]
    write_json(path, splits)
