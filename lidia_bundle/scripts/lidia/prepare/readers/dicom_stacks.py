"""Indexes DICOM archives by their headers: CT scans as stacks of slices, and the SEGs that refer to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.file_account import Account
from scripts.lidia.dicom.header_values import (
    check_geometry,
    is_slice,
    read_date,
    read_shape,
    read_text,
    read_time,
)
from scripts.lidia.dicom.headers import read_headers
from scripts.lidia.dicom.scan_passes import split_scans
from scripts.lidia.dicom.series import list_dicom_paths
from scripts.lidia.prepare.output_folder import logger

if TYPE_CHECKING:
    from pydicom import Dataset

REFERENCES = "ReferencedSeriesSequence"


class Stack(NamedTuple):
    """One scan: a CT series, or one acquisition of a series that holds several."""

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
    """Acquisition time of the first slice in seconds of the day."""
    paths: tuple[Path, ...]
    instances: frozenset[str]
    """SOPInstanceUIDs of the slices."""

    @property
    def source(self) -> Path | tuple[Path, ...]:
        """The folder if it holds nothing else, else the slices."""
        folder = self.paths[0].parent
        return folder if set(list_dicom_paths(folder)) == set(self.paths) else self.paths


class Seg(NamedTuple):
    """A DICOM SEG and its references."""

    patient: str
    study: str
    day: str
    frame: str
    path: Path
    series: frozenset[str]
    """SeriesInstanceUIDs that it refers to."""
    instances: frozenset[str]
    """SOPInstanceUIDs that it refers to."""

    def find_scan(self, stacks: Sequence[Stack]) -> Stack | None:
        """Finds the scan with most of its references, else the only scan of its frame of reference."""
        shared = {stack: len(stack.instances & self.instances) for stack in stacks}
        best = max(shared, key=lambda stack: shared[stack], default=None)
        if best is not None and shared[best]:
            return best
        candidates = [s for s in stacks if s.series in self.series]
        candidates = candidates or [s for s in stacks if s.frame == self.frame]
        return candidates[0] if len(candidates) == 1 else None


def find_stacks(root: Path, account: Account | None = None) -> tuple[list[Stack], list[Seg]]:
    """Reads the headers of an archive.

    Args:
        root: folder, searched with its sub-folders; file names do not matter.
        account: account of the archive; records the reason for each file that is not used.

    Returns:
        Scans of CT with enough slices, and SEGs, each in the order of patient, day and time.
    """
    account = Account(root) if account is None else account
    logger.info(f"reading {len(account.names)} headers")
    groups: dict[tuple[object, ...], list[Dataset]] = defaultdict(list)
    segs = []
    for header in read_headers(root, [], account, more=(REFERENCES,)):
        if read_text(header, "Modality") == "SEG":
            segs.append(_make_seg(header))
            account.leave_out([segs[-1].path], "other_kind")
        elif _check_slice(header, account):
            ids = [read_text(header, keyword) for keyword in ("PatientID", "SeriesInstanceUID")]
            groups[(*ids, *read_shape(header))].append(header)
    stacks = []
    for scan in (scan for slices in groups.values() for scan in split_scans(slices)):
        for slice_, reason in scan.spare:
            account.leave_out([Path(slice_.filename)], reason, series=read_text(slice_, "SeriesNumber"))
        large = len(scan.slices) >= MIN_SLICES
        stacks += [_make_stack(scan.slices)] if large else []
        paths = [Path(slice_.filename) for slice_ in scan.slices]
        number = read_text(scan.slices[0], "SeriesNumber")
        account.leave_out(paths, "not_chosen" if large else "single_slices", series=number)
    stacks.sort(key=lambda s: (s.patient, s.day, s.seconds or 0.0, s.series, s.acquisition))
    return stacks, sorted(segs, key=lambda s: (s.patient, s.day, str(s.path)))


def _check_slice(header: Dataset, account: Account) -> bool:
    """Whether a file is a slice with a valid position. Invalid ones leave a gap, detected later."""
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


def _make_stack(slices: Sequence[Dataset]) -> Stack:
    first = min(slices, key=lambda s: read_text(s, "AcquisitionTime"))
    return Stack(
        patient=read_text(first, "PatientID"),
        study=read_text(first, "StudyInstanceUID"),
        day=read_date(first, "StudyDate"),
        series=read_text(first, "SeriesInstanceUID"),
        description=read_text(first, "SeriesDescription"),
        acquisition=read_text(first, "AcquisitionNumber"),
        frame=read_text(first, "FrameOfReferenceUID"),
        seconds=_to_seconds(read_time(first, "AcquisitionTime")),
        paths=tuple(sorted(Path(slice_.filename) for slice_ in slices)),
        instances=frozenset(read_text(slice_, "SOPInstanceUID") for slice_ in slices),
    )


def _to_seconds(time: str) -> float | None:
    """Converts HHMMSS to seconds of the day."""
    return int(time[:2]) * 3600.0 + int(time[2:4]) * 60 + int(time[4:]) if time else None


def _make_seg(header: Dataset) -> Seg:
    references = header.get(REFERENCES) or ()
    instances = [
        read_text(instance, "ReferencedSOPInstanceUID")
        for series in references
        for instance in series.get("ReferencedInstanceSequence") or ()
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
