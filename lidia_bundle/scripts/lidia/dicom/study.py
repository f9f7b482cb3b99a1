"""A folder of DICOM files as the series of one study: what each is, and which cannot be a phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import REASONS, Account
from scripts.lidia.dicom.header_values import (
    check_pixels,
    check_slice,
    is_ct,
    is_slice,
    read_date,
    read_text,
    read_time,
    read_whole,
    require_numbers,
)
from scripts.lidia.dicom.headers import read_headers
from scripts.lidia.dicom.multiframe import is_multiframe, single_frames
from scripts.lidia.dicom.scan_passes import Scan, split_scans
from scripts.lidia.dicom.scan_times import nearest, time_of
from scripts.lidia.dicom.scattered_series import pool_scattered
from scripts.lidia.dicom.series import check_stack
from scripts.lidia.dicom.series_kinds import SHORTEST_MM, kind_of
from scripts.lidia.dicom.series_text import is_sharp
from scripts.lidia.dicom.slices import position_along_normal

if TYPE_CHECKING:
    from pydicom import Dataset

VALUE_FAULTS = ("bad_value", "not_hu", "no_tags")
"""Codes of faults that are those of one series; a damaged file is one of the whole copy."""


@dataclass(frozen=True)
class Series:
    """One stack of slices, or what else bears a SeriesInstanceUID.

    Args:
        uid: SeriesInstanceUID.
        name: its number; with `/2` for the second acquisition in one series.
        description: SeriesDescription.
        protocol: ProtocolName.
        kernel: ConvolutionKernel.
        paths: its files.
        slices: how many.
        spacing: mm between columns, rows and slices; zeros if unknown.
        extent: mm from the first to the last slice along their normal.
        ends: where its first and its last slice lie along their normal, mm.
        time: when the first slice was scanned.
        contrast: ContrastBolusAgent.
        injected: when the injection began.
        refused: why it cannot be a phase; empty if it may be one.
        kind: the same as a key of `account.REASONS`.
        file: the file or folder that is at fault for it, if one is.
        spare: further files of the scan that its stack does without, and why: "copy" or "overlap".
        remarks: what a reader of a result should know, where the series is taken.
    """

    uid: str
    name: str
    description: str
    protocol: str
    kernel: str
    paths: tuple[Path, ...]
    slices: int
    spacing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    extent: float = 0.0
    ends: tuple[float, float] = (0.0, 0.0)
    time: datetime | None = None
    contrast: str = ""
    injected: datetime | None = None
    refused: str = ""
    kind: str = ""
    file: str = ""
    spare: tuple[tuple[Path, str], ...] = ()
    remarks: tuple[str, ...] = ()

    def goes_on(self, other: Series) -> bool:
        """Whether this scan begins or ends where another ends or begins, as a further pass does."""
        shared = min(self.ends[1], other.ends[1]) - max(self.ends[0], other.ends[0])
        return -1.5 * other.spacing[2] < shared < min(self.extent, other.extent) / 3

    @property
    def sharp(self) -> bool:
        """Whether its kernel is one for lung or bone."""
        return is_sharp(self.description, self.kernel)


@dataclass(frozen=True)
class Study:
    """The series of one study of one patient.

    Args:
        patient: PatientID, or the name where there is none.
        uid: StudyInstanceUID.
        day: StudyDate, may be empty.
        series: all of them, those that may be a phase first, each kind in the order of its time.
    """

    patient: str
    uid: str
    day: str
    series: tuple[Series, ...]


def find_studies(
    folder: str | Path, unreadable: list[CaseError] | None = None, account: Account | None = None
) -> list[Study]:
    """Reads the headers below a folder and sorts them into studies.

    Args:
        folder: searched with its sub-folders; names and endings of files do not matter.
        unreadable: takes the faults of files that should be DICOM and are empty or damaged. Such a file is a
            hole that nobody would see: what lies beside it must not be taken for whole.
        account: of the folder; takes the reasons of files that are no part of a study.

    Raises:
        CaseError: if there is no DICOM file; without `unreadable`, if one is empty or damaged.
    """
    account = Account(folder) if account is None else account
    headers: dict[tuple[str, str], dict[str, list[Dataset]]] = defaultdict(lambda: defaultdict(list))
    for header in read_headers(folder, unreadable, account):
        who = read_text(header, "PatientID") or read_text(header, "PatientName")
        key = who, read_text(header, "StudyInstanceUID")
        headers[key][read_text(header, "SeriesInstanceUID")].append(header)
    studies = []
    for (who, uid), groups in headers.items():
        found = []
        for group, remark in pool_scattered(groups.values()):
            found += [replace(s, remarks=(*s.remarks, *[remark] * bool(remark))) for s in _series(group)]
        found.sort(key=lambda s: (bool(s.refused), s.time or datetime.max, s.name))
        first = next(iter(groups.values()))[0]
        studies.append(Study(who, uid, read_date(first, "StudyDate"), tuple(found)))
    if not studies and unreadable:
        raise unreadable[0]
    if not studies:
        fault = _nothing(account)
        raise fault
    return sorted(studies, key=lambda study: (study.patient, study.day, study.uid))


def without_series(study: Study, fault: CaseError) -> Study | None:
    """A study without the series whose values were found to have no meaning when they were read.

    Args:
        study: what was read.
        fault: of one of its files.

    Returns:
        The study with that series refused; None where the fault is another one.
    """
    if fault.code not in VALUE_FAULTS:
        return None
    for number, series in enumerate(study.series):
        if not series.refused and Path(fault.file) in series.paths:
            refused = replace(series, refused=fault.problem, kind="bad_value", file=fault.file)
            others = [other for place, other in enumerate(study.series) if place != number]
            return replace(study, series=(*others, refused))
    return None


def _nothing(account: Account) -> CaseError:
    """Why a folder holds no DICOM: it may hold it in a form that is not read."""
    for reason, remedy in (("packed", "unpack it, and name the folder"), ("volume", REASONS["volume"].words)):
        for path, fate in account.fates.items():
            if fate.reason == reason:
                detail = f": {fate.detail}" if fate.detail else ""
                problem = f"no DICOM file; {REASONS[reason].words}{detail}"
                return CaseError(account.folder.name, str(path), problem, remedy, "no_dicom")
    what = "the folder" if account.folder.is_dir() else "it"
    remedy = "name the folder of a study"
    return CaseError(account.folder.name, str(account.folder), f"no DICOM file in {what}", remedy, "no_dicom")


def _series(group: Sequence[Dataset]) -> list[Series]:
    """The stacks of one SeriesInstanceUID: one, or one an acquisition, and strays of another shape."""
    if is_multiframe(group[0]):
        return [_frames(header) for header in group]
    if not any(is_ct(header) and "ImagePositionPatient" in header for header in group):
        return [_described(group, [])]
    strays, shapes = defaultdict(list), defaultdict(list)
    for header in group:
        if not is_slice(header):
            strays[read_text(header, "Modality")].append(header)
            continue
        try:
            check_slice(header)
            check_pixels(header)
        except CaseError as fault:
            return [_refused(group, fault)]
        turn = tuple(np.round(require_numbers(header, "ImageOrientationPatient"), 3))
        size = [require_numbers(header, keyword) for keyword in ("Rows", "Columns", "PixelSpacing")]
        shapes[(*size, turn)].append(header)
    found = [_scanned(scan) for alike in shapes.values() for scan in split_scans(alike)]
    found += [_described(part, part) for part in strays.values()]
    usable = [series for series in found if not series.refused]
    if len(usable) > 1:
        numbered = {id(series): f"{series.name}/{count}" for count, series in enumerate(usable, 1)}
        found = [replace(series, name=numbered.get(id(series), series.name)) for series in found]
    return found


def _frames(header: Dataset) -> Series:
    """The stack that an enhanced file holds."""
    try:
        frames = single_frames(header)
        for frame in frames:
            check_slice(frame)
        if frames:
            check_pixels(header)
    except CaseError as fault:
        return _refused([header], fault)
    return _described([header], frames)


def _refused(files: Sequence[Dataset], fault: CaseError) -> Series:
    """A series with an attribute that the standard does not allow."""
    return replace(_described(files, []), refused=fault.problem, kind="bad_value", file=fault.file)


def _scanned(scan: Scan) -> Series:
    spare = tuple((Path(header.filename), why) for header, why in scan.spare)
    remarks = tuple(words for _, words in scan.remarks)
    return replace(_described(scan.slices, scan.slices), spare=spare, remarks=remarks)


def _described(files: Sequence[Dataset], frames: Sequence[Dataset]) -> Series:
    """What is known of a stack, and why it cannot be a phase."""
    first = files[0]
    times = [time for time in map(time_of, frames or files) if time is not None]
    injected, number = read_time(first, "ContrastBolusStartTime"), read_whole(first, "SeriesNumber")
    start = min(times, default=None)
    series = Series(
        uid=read_text(first, "SeriesInstanceUID"),
        name="?" if number is None else str(number),
        description=read_text(first, "SeriesDescription"),
        protocol=read_text(first, "ProtocolName"),
        kernel=read_text(first, "ConvolutionKernel"),
        paths=tuple(Path(header.filename) for header in files),
        slices=len(frames or files),
        time=start,
        contrast=read_text(first, "ContrastBolusAgent"),
        injected=nearest(injected, start) if injected and start else None,
    )
    kind, reason = kind_of(first, frames)
    if reason:
        return replace(series, refused=reason, kind=kind)
    try:
        spacing, extent = check_stack(frames, case=f"series {series.name}")
    except CaseError as fault:
        return replace(series, refused=fault.problem, kind="geometry", file=fault.file)
    heights = [position_along_normal(frame) for frame in frames]
    series = replace(series, spacing=spacing, extent=extent, ends=(min(heights), max(heights)))
    if extent < SHORTEST_MM:
        return replace(series, refused=f"only {extent:.0f} mm long: no liver", kind="short")
    return series
