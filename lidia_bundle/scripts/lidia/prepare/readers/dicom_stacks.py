"""DICOM archives by their headers: stacks of slices that are one scan each, and the SEGs drawn on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.dicom.header_values import (
    check_geometry,
    is_slice,
    read_date,
    read_text,
    read_time,
    require_numbers,
)
from scripts.lidia.dicom.headers import read_headers
from scripts.lidia.dicom.scan_passes import Scan, split_scans
from scripts.lidia.dicom.series import list_dicom_paths
from scripts.lidia.prepare.output_folder import logger

if TYPE_CHECKING:
    from pydicom import Dataset

REFERENCES = "ReferencedSeriesSequence"


class Stack(NamedTuple):
    """One scan: a series of CT, or one acquisition of a series that holds several."""

    patient: str
    study: str
    day: str
    """StudyDate; may be empty."""
    series: str
    """SeriesInstanceUID."""
    description: str
    acquisition: str
    frame: str
    """FrameOfReferenceUID: scans of one frame lie in one space."""
    seconds: float | None
    """Of the day, when the first slice was scanned."""
    paths: tuple[Path, ...]
    instances: frozenset[str]
    """SOPInstanceUIDs of the slices."""

    @property
    def place(self) -> Path | tuple[Path, ...]:
        """Their folder where it holds nothing else, else the slices."""
        folder = self.paths[0].parent
        return folder if set(list_dicom_paths(folder)) == set(self.paths) else self.paths


class Seg(NamedTuple):
    """A DICOM SEG, and what it was drawn on."""

    patient: str
    study: str
    day: str
    frame: str
    path: Path
    series: frozenset[str]
    """SeriesInstanceUIDs that it refers to."""
    instances: frozenset[str]
    """SOPInstanceUIDs that it refers to."""

    def drawn_on(self, stacks: Sequence[Stack]) -> Stack | None:
        """The scan that most of its references name, else the one scan of its frame of reference."""
        shared = {stack: len(stack.instances & self.instances) for stack in stacks}
        best = max(shared, key=lambda stack: shared[stack], default=None)
        if best is not None and shared[best]:
            return best
        near = [s for s in stacks if s.series in self.series] or [s for s in stacks if s.frame == self.frame]
        return near[0] if len(near) == 1 else None


def find_stacks(root: Path, account: Account | None = None) -> tuple[list[Stack], list[Seg]]:
    """Reads the headers of an archive.

    Args:
        root: searched with its sub-folders; names do not matter.
        account: of the archive; takes the reasons of all files but those of the scans that are taken of them.

    Returns:
        Scans of CT with enough slices, and SEGs, each in the order of patient, day and time.
    """
    account = Account(root) if account is None else account
    logger.info(f"reads {len(account.names)} headers")
    series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
    segs = []
    for header in read_headers(root, [], account, more=(REFERENCES,)):
        if read_text(header, "Modality") == "SEG":
            segs.append(_seg(header))
            account.leave_out([segs[-1].path], "other_kind")
        elif _is_slice(header, account):
            patient, uid = (read_text(header, key) for key in ("PatientID", "SeriesInstanceUID"))
            series[patient, uid].append(header)
    stacks = []
    for scan in (scan for slices in series.values() for scan in _scans(slices)):
        for slice_, reason in scan.spare:
            account.leave_out([Path(slice_.filename)], reason, series=read_text(slice_, "SeriesNumber"))
        large = len(scan.slices) >= MIN_SLICES
        stacks += [_stack(scan.slices)] if large else []
        paths = [Path(slice_.filename) for slice_ in scan.slices]
        number = read_text(scan.slices[0], "SeriesNumber")
        account.leave_out(paths, "not_chosen" if large else "single_slices", series=number)
    stacks.sort(key=lambda s: (s.patient, s.day, s.seconds or 0.0, s.series, s.acquisition))
    return stacks, sorted(segs, key=lambda s: (s.patient, s.day, str(s.path)))


def _is_slice(header: Dataset, account: Account) -> bool:
    """Whether a file is a slice with a place. One whose place is no place leaves a gap, which is found."""
    reason, detail = "other_kind", read_text(header, "Modality")
    try:
        if is_slice(header):
            check_geometry(header)
            return True
    except CaseError as fault:
        logger.warning(str(fault))
        reason, detail = "bad_value", fault.problem
    account.leave_out([Path(header.filename)], reason, detail=detail)
    return False


def _scans(slices: Sequence[Dataset]) -> list[Scan]:
    """The slices of a series by shape and scan; copies, and what passes share, once."""
    shapes = defaultdict(list)
    for one in slices:
        turn = tuple(np.round(require_numbers(one, "ImageOrientationPatient"), 3))
        size = [require_numbers(one, keyword) for keyword in ("Rows", "Columns", "PixelSpacing")]
        shapes[(*size, turn)].append(one)
    return [scan for alike in shapes.values() for scan in split_scans(alike)]


def _stack(slices: Sequence[Dataset]) -> Stack:
    first = min(slices, key=lambda s: read_text(s, "AcquisitionTime"))
    return Stack(
        patient=read_text(first, "PatientID"),
        study=read_text(first, "StudyInstanceUID"),
        day=read_date(first, "StudyDate"),
        series=read_text(first, "SeriesInstanceUID"),
        description=read_text(first, "SeriesDescription"),
        acquisition=read_text(first, "AcquisitionNumber"),
        frame=read_text(first, "FrameOfReferenceUID"),
        seconds=_seconds(read_time(first, "AcquisitionTime")),
        paths=tuple(sorted(Path(one.filename) for one in slices)),
        instances=frozenset(read_text(one, "SOPInstanceUID") for one in slices),
    )


def _seconds(time: str) -> float | None:
    """Seconds of the day of HHMMSS."""
    return int(time[:2]) * 3600.0 + int(time[2:4]) * 60 + int(time[4:]) if time else None


def _seg(header: Dataset) -> Seg:
    references = header.get(REFERENCES) or ()
    instances = [
        read_text(one, "ReferencedSOPInstanceUID")
        for series in references
        for one in series.get("ReferencedInstanceSequence") or ()
    ]
    return Seg(
        read_text(header, "PatientID"),
        read_text(header, "StudyInstanceUID"),
        read_date(header, "StudyDate"),
        read_text(header, "FrameOfReferenceUID"),
        Path(header.filename),
        frozenset(read_text(series, "SeriesInstanceUID") for series in references),
        frozenset(instances),
    )
