"""Imports nnU-Net v2's raw folder as a datalist: maps channels to phases and labels to classes by name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.data.read_volume import read_mask, read_nifti
from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_text_file import read_json
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.foreign_names import map_class, map_phase
from scripts.lidia.prepare.output_folder import is_up_to_date, logger, process_cases
from scripts.lidia.vocabulary import LIVER, PHASES

ENDINGS = (".nii.gz", ".nii")
IGNORE = 255
"""Value of nnU-Net's label `ignore` in the written labels, unless `class_map` maps it to a class.

The item of a case names it.
"""


class RawFolder(NamedTuple):
    """Content of `dataset.json` of a raw folder."""

    folder: Path
    ending: str
    phases: dict[int, str]
    """Phase of each channel."""
    classes: dict[int, int]
    """Class of each value of the labels."""
    listed: dict[str, dict[str, Any]] | None
    """Images and label of each training case, if `dataset.json` lists them."""


class RawCase(NamedTuple):
    """Files of one case."""

    case: str
    channels: dict[int, Path]
    label: Path | None


def import_nnunet(
    folder: Path,
    dataset_dir: Path,
    *,
    phase_map: Mapping[str, str] | None = None,
    class_map: Mapping[str, str] | None = None,
) -> list[Sections]:
    """Lists the cases of a raw folder; images stay in place, and labels too if their values need no change.

    Args:
        folder: `DatasetXXX_Name`, with `dataset.json`.
        dataset_dir: output folder for labels whose values are changed.
        phase_map: phase of a channel, by its number or name. For other channels `phases` of `dataset.json`
            is used (`export_nnunet` writes it), else the names of the channels.
        class_map: class for a name of a label.

    Returns:
        Sections for each fold of `splits_final.json`, or one without that file. `test` holds `imagesTs`.

    Raises:
        CaseError: if a name is unknown, a file is missing or damaged, or a label holds an unknown value.
    """
    raw = _read_dataset_json(folder, phase_map, class_map)
    if LIVER not in raw.classes.values():
        logger.warning("no label is the liver: training needs `liver` masks in the list")
    parts = {place: _find_cases(raw, place) for place in ("Tr", "Ts")}
    work = partial(_make_item, raw=raw, dataset_dir=dataset_dir)
    entries = [(place, case) for place, cases in parts.items() for case in cases]
    if not entries:
        problem = f"no case in imagesTr or imagesTs with files *{raw.ending}"
        remedy = "check --input_dir and file_ending; other image folders need the key `dataset`"
        raise CaseError("datalist", str(folder), problem, remedy, "no_case")
    items = process_cases(entries, work, lambda entry: {"id": entry[1].case}, dataset_dir)
    training = [item for (place, _), item in zip(entries, items, strict=True) if place == "Tr"]
    test = [item for (place, _), item in zip(entries, items, strict=True) if place == "Ts"]
    return [{**part, "test": test} for part in _apply_splits(folder, training)]


def _read_dataset_json(
    folder: Path, phase_map: Mapping[str, str] | None, class_map: Mapping[str, str] | None
) -> RawFolder:
    """Reads `dataset.json`.

    Raises:
        CaseError: if it is not a raw folder of nnU-Net v2, or names an unknown channel or label.
    """
    path = folder / "dataset.json"
    content = read_json(path, missing="give a folder DatasetXXX_Name of nnU-Net by --input_dir")
    fault = partial(CaseError, "datalist", str(path))
    needed = {"channel_names", "labels", "file_ending"}
    missing = needed - set(content) if isinstance(content, dict) else needed
    if missing:
        problem = f"not a dataset.json of nnU-Net v2: {', '.join(sorted(missing))} missing"
        remedy = "give a folder DatasetXXX_Name; nnUNetv2_convert_old_nnUNet_dataset converts version 1"
        raise fault(problem, remedy, "bad_datalist")
    if content["file_ending"] not in ENDINGS:
        raise fault(f"files end in {content['file_ending']!r}", "convert them to .nii.gz", "not_nifti")
    exported_phases = content.get("phases") if isinstance(content.get("phases"), dict) else {}
    mapping = {str(key): value for key, value in (phase_map or {}).items()}
    phases = {}
    for key, name in content["channel_names"].items():
        phase_name = mapping.get(str(key)) or exported_phases.get(key) or str(name)
        phases[int(key)] = map_phase(phase_name, phase_map, str(path))
    if len(set(phases.values())) < len(phases):
        problem = f"two channels are the same phase: {phases}"
        remedy = "give the phase of each channel by --phase_map \"{'0': 'nc', '1': 'arterial'}\""
        raise fault(problem, remedy, "unknown_phase")
    regions = [name for name, value in content["labels"].items() if not isinstance(value, int)]
    if regions:
        problem = f"{', '.join(regions)} are regions of several values, but a voxel has one class here"
        raise fault(problem, "export plain labels", "bad_label")
    classes = {}
    for name, value in content["labels"].items():
        ignored = name == "ignore" and name not in (class_map or {})
        classes[value] = IGNORE if ignored else map_class(name, class_map, str(path))
    listed = _read_case_list(content, path)
    return RawFolder(folder.absolute(), content["file_ending"], phases, classes, listed)


def _find_cases(raw: RawFolder, place: str) -> list[RawCase]:
    """Finds the cases of `imagesTr` or `imagesTs` with their files.

    Raises:
        CaseError: if a file name does not follow nnU-Net's pattern, or its channel is not declared.
    """
    if place == "Tr" and raw.listed is not None:
        return [_find_listed_case(raw, case, files) for case, files in sorted(raw.listed.items())]
    channels: dict[str, dict[int, Path]] = {}
    for path in sorted((raw.folder / f"images{place}").glob(f"[!.]*{raw.ending}")):
        name = re.fullmatch(r"(.+)_(\d{4})", path.name.removesuffix(raw.ending))
        if name is None or int(name[2]) not in raw.phases:
            problem = f"not CASE_NNNN{raw.ending} with a channel of {sorted(raw.phases)}"
            raise CaseError(path.name, str(path), problem, "rename or remove it", "bad_id")
        channels.setdefault(name[1], {})[int(name[2])] = path
    labels = {case: raw.folder / f"labels{place}" / f"{case}{raw.ending}" for case in channels}
    existing = {case: path for case, path in labels.items() if place == "Tr" or path.is_file()}
    return [RawCase(case, files, existing.get(case)) for case, files in channels.items()]


def _read_case_list(content: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]] | None:
    """Reads the key `dataset` of a `dataset.json`, which lists nnU-Net's training cases.

    Raises:
        CaseError: if it does not list images and a label for each case.
    """
    entries = content.get("dataset")
    if entries is None:
        return None
    for case, files in entries.items() if isinstance(entries, dict) else [("dataset", entries)]:
        images, label = (files.get("images"), files.get("label")) if isinstance(files, dict) else (None, None)
        fits = isinstance(images, list) and isinstance(label, str) and all(isinstance(i, str) for i in images)
        if not fits:
            problem = "the entry has no list of images and a label"
            remedy = 'write "dataset": {"CASE": {"images": [one path a channel], "label": path}}'
            raise CaseError(str(case), str(path), problem, remedy, "bad_datalist")
    return dict(entries)


def _find_listed_case(raw: RawFolder, case: str, files: Mapping[str, Any]) -> RawCase:
    """Resolves the files of a listed case: relative to the folder, with variables such as $DATA expanded.

    Raises:
        CaseError: if it has more or fewer images than there are channels.
    """
    if len(files["images"]) != len(raw.phases):
        problem = f"{len(files['images'])} images for {len(raw.phases)} channels"
        file = str(raw.folder / "dataset.json")
        raise CaseError(case, file, problem, "list one image per channel", "bad_datalist")

    def resolve(file: str) -> Path:
        path = raw.folder / file
        return path if path.exists() else raw.folder / os.path.expandvars(file)

    channels = dict(zip(sorted(raw.phases), map(resolve, files["images"]), strict=True))
    return RawCase(case, channels, resolve(files["label"]))


def _make_item(entry: tuple[str, RawCase], *, raw: RawFolder, dataset_dir: Path) -> dict[str, Any]:
    """Makes the datalist item of a case.

    Raises:
        CaseError: if a file cannot be read, or all channels are constant.
    """
    _, (case, channels, label) = entry
    present = {
        raw.phases[number]: str(path) for number, path in channels.items() if not _is_empty(path, case)
    }
    if not present:
        file = str(next(iter(channels.values())))
        raise CaseError(case, file, "all channels are constant", "remove the case", "no_phase")
    item = {"id": case, "phases": {phase: present[phase] for phase in PHASES if phase in present}}
    if label is None:
        return item
    ignore = {"ignore": IGNORE} if IGNORE in raw.classes.values() else {}
    return {**item, "label": str(_convert_label(label, case, raw, dataset_dir)), **ignore}


def _is_empty(path: Path, case: str) -> bool:
    """Whether a channel is constant, which marks a phase that was not scanned."""
    voxels, _, _ = read_nifti(path, case)
    return bool(voxels.min() == voxels.max())


def _convert_label(path: Path, case: str, raw: RawFolder, dataset_dir: Path) -> Path:
    """Returns the label file with the classes of this bundle: the file itself, or a converted copy.

    Raises:
        CaseError: if it cannot be read, or holds a value that `dataset.json` does not name.
    """
    written = dataset_dir.absolute() / "labels" / f"{case}.nii.gz"
    same = all(value == kind for value, kind in raw.classes.items())
    if not same and is_up_to_date([written], [path, raw.folder / "dataset.json"]):
        return written
    voxels, affine, _ = read_mask(path, case, max(raw.classes))
    unknown = [int(value) for value in np.unique(voxels) if int(value) not in raw.classes]
    if unknown:
        problem = f"values {unknown} are not among the labels of dataset.json"
        raise CaseError(case, str(path), problem, "correct the label, or dataset.json", "bad_label")
    if same:
        return path
    table: NDArray[np.uint8] = np.zeros(max(raw.classes) + 1, np.uint8)
    table[list(raw.classes)] = list(raw.classes.values())
    write_volume(written, table[voxels.astype(int)], affine)
    return written


def _apply_splits(folder: Path, training: list[dict[str, Any]]) -> list[Sections]:
    """Applies `splits_final.json`: training and validation of each fold; without it all cases are training.

    Raises:
        CaseError: if the file names an unknown case, or is not a list of folds.
    """
    path = folder / "splits_final.json"
    if not path.is_file():
        return [{"training": training, "validation": []}]
    items = {item["id"]: item for item in training}
    folds = []
    for number, fold in enumerate(read_json(path, missing="copy the folder again")):
        try:
            part = {section: [items[case] for case in fold[key]] for section, key in SPLIT_KEYS.items()}
        except (KeyError, TypeError) as error:
            problem = f"fold {number} has no key or case {error}"
            remedy = "correct or remove the file; without it all cases are training"
            raise CaseError("datalist", str(path), problem, remedy, "bad_datalist") from error
        folds.append(part)
    return folds


SPLIT_KEYS = {"training": "train", "validation": "val"}
