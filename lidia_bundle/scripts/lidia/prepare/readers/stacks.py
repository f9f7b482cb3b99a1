"""DICOM archives by their headers: stacks of slices that are one scan each, and the SEGs drawn on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scripts.lidia.clinic.passes import split_scans
from scripts.lidia.clinic.series import dicom_paths
from scripts.lidia.datalist.check import MIN_SLICES
from scripts.lidia.prepare.folder import logger

if TYPE_CHECKING:
    from pydicom import Dataset

TAGS = (
    *("PatientID", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID", "SeriesDescription", "Modality"),
    *("SOPInstanceUID", "FrameOfReferenceUID", "ImageType", "AcquisitionNumber", "AcquisitionTime"),
    *("AcquisitionDateTime", "TemporalPositionIdentifier", "InstanceNumber", "Rows", "Columns"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ReferencedSeriesSequence"),
)


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
        return folder if set(dicom_paths(folder)) == set(self.paths) else self.paths


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


def find_stacks(root: Path) -> tuple[list[Stack], list[Seg]]:
    """Reads the headers of an archive.

    Args:
        root: searched with its sub-folders; names do not matter.

    Returns:
        Scans of CT with enough slices, and SEGs, each in the order of patient, day and time.
    """
    series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
    segs = []
    for header in _headers(root):
        if header.get("Modality") == "SEG":
            segs.append(_seg(header))
        elif _is_slice(header):
            series[str(header.get("PatientID", "")), str(header.SeriesInstanceUID)].append(header)
    parts = [part for slices in series.values() for part in _scans(slices)]
    stacks = [_stack(part) for part in parts if len(part) >= MIN_SLICES]
    stacks.sort(key=lambda s: (s.patient, s.day, s.seconds or 0.0, s.series, s.acquisition))
    return stacks, sorted(segs, key=lambda s: (s.patient, s.day, str(s.path)))


def _headers(root: Path) -> Iterable[Dataset]:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    paths = dicom_paths(root)
    logger.info(f"reads {len(paths)} headers")
    for path in paths:
        try:
            yield dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        except (InvalidDicomError, EOFError, OSError):
            continue  # tables and pictures; a slice that is cut off leaves a gap, which its reader finds


def _is_slice(header: Dataset) -> bool:
    scout = "LOCALIZER" in (header.get("ImageType") or ())
    return header.get("Modality") == "CT" and not scout and bool(header.get("ImagePositionPatient"))


def _scans(slices: Sequence[Dataset]) -> list[list[Dataset]]:
    """The slices of a series by shape and scan; copies, and what passes share, once."""
    shapes = defaultdict(list)
    for one in slices:
        turn = tuple(np.round(np.asarray(one.get("ImageOrientationPatient") or [0] * 6, float), 3))
        spacing = tuple(map(float, one.get("PixelSpacing") or (0, 0)))
        shapes[one.get("Rows"), one.get("Columns"), spacing, turn].append(one)
    found: list[list[Dataset]] = []
    for (*_, turn), alike in shapes.items():
        found += [scan.slices for scan in split_scans(alike)] if any(turn) else [alike]
    return found


def _stack(slices: Sequence[Dataset]) -> Stack:
    first = min(slices, key=lambda s: str(s.get("AcquisitionTime", "")))
    return Stack(
        patient=str(first.get("PatientID", "")),
        study=str(first.get("StudyInstanceUID", "")),
        day=str(first.get("StudyDate", "")),
        series=str(first.SeriesInstanceUID),
        description=str(first.get("SeriesDescription", "")),
        acquisition=str(first.get("AcquisitionNumber", "")),
        frame=str(first.get("FrameOfReferenceUID", "")),
        seconds=_seconds(str(first.get("AcquisitionTime") or "")),
        paths=tuple(sorted(Path(one.filename) for one in slices)),
        instances=frozenset(str(one.SOPInstanceUID) for one in slices),
    )


def _seconds(time: str) -> float | None:
    """Seconds of the day of DICOM's HHMMSS.FF."""
    digits = time.partition(".")[0]
    if len(digits) != 6 or not digits.isdigit():
        return None
    return int(digits[:2]) * 3600.0 + int(digits[2:4]) * 60 + float(time[4:])


def _seg(header: Dataset) -> Seg:
    references = header.get("ReferencedSeriesSequence") or ()
    instances = [
        str(one.ReferencedSOPInstanceUID)
        for series in references
        for one in series.get("ReferencedInstanceSequence") or ()
    ]
    return Seg(
        str(header.get("PatientID", "")),
        str(header.get("StudyInstanceUID", "")),
        str(header.get("StudyDate", "")),
        str(header.get("FrameOfReferenceUID", "")),
        Path(header.filename),
        frozenset(str(series.SeriesInstanceUID) for series in references),
        frozenset(instances),
    )
