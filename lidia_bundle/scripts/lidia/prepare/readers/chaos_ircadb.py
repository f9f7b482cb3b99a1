"""Sets whose masks are one picture a slice: CHAOS's CT (PNG) and 3D-IRCADb (DICOM)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.slice_masks import dicom, png, read_pictures
from scripts.lidia.vocabulary import FIRST_LESION


def read_chaos(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives `CT/<n>/DICOM_anon` with `CT/<n>/Ground/*.png`: livers of healthy donors; MR is left alone.

    Pictures and slices are matched by the order of their names. Without `Ground` (the test sets) a case has
    no label.

    Args:
        layout: the folder of the sets.

    Raises:
        CaseError: if there is no CT.
    """
    folders = find_paths(layout.root, "CT/*/DICOM_anon", folders=True)
    layout.some(folders, "folder CT/<n>/DICOM_anon")
    phase, liver = layout.phase("CT", layout.root), layout.kind("liver", layout.root)
    for folder in folders:
        ground, case = folder.parent / "Ground", f"CT_{folder.parent.name}"
        if ground.is_dir():
            read = partial(read_pictures, series=folder, ending=".png", picture=png, by_name=False)
            yield Patient(case, {phase: folder}, (Drawn(ground, liver, read=read),))
        else:
            yield Patient(case, {phase: folder}, None, section="test")


def read_ircadb(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives `<case>/PATIENT_DICOM` with `MASKS_DICOM/liver`, `livertumor*`, `livercyst*`, all unpacked.

    A mask's slice has the name of its image's. A numbered folder of masks is one lesion.

    Args:
        layout: the folder of the cases.

    Raises:
        CaseError: if there is no case, or nobody says what a tumour is.
    """
    folders = find_paths(layout.root, "PATIENT_DICOM", folders=True)
    layout.some(folders, "folder <case>/PATIENT_DICOM")
    phase = layout.phase("CT", layout.root)
    for folder in folders:
        case, masks = folder.parent.name, folder.parent / "MASKS_DICOM"
        named = [(_word(path.name), path) for path in sorted(masks.glob("*")) if path.is_dir()]
        found = [(layout.kind(word, path), path) for word, path in named if word]
        if not found:
            problem, remedy = "no liver among its masks", "unpack MASKS_DICOM.zip beside PATIENT_DICOM"
            yield CaseError(case, str(masks), problem, remedy, "no_label")
            continue
        drawn = [_mask(path, kind, folder) for kind, path in sorted(found)]
        yield Patient(case, {phase: folder}, tuple(drawn))


def _word(name: str) -> str:
    """What a folder of masks shows, in the table's words; empty for other organs."""
    name = name.lower()
    if name == "liver":
        return name
    if name.startswith("livertumo") or name == "tumor":
        return "liver tumor"
    return "liver cyst" if re.match("liver[ck]yst", name) else ""


def _mask(path: Path, kind: int, series: Path) -> Drawn:
    read = partial(read_pictures, series=series, ending="", picture=dicom, by_name=True)
    single = kind >= FIRST_LESION and path.name[-1].isdigit()
    return Drawn(path, kind, lesion=single, read=read)
