"""LiTS: one contrast phase, liver and tumours drawn, no types; its test volumes have no drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import case_name
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout


def read_lits(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives `volume-N.nii` with `segmentation-N.nii` beside it or in another folder, and `test-volume-N.nii`.

    The set names no type of lesion, so `class_map` must, e.g. {"tumour": "others"}.

    Args:
        layout: the folder of both batches.

    Raises:
        CaseError: if there is no volume, or nobody says what a tumour is.
    """
    files = find_paths(layout.root, "*.nii*")
    labels: dict[str, Path] = {}
    for path in files:
        if found := re.fullmatch(r"segmentation-(\d+)", case_name(path)):
            labels.setdefault(found[1], path)
    volumes = [(m[1], m[2], path) for path in files if (m := re.fullmatch(NAME, case_name(path)))]
    layout.some(volumes, "file volume-N.nii")
    classes, phase = layout.values(layout.root), layout.phase("CT", layout.root)
    for test, number, path in volumes:
        case = case_name(path)
        if test:
            yield Patient(case, {phase: path}, None, section="test")
        elif number in labels:
            yield Patient(case, {phase: path}, (Drawn(labels[number], classes),))
        else:
            problem = f"no segmentation-{number}.nii for it"
            yield CaseError(case, str(path), problem, "fetch it, or remove the volume", "no_label")


NAME = r"(test-)?volume-(\d+)"
