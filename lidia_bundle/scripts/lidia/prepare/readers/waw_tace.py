"""WAW-TACE (Zenodo): HCC before chemoembolisation, some phases missing, one NRRD file a tumour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout

LIVERS = "total_segmentator"
TUMOURS = "tumor_masks"


def read_waw_tace(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients: `<patient>/<patient>_<0-3>_*.nii.gz`, tumours in `tumor_masks*/<patient>/*.nrrd`.

    A tumour was drawn in one phase and is carried over by its place in space. The liver is that of
    TotalSegmentator, where its folder is there.

    Args:
        layout: the folder of patients.

    Raises:
        CaseError: if there is no patient in it.
    """
    root = layout.root
    names: dict[str, dict[str, Path]] = {}
    for path in find_paths(root, "*.nii.gz"):
        found = re.match(r"(.+)_([0-3])_", path.name)
        if found and found[1] == path.parent.name and not _is_mask(path, root):
            phase = layout.phase(found[2], path)
            names.setdefault(found[1], {}).setdefault(phase, path)
    layout.some(list(names), "file <patient>/<patient>_<0-3>_*.nii.gz")
    tumours = [path for path in find_paths(root, "*.nrrd") if _is_mask(path, root)]
    livers = [path for path in find_paths(root, "*liver.nii.gz") if LIVERS in str(path.relative_to(root))]
    kind, organ = layout.kind("tumour", root), layout.kind("liver", root)
    for case, phases in names.items():
        own = tuple(Drawn(path, kind, lesion=True) for path in tumours if path.parent.name == case)
        liver = [Drawn(path, organ) for path in livers if case in path.relative_to(root).parts]
        if own:
            yield Patient(case, phases, (*liver[:1], *own))
        else:
            problem = f"no tumour {TUMOURS}*/{case}/*.nrrd, and all patients of this set have one"
            yield CaseError(case, str(root), problem, "fetch the masks, or remove the case", "no_label")


def _is_mask(path: Path, root: Path) -> bool:
    return any(part.startswith((TUMOURS, LIVERS)) for part in path.relative_to(root).parts)
