"""Reads LiTS: one contrast phase, liver and tumour masks without types; no masks for test volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_item import make_case_name
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout


def read_lits(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `volume-N.nii` with `segmentation-N.nii` beside it or elsewhere, and `test-volume-N.nii`.

    The set names no type of lesion, so `class_map` must, e.g. {"tumour": "others"}.

    Raises:
        CaseError: if there is no volume, or `class_map` does not map tumours.
    """
    files = find_paths(layout.root, "*.nii*")
    labels: dict[str, Path] = {}
    for path in files:
        if match := re.fullmatch(r"segmentation-(\d+)", make_case_name(path)):
            labels.setdefault(match[1], path)
    matches = [(re.fullmatch(VOLUME_NAME, make_case_name(path)), path) for path in files]
    volumes = [(match[1], match[2], path) for match, path in matches if match]
    layout.require_any(volumes, "file volume-N.nii")
    classes, phase = layout.map_values(layout.root), layout.to_phase("CT", layout.root)
    for test, number, path in volumes:
        case = make_case_name(path)
        if test:
            yield SourcePatient(case, {phase: path}, None, section="test")
        elif number in labels:
            yield SourcePatient(case, {phase: path}, (MaskFile(labels[number], classes),))
        else:
            problem = f"no segmentation-{number}.nii for it"
            yield CaseError(case, str(path), problem, "download it, or remove the volume", "no_label")


VOLUME_NAME = r"(test-)?volume-(\d+)"
