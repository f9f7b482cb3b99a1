"""Reads sets of abdominal organs for their liver masks: AMOS, FLARE, AbdomenAtlas (with its lesions)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout

LAST_CT = 500
"""Highest number of a CT scan in AMOS; MR scans have higher numbers."""
LESIONS = ("liver_lesion.nii.gz", "liver_tumor.nii.gz")


def read_amos(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `imagesXX/amos_NNNN.nii.gz` with `labelsXX/amos_NNNN.nii.gz`; numbers above 500 are MR.

    Raises:
        CaseError: if there is no volume.
    """
    files = sorted(find_paths(layout.root, "images*/amos_*.nii.gz"), key=lambda path: path.name)
    layout.require_any(files, "file imagesTr/amos_NNNN.nii.gz")
    scans, labels = {}, {path.name: path for path in find_paths(layout.root, "labels*/amos_*.nii.gz")}
    for path in files:
        number = re.fullmatch(r"amos_(\d+)", make_case_name(path))
        if number and int(number[1]) > LAST_CT:
            problem, remedy = "MR by its number: values are not HU", "no action is needed"
            yield CaseError(make_case_name(path), str(path), problem, remedy, "not_ct", "warning")
        else:
            scans[make_case_name(path)] = path
    labels = {case: labels[path.name] for case, path in scans.items() if path.name in labels}
    yield from _iterate_liver_patients(layout, scans, labels)


def read_flare(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `<case>_0000.nii.gz` with `<case>.nii.gz` in another folder; without that a case has no label.

    Value 14 of later editions is a tumour of any organ and is not read, so a liver tumour is missing from the
    liver mask.

    Raises:
        CaseError: if there is no volume.
    """
    files = find_paths(layout.root, "*.nii.gz")
    scans = {make_case_name(p).removesuffix("_0000"): p for p in files if make_case_name(p).endswith("_0000")}
    layout.require_any(list(scans), "file <case>_0000.nii.gz")
    labels = {make_case_name(p): p for p in files if make_case_name(p) in scans}
    yield from _iterate_liver_patients(layout, scans, labels)


def _iterate_liver_patients(
    layout: Layout, scans: Mapping[str, Path], labels: Mapping[str, Path]
) -> Iterator[SourcePatient]:
    phase, classes = layout.to_phase("CT", layout.root), layout.map_values(layout.root)
    for case, path in scans.items():
        masks = (MaskFile(labels[case], classes),) if case in labels else None
        yield SourcePatient(case, {phase: path}, masks, section="test")


def read_abdomenatlas(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `<case>/ct.nii.gz` with `<case>/segmentations/liver.nii.gz`, below one folder or two.

    Cases with `liver_lesion.nii.gz` (or `liver_tumor.nii.gz`) go to `training`; `class_map` must map their
    lesions, e.g. {"lesion": "others"}; cases without go to `test`, for the liver only.

    Raises:
        CaseError: if there is no case, or `class_map` does not map lesions.
    """
    scans = {path.parent.name: path for path in find_paths(layout.root, "ct.nii.gz")}
    layout.require_any(list(scans), "file <case>/ct.nii.gz")
    masks: dict[str, dict[str, Path]] = {case: {} for case in scans}
    for path in find_paths(layout.root, "segmentations/liver*.nii.gz"):
        masks.get(path.parent.parent.name, {})[path.name] = path
    phase, liver = layout.to_phase("CT", layout.root), layout.to_class("liver", layout.root)
    for case, scan in scans.items():
        lesions = [masks[case][name] for name in LESIONS if name in masks[case]][:1]
        if "liver.nii.gz" not in masks[case]:
            yield SourcePatient(case, {phase: scan}, None, section="test")
            continue
        organ = MaskFile(masks[case]["liver.nii.gz"], liver)
        lesion_masks = [MaskFile(path, layout.to_class("lesion", path)) for path in lesions]
        section = "training" if lesion_masks else "test"
        yield SourcePatient(case, {phase: scan}, (organ, *lesion_masks), section=section)
