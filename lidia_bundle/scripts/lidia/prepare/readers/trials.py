"""Reads TriALS: four phases, liver and lesion masks without types."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout

ORDER = ("venous", "combined", "delayed", "arterial", "nocontrast")
"""Order in which masks are preferred: the venous one first, because the grid is that of the venous phase."""


def read_trials(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the cases `imagesTr/<case>/<case>_<phase>.nii.gz` with `labelsTr*/<case>/<case>_*.nii.gz`.

    The set names no type of lesion, so `class_map` must, e.g. {"lesion": "others"}.

    Raises:
        CaseError: if there is no case, or `class_map` does not map lesions.
    """
    folders = sorted(path for path in layout.root.glob("imagesTr/*") if path.is_dir())
    layout.require_any(folders, "folder imagesTr/<case>")
    classes = layout.map_values(layout.root)
    for folder in folders:
        case = folder.name
        names = layout.terms.phases
        files = {layout.to_phase(name, folder): folder / f"{case}_{name}.nii.gz" for name in names}
        phases = {phase: path for phase, path in files.items() if path.is_file()}
        patterns = [f"labelsTr*/{case}/{case}_{name}.nii.gz" for name in ORDER]
        labels = [path for pattern in patterns for path in layout.root.glob(pattern)]
        if labels:
            yield SourcePatient(case, phases, (MaskFile(labels[0], classes),))
        else:
            place = str(layout.root / "labelsTr" / case)
            problem, remedy = "the case has no label", "download it, or remove the case"
            yield CaseError(case, place, problem, remedy, "no_label")
