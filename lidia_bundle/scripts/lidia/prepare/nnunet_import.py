"""From nnU-Net v2's raw folder to a datalist: channels become phases, labels classes, both by name."""

from __future__ import annotations

import json
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
from scripts.lidia.datalist.read_text_file import read_text
from scripts.lidia.inference.result_files import write_volume
from scripts.lidia.prepare.cross_validation import Sections
from scripts.lidia.prepare.foreign_names import class_of, phase_of
from scripts.lidia.prepare.output_folder import each, is_fresh, logger
from scripts.lidia.vocabulary import LIVER, PHASES

ENDINGS = (".nii.gz", ".nii")
IGNORE = 255
"""What nnU-Net's label `ignore` becomes in our label files; the item of a case names it."""


class Raw(NamedTuple):
    """What `dataset.json` of a raw folder says."""

    folder: Path
    ending: str
    phases: dict[int, str]
    """Phase of each channel."""
    classes: dict[int, int]
    """Our class of each value of the labels."""
    listed: dict[str, dict[str, Any]] | None
    """Images and label of each training case, where `dataset.json` lists them itself."""


class Found(NamedTuple):
    """Files of one case."""

    case: str
    channels: dict[int, Path]
    label: Path | None


def read_raw(
    folder: Path,
    dataset_dir: Path,
    *,
    phase_map: Mapping[str, str] | None = None,
    class_map: Mapping[str, str] | None = None,
) -> list[Sections]:
    """Lists the cases of a raw folder; images stay where they are, labels too if their values are ours.

    Args:
        folder: `DatasetXXX_Name`, with `dataset.json`.
        dataset_dir: where labels go whose values had to be changed.
        phase_map: phase of a channel, by its number or name. Where it says nothing, `phases` of
            `dataset.json` speaks (our own export writes it), else the names of the channels.
        class_map: our class for a name of a label.

    Returns:
        Sections, once a fold of `splits_final.json`, once without that file. `test` holds `imagesTs`.

    Raises:
        CaseError: if a name is unknown, a file is missing or damaged, or a label holds an unknown value.
    """
    raw = _read_json(folder, phase_map, class_map)
    if LIVER not in raw.classes.values():
        logger.warning("no label is the liver: cases need a `liver` mask in the list before they can train")
    parts = {place: _cases(raw, place) for place in ("Tr", "Ts")}
    work = partial(_item, raw=raw, dataset_dir=dataset_dir)
    found = [(place, case) for place, cases in parts.items() for case in cases]
    if not found:
        problem = f"no case in imagesTr or imagesTs whose files end in {raw.ending}"
        remedy = "check --input_dir and file_ending; images elsewhere stand under the key `dataset`"
        raise CaseError("datalist", str(folder), problem, remedy, "no_case")
    items = each(found, work, lambda one: {"id": one[1].case}, dataset_dir)
    training = [item for (place, _), item in zip(found, items, strict=True) if place == "Tr"]
    test = [item for (place, _), item in zip(found, items, strict=True) if place == "Ts"]
    return [{**part, "test": test} for part in _split(folder, training)]


def _read_json(folder: Path, phase_map: Mapping[str, str] | None, class_map: Mapping[str, str] | None) -> Raw:
    """Reads `dataset.json`.

    Raises:
        CaseError: if it is no raw folder of nnU-Net v2, or names an unknown channel or label.
    """
    path = folder / "dataset.json"
    content = _json(path)
    needed = {"channel_names", "labels", "file_ending"}
    missing = needed - set(content) if isinstance(content, dict) else needed
    if missing:
        problem = f"no dataset.json of nnU-Net v2: {', '.join(sorted(missing))} missing"
        remedy = "name a folder DatasetXXX_Name; nnUNetv2_convert_old_nnUNet_dataset brings up version 1"
        raise CaseError("datalist", str(path), problem, remedy, "bad_datalist")
    if content["file_ending"] not in ENDINGS:
        problem = f"files end in {content['file_ending']!r}"
        raise CaseError("datalist", str(path), problem, "convert them to .nii.gz", "not_nifti")
    told = content.get("phases") if isinstance(content.get("phases"), dict) else {}
    given = {str(key): value for key, value in (phase_map or {}).items()}
    phases = {}
    for key, name in content["channel_names"].items():
        phases[int(key)] = phase_of(given.get(str(key)) or told.get(key) or str(name), phase_map, str(path))
    if len(set(phases.values())) < len(phases):
        problem = f"two channels are one phase: {phases}"
        remedy = "name the phase of each channel by --phase_map \"{'0': 'nc', '1': 'arterial'}\""
        raise CaseError("datalist", str(path), problem, remedy, "unknown_phase")
    regions = [name for name, value in content["labels"].items() if not isinstance(value, int)]
    if regions:
        problem = f"{', '.join(regions)} are regions of several values, and voxels have one class here"
        raise CaseError("datalist", str(path), problem, "export plain labels", "bad_label")
    classes = {value: _class(name, class_map, path) for name, value in content["labels"].items()}
    return Raw(folder.absolute(), content["file_ending"], phases, classes, _listed(content, path))


def _class(name: str, class_map: Mapping[str, str] | None, path: Path) -> int:
    """Our value of a label; nnU-Net's `ignore` is what nobody drew, unless the user says otherwise.

    Raises:
        CaseError: if the name is unknown.
    """
    if name == "ignore" and name not in (class_map or {}):
        return IGNORE
    return class_of(name, class_map, str(path))


def _json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        CaseError: if it is not there, or no JSON.
    """
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        remedy = "name a folder DatasetXXX_Name of nnU-Net by --input_dir"
        raise CaseError("datalist", str(path), "there is no such file", remedy, "missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CaseError("datalist", str(path), f"not JSON: {error}", "mend the file", "bad_json") from error


def _cases(raw: Raw, place: str) -> list[Found]:
    """Cases of `imagesTr` or `imagesTs` with their files.

    Raises:
        CaseError: if a file's name is none of nnU-Net's, or its channel is not declared.
    """
    if place == "Tr" and raw.listed is not None:
        return [_listed_case(raw, case, files) for case, files in sorted(raw.listed.items())]
    channels: dict[str, dict[int, Path]] = {}
    for path in sorted((raw.folder / f"images{place}").glob(f"[!.]*{raw.ending}")):
        name = re.fullmatch(r"(.+)_(\d{4})", path.name.removesuffix(raw.ending))
        if name is None or int(name[2]) not in raw.phases:
            problem = f"not CASE_NNNN{raw.ending} with a channel of {sorted(raw.phases)}"
            raise CaseError(path.name, str(path), problem, "rename or remove it", "bad_id")
        channels.setdefault(name[1], {})[int(name[2])] = path
    labels = {case: raw.folder / f"labels{place}" / f"{case}{raw.ending}" for case in channels}
    given = {case: path for case, path in labels.items() if place == "Tr" or path.is_file()}
    return [Found(case, files, given.get(case)) for case, files in channels.items()]


def _listed(content: Mapping[str, Any], path: Path) -> dict[str, dict[str, Any]] | None:
    """The key `dataset` of a `dataset.json`: nnU-Net then takes its training cases from there.

    Raises:
        CaseError: if it does not list images and a label for each case.
    """
    listed = content.get("dataset")
    if listed is None:
        return None
    for case, files in listed.items() if isinstance(listed, dict) else [("dataset", listed)]:
        images, label = (files.get("images"), files.get("label")) if isinstance(files, dict) else (None, None)
        fits = isinstance(images, list) and isinstance(label, str) and all(isinstance(i, str) for i in images)
        if not fits:
            remedy = 'write "dataset": {"CASE": {"images": [one path a channel], "label": path}}'
            raise CaseError(str(case), str(path), "no list of images and a label", remedy, "bad_datalist")
    return dict(listed)


def _listed_case(raw: Raw, case: str, files: Mapping[str, Any]) -> Found:
    """Files of a case that `dataset.json` lists: relative to the folder, variables such as $DATA replaced.

    Raises:
        CaseError: if it has more or fewer images than there are channels.
    """
    if len(files["images"]) != len(raw.phases):
        problem = f"{len(files['images'])} images, and {len(raw.phases)} channels"
        raise CaseError(case, str(raw.folder / "dataset.json"), problem, "list one a channel", "bad_datalist")

    def place(file: str) -> Path:
        path = raw.folder / file
        return path if path.exists() else raw.folder / os.path.expandvars(file)

    channels = dict(zip(sorted(raw.phases), map(place, files["images"]), strict=True))
    return Found(case, channels, place(files["label"]))


def _item(one: tuple[str, Found], *, raw: Raw, dataset_dir: Path) -> dict[str, Any]:
    """The item of a case.

    Raises:
        CaseError: if a file cannot be read, or no channel shows anything.
    """
    _, (case, channels, label) = one
    shown = {raw.phases[number]: str(path) for number, path in channels.items() if not _is_empty(path, case)}
    if not shown:
        file = str(next(iter(channels.values())))
        raise CaseError(case, file, "all channels are constant", "take the case off", "no_phase")
    item = {"id": case, "phases": {phase: shown[phase] for phase in PHASES if phase in shown}}
    if label is None:
        return item
    ignore = {"ignore": IGNORE} if IGNORE in raw.classes.values() else {}
    return {**item, "label": str(_label(label, case, raw, dataset_dir)), **ignore}


def _is_empty(path: Path, case: str) -> bool:
    """Whether a channel is one value throughout: a phase that was not scanned."""
    voxels, _, _ = read_nifti(path, case)
    return bool(voxels.min() == voxels.max())


def _label(path: Path, case: str, raw: Raw, dataset_dir: Path) -> Path:
    """The label with our values: the file itself, or a new one.

    Raises:
        CaseError: if it cannot be read, or holds a value that `dataset.json` does not name.
    """
    written = dataset_dir.absolute() / "labels" / f"{case}.nii.gz"
    same = all(value == ours for value, ours in raw.classes.items())
    if not same and is_fresh([written], [path, raw.folder / "dataset.json"]):
        return written
    voxels, affine, _ = read_mask(path, case, max(raw.classes))
    unknown = [int(value) for value in np.unique(voxels) if int(value) not in raw.classes]
    if unknown:
        problem = f"values {unknown} are not among the labels of dataset.json"
        raise CaseError(case, str(path), problem, "mend the label, or dataset.json", "bad_label")
    if same:
        return path
    table: NDArray[np.uint8] = np.zeros(max(raw.classes) + 1, np.uint8)
    for value, ours in raw.classes.items():
        table[value] = ours
    write_volume(written, table[voxels.astype(int)], affine)
    return written


def _split(folder: Path, training: list[dict[str, Any]]) -> list[Sections]:
    """Training and validation of each fold of `splits_final.json`; all training where there is none.

    Raises:
        CaseError: if the file names a case that is not there, or is no list of folds.
    """
    path = folder / "splits_final.json"
    if not path.is_file():
        return [{"training": training, "validation": []}]
    items = {item["id"]: item for item in training}
    folds = []
    for number, fold in enumerate(_json(path)):
        try:
            part = {ours: [items[case] for case in fold[key]] for ours, key in KEYS.items()}
        except (KeyError, TypeError) as error:
            problem = f"fold {number} has no key or case {error}"
            remedy = "mend or remove the file; without it all cases are training"
            raise CaseError("datalist", str(path), problem, remedy, "bad_datalist") from error
        folds.append(part)
    return folds


KEYS = {"training": "train", "validation": "val"}
