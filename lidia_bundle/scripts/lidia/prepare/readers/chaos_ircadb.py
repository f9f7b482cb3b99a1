"""Reads sets with one mask image per slice: CHAOS's CT (PNG) and 3D-IRCADb (DICOM)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.input_folders import find_paths
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.slice_masks import read_dicom_mask, read_png_mask, read_slice_masks
from scripts.lidia.vocabulary import FIRST_LESION


def read_chaos(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `CT/<n>/DICOM_anon` with `CT/<n>/Ground/*.png`: livers of healthy donors; MR is not read.

    Images and slices are matched by the order of their names. Without `Ground` (the test sets) a case has
    no label.

    Raises:
        CaseError: if there is no CT.
    """
    folders = find_paths(layout.root, "CT/*/DICOM_anon", folders=True)
    layout.require_any(folders, "folder CT/<n>/DICOM_anon")
    phase, liver = layout.to_phase("CT", layout.root), layout.to_class("liver", layout.root)
    for folder in folders:
        ground, case = folder.parent / "Ground", f"CT_{folder.parent.name}"
        if ground.is_dir():
            read = partial(
                read_slice_masks, series=folder, ending=".png", read_image=read_png_mask, by_name=False
            )
            yield SourcePatient(case, {phase: folder}, (MaskFile(ground, liver, read=read),))
        else:
            yield SourcePatient(case, {phase: folder}, None, section="test")


def read_ircadb(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields `<case>/PATIENT_DICOM` with `MASKS_DICOM/liver`, `livertumor*`, `livercyst*`, all unpacked.

    A mask's slice has the name of its image's slice. A numbered mask folder is one lesion.

    Raises:
        CaseError: if there is no case, or `class_map` does not map tumours.
    """
    folders = find_paths(layout.root, "PATIENT_DICOM", folders=True)
    layout.require_any(folders, "folder <case>/PATIENT_DICOM")
    phase = layout.to_phase("CT", layout.root)
    for folder in folders:
        case, masks = folder.parent.name, folder.parent / "MASKS_DICOM"
        folders_of_masks = [path for path in sorted(masks.glob("*")) if path.is_dir()]
        terms = [(_find_organ(path.name), path) for path in folders_of_masks]
        organs = [(layout.to_class(term, path), path) for term, path in terms if term]
        if not organs:
            problem, remedy = "the masks include no liver", "unpack MASKS_DICOM.zip beside PATIENT_DICOM"
            yield CaseError(case, str(masks), problem, remedy, "no_label")
            continue
        mask_files = [_make_mask(path, kind, folder) for kind, path in sorted(organs)]
        yield SourcePatient(case, {phase: folder}, tuple(mask_files))


def _find_organ(name: str) -> str:
    """Returns the organ of a mask folder in the data set's terms; empty for other organs."""
    name = name.lower()
    if name == "liver":
        return name
    if name.startswith("livertumo") or name == "tumor":
        return "liver tumor"
    return "liver cyst" if re.match("liver[ck]yst", name) else ""


def _make_mask(path: Path, kind: int, series: Path) -> MaskFile:
    read = partial(read_slice_masks, series=series, ending="", read_image=read_dicom_mask, by_name=True)
    single = kind >= FIRST_LESION and path.name[-1].isdigit()
    return MaskFile(path, kind, lesion=single, read=read)
