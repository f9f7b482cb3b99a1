"""Reads WAW-TACE (Zenodo): HCC before chemoembolisation, some phases missing, one NRRD file per tumour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout

LIVERS = "total_segmentator"
TUMOURS = "tumor_masks"


def read_waw_tace(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the patients: `<patient>/<patient>_<0-3>_*.nii.gz`, tumours in `tumor_masks*/<patient>/*.nrrd`.

    A tumour was annotated in one phase and is resampled by its position in space. The liver is that of
    TotalSegmentator, if its folder exists.

    Raises:
        CaseError: if there is no patient in the folder.
    """
    root = layout.root
    patients: dict[str, dict[str, Path]] = {}
    for path in find_paths(root, "*.nii.gz"):
        match = re.match(r"(.+)_([0-3])_", path.name)
        if match and match[1] == path.parent.name and not _is_mask(path, root):
            phase = layout.to_phase(match[2], path)
            patients.setdefault(match[1], {}).setdefault(phase, path)
    layout.require_any(list(patients), "file <patient>/<patient>_<0-3>_*.nii.gz")
    tumours = [path for path in find_paths(root, "*.nrrd") if _is_mask(path, root)]
    livers = [path for path in find_paths(root, "*liver.nii.gz") if LIVERS in str(path.relative_to(root))]
    kind, organ = layout.to_class("tumour", root), layout.to_class("liver", root)
    for case, phases in patients.items():
        own = [path for path in tumours if path.parent.name == case]
        tumour_masks = [MaskFile(path, kind, lesion=True) for path in own]
        liver = [MaskFile(path, organ) for path in livers if case in path.relative_to(root).parts]
        if tumour_masks:
            yield SourcePatient(case, phases, (*liver[:1], *tumour_masks))
        else:
            problem = f"no tumour {TUMOURS}*/{case}/*.nrrd, but all patients of this set have one"
            yield CaseError(case, str(root), problem, "download the masks, or remove the case", "no_label")


def _is_mask(path: Path, root: Path) -> bool:
    return any(part.startswith((TUMOURS, LIVERS)) for part in path.relative_to(root).parts)
