"""Collections of The Cancer Imaging Archive with SEGs, CRLM and HCC-TACE-Seg; file names do not matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import Drawn, Patient
from scripts.lidia.prepare.read_seg import read_segments, segment_names
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.dicom_stacks import Seg, Stack, find_stacks
from scripts.lidia.prepare.readers.phase_timing import in_words, phases_of
from scripts.lidia.vocabulary import FIRST_LESION


def read_crlm(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients of Colorectal-Liver-Metastases: one venous scan, and a SEG with a segment a tumour.

    Args:
        layout: a folder with the collection's DICOM files.

    Raises:
        CaseError: if there is no CT in it.
    """
    phase = layout.phase("CT", layout.root)
    for one in _drawn_patients(layout, apart=True):
        if isinstance(one, CaseError):
            yield one
        else:
            yield Patient(one.case, {phase: one.drawn_on.place}, one.drawn)


def read_hcc_tace_seg(layout: Layout) -> Iterator[Patient | CaseError]:
    """Gives the patients of HCC-TACE-Seg before chemoembolisation: the scans in the space of the first SEG.

    Scans of one series are told apart by their acquisition; see `timing` for which phase they are.

    Args:
        layout: a folder with the collection's DICOM files.

    Raises:
        CaseError: if there is no CT in it.
    """
    for one in _drawn_patients(layout, apart=False):
        if isinstance(one, CaseError):
            yield one
            continue
        scan = one.drawn_on
        near = [s for s in one.scans if s.study == scan.study and s.frame == scan.frame]
        phases = phases_of(near, layout, first=scan)
        if scan not in phases.values():
            problem = f"nobody can tell the phase of the scan that was drawn on, {in_words(scan)}"
            remedy = f"name it by --phase_map \"{{'{scan.series}': 'venous'}}\""
            yield CaseError(one.case, str(scan.paths[0].parent), problem, remedy, "unknown_phase")
            continue
        yield Patient(one.case, {phase: stack.place for phase, stack in phases.items()}, one.drawn)


class _Patient(NamedTuple):
    """A patient with a SEG that can be read."""

    case: str
    scans: list[Stack]
    drawn: tuple[Drawn, ...]
    drawn_on: Stack


def _drawn_patients(layout: Layout, *, apart: bool) -> Iterator[_Patient | CaseError]:
    """Every patient of a collection, or what is wrong with him; `apart` makes each segment one lesion."""
    stacks, segs = find_stacks(layout.root, layout.account)
    layout.some(stacks, "CT series")
    for case in sorted({stack.patient for stack in stacks}):
        mine = [stack for stack in stacks if stack.patient == case]
        try:
            seg = _first_seg(case, segs, mine)
            drawn = _drawn(seg, case, layout, apart=apart)
        except CaseError as fault:
            yield fault
            continue
        scan = seg.drawn_on(mine)
        yield _nowhere(case, seg) if scan is None else _Patient(case, mine, drawn, scan)


def _first_seg(case: str, segs: list[Seg], stacks: list[Stack]) -> Seg:
    """The SEG of the earliest study that is there with its scans.

    Raises:
        CaseError: if there is none; a remark, as parts of a collection are often fetched without them.
    """
    studies = {stack.study for stack in stacks}
    mine = [seg for seg in segs if seg.patient == case and seg.study in studies]
    if not mine:
        problem, remedy = "no SEG is there for its scans", "fetch the collection's SEG series too"
        raise CaseError(case, str(stacks[0].paths[0].parent), problem, remedy, "no_label", "warning")
    return mine[0]


def _nowhere(case: str, seg: Seg) -> CaseError:
    problem = "the scan that the SEG was drawn on is not there, or cannot be told"
    return CaseError(case, str(seg.path), problem, "fetch all series of the study", "missing", "warning")


def _drawn(seg: Seg, case: str, layout: Layout, *, apart: bool) -> tuple[Drawn, ...]:
    """The segments by class, the liver first, so that lesions win; `apart` makes each segment one lesion.

    Raises:
        CaseError: if the SEG cannot be read, names an unknown segment, or has no lesion.
    """
    kinds: dict[int, list[int]] = {}
    for number, name in segment_names(seg.path, case).items():
        word = re.sub(r"[\s_]*\d+$", "", name)  # Tumor_1 is a tumor
        try:
            kinds.setdefault(layout.kind(word, seg.path), []).append(number)
        except CaseError as fault:
            raise CaseError(case, fault.file, fault.problem, fault.remedy, fault.code) from fault
    groups = [(kind, numbers) for kind, numbers in sorted(kinds.items()) if kind]
    if not any(kind >= FIRST_LESION for kind, _ in groups):
        problem = "no segment is a lesion, and all patients of this set have one"
        raise CaseError(case, str(seg.path), problem, "remove the case", "no_label")
    found = []
    for kind, numbers in groups:
        single = apart and kind >= FIRST_LESION
        for part in [[number] for number in numbers] if single else [numbers]:
            found.append(Drawn(seg.path, kind, lesion=single, read=partial(read_segments, numbers=part)))
    return tuple(found)
