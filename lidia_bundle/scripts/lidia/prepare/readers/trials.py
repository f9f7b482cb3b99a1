"""TriALS: four phases, liver and lesions drawn, no types."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout

ORDER = ("venous", "combined", "delayed", "arterial", "nocontrast")
"""Which drawing is taken: the venous one, as the grid is the venous phase's."""


def read_trials(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the cases `imagesTr/<case>/<case>_<phase>.nii.gz` with `labelsTr*/<case>/<case>_*.nii.gz`.

    The set names no type of lesion, so `class_map` must, e.g. {"lesion": "others"}.

    Args:
        layout: the folder with `imagesTr`.

    Raises:
        CaseError: if there is no case, or nobody says what a lesion is.
    """
    folders = sorted(path for path in layout.root.glob("imagesTr/*") if path.is_dir())
    layout.some(folders, "folder imagesTr/<case>")
    classes = layout.values(layout.root)
    for folder in folders:
        case = folder.name
        names = layout.words.phases
        found = {layout.phase(name, folder): folder / f"{case}_{name}.nii.gz" for name in names}
        phases = {phase: path for phase, path in found.items() if path.is_file()}
        labels = [
            path for name in ORDER for path in layout.root.glob(f"labelsTr*/{case}/{case}_{name}.nii.gz")
        ]
        if labels:
            yield Patient(case, phases, (Drawn(labels[0], classes),))
        else:
            place = str(layout.root / "labelsTr" / case)
            yield CaseError(case, place, "the case has no label", "fetch it, or remove the case", "no_label")
