"""Reads a folder of DICOM files as studies, and finds the series that cannot be a contrast phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.file_account import REASONS, Account
from scripts.lidia.dicom.header_values import (
    check_pixels,
    check_slice,
    is_ct,
    is_slice,
    read_date,
    read_integer,
    read_shape,
    read_text,
    read_time,
)
from scripts.lidia.dicom.headers import read_headers
from scripts.lidia.dicom.multiframe import is_multiframe, split_frames
from scripts.lidia.dicom.scan_passes import Scan, split_scans
from scripts.lidia.dicom.scan_times import find_nearest_datetime, read_scan_time
from scripts.lidia.dicom.scattered_series import pool_scattered
from scripts.lidia.dicom.series import check_stack
from scripts.lidia.dicom.series_kinds import MIN_EXTENT_MM, classify_series
from scripts.lidia.dicom.series_text import is_sharp
from scripts.lidia.dicom.slices import compute_position

if TYPE_CHECKING:
    from pydicom import Dataset

VALUE_FAULTS = ("bad_value", "not_hu", "no_tags")
"""Codes of errors that concern one series; a damaged file concerns the whole copy of the study."""


@dataclass(frozen=True)
class Series:
    """One stack of slices, or other files of one SeriesInstanceUID.

    Args:
        uid: SeriesInstanceUID.
        name: its number; with `/2` for the second acquisition in one series.
        description: SeriesDescription.
        protocol: ProtocolName.
        kernel: ConvolutionKernel.
        paths: its files.
        slices: number of slices.
        spacing: mm between columns, rows and slices; zeros if unknown.
        extent: mm from the first to the last slice along their normal.
        ends: positions of its first and last slice along their normal, mm.
        time: acquisition time of the first slice.
        contrast: ContrastBolusAgent.
        injected: start of the injection.
        refused: reason why it cannot be a phase; empty if it may be one.
        kind: that reason as a key of `file_account.REASONS`.
        file: the file or folder that causes it, if there is one.
        spare: files of the scan that are not in its stack, each with its reason: "copy" or "overlap".
        remarks: warnings for the result if the series is used.
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

    def continues(self, other: Series) -> bool:
        """Returns whether this scan adjoins another one, as a further pass does."""
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
        series: all series; first those that may be a phase, then the others, each group in the order of time.
    """

    patient: str
    uid: str
    day: str
    series: tuple[Series, ...]


def find_studies(
    folder: str | Path, unreadable: list[CaseError] | None = None, account: Account | None = None
) -> list[Study]:
    """Reads the headers below a folder and groups them into studies.

    Args:
        folder: searched with its sub-folders; names and endings of files do not matter.
        unreadable: receives the errors of files that should be DICOM and are empty or damaged. Such a file
            leaves a gap: the studies beside it must not count as complete.
        account: of the folder; receives the reasons of files that are not part of a study.

    Raises:
        CaseError: if there is no DICOM file; without `unreadable`, if one is empty or damaged.
    """
    account = Account(folder) if account is None else account
    headers: dict[tuple[str, str], dict[str, list[Dataset]]] = defaultdict(lambda: defaultdict(list))
    for header in read_headers(folder, unreadable, account):
        patient = read_text(header, "PatientID") or read_text(header, "PatientName")
        key = patient, read_text(header, "StudyInstanceUID")
        headers[key][read_text(header, "SeriesInstanceUID")].append(header)
    studies = []
    for (patient, uid), groups in headers.items():
        series = []
        for group, remark in pool_scattered(groups.values()):
            more = (remark,) if remark else ()
            series += [replace(s, remarks=(*s.remarks, *more)) for s in _make_series(group)]
        series.sort(key=lambda s: (bool(s.refused), s.time or datetime.max, s.name))
        first = next(iter(groups.values()))[0]
        studies.append(Study(patient, uid, read_date(first, "StudyDate"), tuple(series)))
    if not studies and unreadable:
        raise unreadable[0]
    if not studies:
        fault = _make_no_dicom_error(account)
        raise fault
    return sorted(studies, key=lambda study: (study.patient, study.day, study.uid))


def refuse_series(study: Study, fault: CaseError) -> Study | None:
    """Refuses the series of a study whose values turned out to be invalid when its voxels were read.

    Returns:
        The study with that series refused; None if the error is of another kind.
    """
    if fault.code not in VALUE_FAULTS:
        return None
    for number, series in enumerate(study.series):
        if not series.refused and Path(fault.file) in series.paths:
            refused = replace(series, refused=fault.problem, kind="bad_value", file=fault.file)
            others = [other for place, other in enumerate(study.series) if place != number]
            return replace(study, series=(*others, refused))
    return None


def _make_no_dicom_error(account: Account) -> CaseError:
    """Makes the error of a folder without DICOM files; names archives and volumes that it holds instead."""
    for reason, remedy in (("packed", "unpack it, and pass the folder"), ("volume", REASONS["volume"].words)):
        for path, fate in account.fates.items():
            if fate.reason == reason:
                detail = f": {fate.detail}" if fate.detail else ""
                problem = f"no DICOM file; {REASONS[reason].words}{detail}"
                return CaseError(account.folder.name, str(path), problem, remedy, "no_dicom")
    what = "the folder" if account.folder.is_dir() else "it"
    remedy = "pass the folder of a study"
    return CaseError(account.folder.name, str(account.folder), f"no DICOM file in {what}", remedy, "no_dicom")


def _make_series(group: Sequence[Dataset]) -> list[Series]:
    """Makes the series of one SeriesInstanceUID: one for each acquisition, and others for further files."""
    if is_multiframe(group[0]):
        return [_make_series_of_frames(header) for header in group]
    if not any(is_ct(header) and "ImagePositionPatient" in header for header in group):
        return [_describe_series(group, [])]
    strays, shapes = defaultdict(list), defaultdict(list)
    for header in group:
        if not is_slice(header):
            strays[read_text(header, "Modality")].append(header)
            continue
        try:
            check_slice(header)
            check_pixels(header)
        except CaseError as fault:
            return [_make_refused_series(group, fault)]
        shapes[read_shape(header)].append(header)
    stacks = [_make_series_of_scan(scan) for alike in shapes.values() for scan in split_scans(alike)]
    stacks += [_describe_series(part, part) for part in strays.values()]
    usable = [series for series in stacks if not series.refused]
    if len(usable) > 1:
        numbered = {id(series): f"{series.name}/{count}" for count, series in enumerate(usable, 1)}
        stacks = [replace(series, name=numbered.get(id(series), series.name)) for series in stacks]
    return stacks


def _make_series_of_frames(header: Dataset) -> Series:
    """Makes the series of an enhanced file."""
    try:
        frames = split_frames(header)
        for frame in frames:
            check_slice(frame)
        if frames:
            check_pixels(header)
    except CaseError as fault:
        return _make_refused_series([header], fault)
    return _describe_series([header], frames)


def _make_refused_series(files: Sequence[Dataset], fault: CaseError) -> Series:
    """Makes a refused series, which has an invalid attribute."""
    return replace(_describe_series(files, []), refused=fault.problem, kind="bad_value", file=fault.file)


def _make_series_of_scan(scan: Scan) -> Series:
    spare = tuple((Path(header.filename), why) for header, why in scan.spare)
    remarks = tuple(words for _, words in scan.remarks)
    return replace(_describe_series(scan.slices, scan.slices), spare=spare, remarks=remarks)


def _describe_series(files: Sequence[Dataset], frames: Sequence[Dataset]) -> Series:
    """Describes a stack, and finds the reason if it cannot be a phase."""
    first = files[0]
    times = [time for time in map(read_scan_time, frames or files) if time is not None]
    injected, number = read_time(first, "ContrastBolusStartTime"), read_integer(first, "SeriesNumber")
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
        injected=find_nearest_datetime(injected, start) if injected and start else None,
    )
    kind, reason = classify_series(first, frames)
    if reason:
        return replace(series, refused=reason, kind=kind)
    try:
        spacing, extent = check_stack(frames, case=f"series {series.name}")
    except CaseError as fault:
        return replace(series, refused=fault.problem, kind="geometry", file=fault.file)
    heights = [compute_position(frame) for frame in frames]
    series = replace(series, spacing=spacing, extent=extent, ends=(min(heights), max(heights)))
    if extent < MIN_EXTENT_MM:
        return replace(series, refused=f"only {extent:.0f} mm long: no liver", kind="short")
    return series
