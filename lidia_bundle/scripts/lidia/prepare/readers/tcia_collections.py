"""Reads collections of The Cancer Imaging Archive with SEGs: CRLM and HCC-TACE-Seg, by their headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.prepare.case_files import MaskFile, SourcePatient
from scripts.lidia.prepare.read_seg import read_segment_names, read_segments
from scripts.lidia.prepare.readers.dataset_layout import Layout
from scripts.lidia.prepare.readers.dicom_stacks import Seg, Stack, find_stacks
from scripts.lidia.prepare.readers.phase_timing import assign_phases, describe_scan
from scripts.lidia.vocabulary import FIRST_LESION


def read_crlm(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the patients of Colorectal-Liver-Metastases: a venous scan, a SEG with one segment per tumour.

    Raises:
        CaseError: if there is no CT in the folder.
    """
    phase = layout.to_phase("CT", layout.root)
    for entry in _iterate_patients_with_seg(layout, apart=True):
        if isinstance(entry, CaseError):
            yield entry
        else:
            yield SourcePatient(entry.case, {phase: entry.scan.source}, entry.masks)


def read_hcc_tace_seg(layout: Layout) -> Iterator[SourcePatient | CaseError]:
    """Yields the patients of HCC-TACE-Seg before chemoembolisation: the scans in the space of the first SEG.

    Scans of one series are separated by acquisition; `phase_timing` assigns their phases.

    Raises:
        CaseError: if there is no CT in the folder.
    """
    for entry in _iterate_patients_with_seg(layout, apart=False):
        if isinstance(entry, CaseError):
            yield entry
            continue
        scan = entry.scan
        candidates = [s for s in entry.scans if s.study == scan.study and s.frame == scan.frame]
        phases = assign_phases(candidates, layout, first=scan)
        if scan not in phases.values():
            problem = f"the phase of the annotated scan is unknown: {describe_scan(scan)}"
            remedy = f"map it by --phase_map \"{{'{scan.series}': 'venous'}}\""
            yield CaseError(entry.case, str(scan.paths[0].parent), problem, remedy, "unknown_phase")
            continue
        yield SourcePatient(entry.case, {phase: stack.source for phase, stack in phases.items()}, entry.masks)


class _SegPatient(NamedTuple):
    """A patient with a readable SEG."""

    case: str
    scans: list[Stack]
    masks: tuple[MaskFile, ...]
    scan: Stack


def _iterate_patients_with_seg(layout: Layout, *, apart: bool) -> Iterator[_SegPatient | CaseError]:
    """Yields every patient of a collection, or the fault; with `apart` each segment is one lesion."""
    stacks, segs = find_stacks(layout.root, layout.account)
    layout.require_any(stacks, "CT series")
    for case in sorted({stack.patient for stack in stacks}):
        scans = [stack for stack in stacks if stack.patient == case]
        try:
            seg = _find_first_seg(case, segs, scans)
            masks = _group_segments(seg, case, layout, apart=apart)
        except CaseError as fault:
            yield fault
            continue
        scan = seg.find_scan(scans)
        yield _make_missing_scan_error(case, seg) if scan is None else _SegPatient(case, scans, masks, scan)


def _find_first_seg(case: str, segs: list[Seg], stacks: list[Stack]) -> Seg:
    """Returns the SEG of the earliest study that has both SEG and scans.

    Raises:
        CaseError: if there is none; a warning, because collections are often downloaded without SEGs.
    """
    studies = {stack.study for stack in stacks}
    candidates = [seg for seg in segs if seg.patient == case and seg.study in studies]
    if not candidates:
        problem, remedy = "the scans have no SEG", "download the collection's SEG series too"
        raise CaseError(case, str(stacks[0].paths[0].parent), problem, remedy, "no_label", "warning")
    return candidates[0]


def _make_missing_scan_error(case: str, seg: Seg) -> CaseError:
    problem = "the scan that the SEG refers to is missing or ambiguous"
    return CaseError(case, str(seg.path), problem, "download all series of the study", "missing", "warning")


def _group_segments(seg: Seg, case: str, layout: Layout, *, apart: bool) -> tuple[MaskFile, ...]:
    """Groups segments by class, liver first, so that lesions overwrite it; `apart`: one lesion per segment.

    Raises:
        CaseError: if the SEG cannot be read, names an unknown segment, or has no lesion.
    """
    kinds: dict[int, list[int]] = {}
    for number, name in read_segment_names(seg.path, case).items():
        term = re.sub(r"[\s_]*\d+$", "", name)  # Tumor_1 is a tumor
        try:
            kinds.setdefault(layout.to_class(term, seg.path), []).append(number)
        except CaseError as fault:
            raise CaseError(case, fault.file, fault.problem, fault.remedy, fault.code) from fault
    groups = [(kind, numbers) for kind, numbers in sorted(kinds.items()) if kind]
    if not any(kind >= FIRST_LESION for kind, _ in groups):
        problem = "no segment is a lesion, but all patients of this set have one"
        raise CaseError(case, str(seg.path), problem, "remove the case", "no_label")
    masks = []
    for kind, numbers in groups:
        single = apart and kind >= FIRST_LESION
        for part in [[number] for number in numbers] if single else [numbers]:
            masks.append(MaskFile(seg.path, kind, lesion=single, read=partial(read_segments, numbers=part)))
    return tuple(masks)
