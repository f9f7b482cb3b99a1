"""Splits one series into scans: joins passes over adjacent regions, separates scans of one region.

A scanner may cover a long region in several passes that overlap by a few slices. A series may also contain
several phases, which show the same region several times. Both repeat positions; the size of the overlap
distinguishes them (https://github.com/dgobbi/vtk-dicom/issues/220).
All readers of the project split series here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.header_values import read_integer, read_text, require_numbers
from scripts.lidia.dicom.read_file import read_file

if TYPE_CHECKING:
    from pydicom import Dataset

SAME_PLACE_MM = 0.1
"""Positions are often rounded to a tenth of a millimetre."""
OFF_GRID_MM, OFF_GRID_STEPS = 0.5, 0.1
"""Largest offset between the grids of two passes: mm, and parts of a step; the smaller counts."""
OVERLAP_SLICES, OVERLAP_SHARE = 3, 1 / 3
"""Most positions that two passes share: a number, and a part of the shorter pass; the larger counts."""
SAME_SCAN_S = 3.0
"""Interleaved parts of one scan begin within this number of seconds."""
LONG_PAUSE_S = 20.0
"""Seconds between two passes above which their contrast may differ."""
DAY_S = 86400.0
MAX_PARTS = 12
TAGS = (("TemporalPositionIdentifier",), ("AcquisitionNumber",), ("AcquisitionTime",),
        ("TemporalPositionIdentifier", "AcquisitionNumber"))  # fmt: skip
"""Attributes that distinguish the acquisitions of a series, the most reliable first."""


class PositionedSlice(NamedTuple):
    """A slice and its position."""

    header: Dataset
    position: NDArray[np.float64]
    """Position along row, column and normal, mm."""


@dataclass
class Scan:
    """Slices at different positions, unless no attribute distinguishes those at one position.

    Args:
        slices: sorted along their normal.
        spare: slices that were left out, each with its reason: "copy" or "overlap".
        remarks: remarks for the user: code ("copies", "overlap" or "pause") and text.
    """

    slices: list[Dataset]
    spare: list[tuple[Dataset, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)


def split_scans(slices: Sequence[Dataset]) -> list[Scan]:
    """Splits slices of one shape, spacing and orientation into scans.

    Args:
        slices: headers with `filename`; pixels are read only where two slices lie at one position and no
            attribute distinguishes them.

    Returns:
        Scans in the order of their acquisition. Where slices of one scan share a position, the slice of the
        earlier pass is kept.
    """
    placed, copies = _split_identical([PositionedSlice(s, _compute_position(s)) for s in slices])
    if not _has_repeated_position(placed):
        return _make_scans(_split_single(placed), copies)
    for parts in _iterate_partitions(placed):
        if not any(_has_repeated_position(part.slices) for part in parts):
            return _make_scans(_join_passes(parts), copies)
    distinct, same = _split_same_pixels(placed)
    return _make_scans([_Pass(distinct)], [*copies, *same])


class _Pass:
    """One pass of a scan; further passes may be joined to it."""

    def __init__(self, slices: Sequence[PositionedSlice], name: str = "") -> None:
        self.slices = sorted(slices, key=lambda item: float(item.position[2]))
        self.name = name
        self.spare: list[tuple[Dataset, str]] = []
        self.remarks: list[tuple[str, str]] = []
        self.start = min(
            (s for s in (_start_seconds(item.header) for item in slices) if s is not None), default=None
        )

    @property
    def corners(self) -> NDArray[np.float64]:
        """(slices, 3) along row, column and normal, mm."""
        return np.array([item.position for item in self.slices])

    @property
    def heights(self) -> NDArray[np.float64]:
        """Positions along the normal, mm."""
        return self.corners[:, 2]

    @property
    def step(self) -> float:
        """Median spacing, mm; 0 for a single slice."""
        return float(np.median(np.diff(self.heights))) if len(self.slices) > 1 else 0.0

    @property
    def is_even(self) -> bool:
        """Whether the slices are evenly spaced."""
        steps = np.diff(self.heights)
        return not len(steps) or bool(np.abs(steps - self.step).max() <= SAME_PLACE_MM)

    def continues(self, other: _Pass) -> bool:
        """Returns whether `other` is a further pass on the same grid, which adjoins or overlaps a little."""
        step = max(self.step, other.step)
        if step < SAME_PLACE_MM:
            return False
        here, there = self.heights, other.heights
        below, above = here[0] - there[0], there[-1] - here[-1]
        reaches = max(below, above) > step / 2 and min(below, above) < -step / 2
        apart = max(there[0] - here[-1], here[0] - there[-1])
        shift = other.corners[0] - self.corners[0]
        beside = abs(shift[2] - step * round(shift[2] / step))
        near = max(SAME_PLACE_MM, min(OFF_GRID_MM, OFF_GRID_STEPS * step))
        same_grid = beside <= near and np.abs(shift[:2]).max() <= OFF_GRID_MM
        alike = all(abs(part.step - step) <= SAME_PLACE_MM for part in (self, other) if part.step)
        most = max(OVERLAP_SLICES, OVERLAP_SHARE * min(len(here), len(there)))
        few = len(self.find_shared(other)) <= most
        return bool(reaches and apart < 1.5 * step and same_grid and alike and few)

    def find_shared(self, other: _Pass) -> set[int]:
        """Returns the numbers of the slices of `other` at whose position this pass has a slice."""
        nearest = np.abs(other.heights[:, None] - self.heights[None]).min(1)
        return set(np.flatnonzero(nearest < max(self.step, other.step) / 2).tolist())

    def add(self, other: _Pass) -> None:
        """Joins a further pass and leaves out its slices at positions that this pass has."""
        shared = self.find_shared(other)
        starts = [start for start in (self.start, other.start) if start is not None]
        pause = max(starts) - min(starts) if len(starts) == 2 else 0.0
        pause = min(pause, DAY_S - pause)
        self.remarks += other.remarks
        both = f"passes {self.name} and {other.name}"
        if shared:
            omission = f"{len(shared)} slices of {other.name} were left out at positions of {self.name}"
            self.remarks.append(("overlap", f"{both} overlap and were joined: {omission}"))
        if pause > LONG_PAUSE_S:
            doubt = f"began {pause:.0f} s apart: their contrast may differ"
            self.remarks.append(("pause", f"{both} were joined and {doubt}"))
        self.spare += [*other.spare, *((other.slices[index].header, "overlap") for index in sorted(shared))]
        new_slices = [item for index, item in enumerate(other.slices) if index not in shared]
        self.slices = sorted([*self.slices, *new_slices], key=lambda item: float(item.position[2]))
        self.start = min((s for s in (self.start, other.start) if s is not None), default=None)
        self.name = f"{self.name}+{other.name}"


def _make_scans(parts: Sequence[_Pass], copies: Sequence[PositionedSlice]) -> list[Scan]:
    scans = [Scan([copy.header for copy in part.slices], part.spare, part.remarks) for part in parts]
    homes = {read_text(header, "SOPInstanceUID"): scan for scan in scans for header in scan.slices}
    for copy in copies:
        homes.get(read_text(copy.header, "SOPInstanceUID"), scans[0]).spare.append((copy.header, "copy"))
    for scan in scans:
        count = sum(why == "copy" for _, why in scan.spare)
        if count:
            scan.remarks.append(("copies", f"{count} copies of slices were left out"))
    return scans


def _split_single(placed: Sequence[PositionedSlice]) -> list[_Pass]:
    """Makes passes of slices without repeated positions."""
    whole = _Pass(placed)
    for parts in _iterate_partitions(placed):
        if _are_interleaved(parts, whole):
            return sorted(parts, key=lambda part: part.start or 0.0)
        joined = _join_passes(parts)
        if len(joined) == 1:
            return joined
    return [whole]


def _join_passes(parts: Sequence[_Pass]) -> list[_Pass]:
    """Joins passes; those that show the same region stay separate."""
    scans: list[_Pass] = []
    for part in sorted(parts, key=lambda part: (part.start is None, part.start or 0.0, part.name)):
        target = next((scan for scan in reversed(scans) if scan.continues(part)), None)
        if target is None:
            scans.append(part)
        else:
            target.add(part)
    for part in list(scans):  # a pass may adjoin only after another one was joined
        target = next((scan for scan in scans if scan is not part and scan.continues(part)), None)
        if target is not None:
            scans.remove(part)
            target.add(part)
    return scans


def _are_interleaved(parts: Sequence[_Pass], whole: _Pass) -> bool:
    """Returns whether the parts are interleaved scans of one region, as phases of one series may be.

    Interleaved passes of one scan begin together and make one even stack.
    """
    if min(len(part.slices) for part in parts) < MIN_SLICES or not all(part.is_even for part in parts):
        return False
    ends = [(part.heights[0], part.heights[-1]) for part in parts]
    shared = min(high for _, high in ends) - max(low for low, _ in ends)
    starts = [part.start for part in parts if part.start is not None]
    later = len(starts) == len(parts) and max(starts) - min(starts) > SAME_SCAN_S
    return shared > OVERLAP_SHARE * min(high - low for low, high in ends) and (later or not whole.is_even)


def _iterate_partitions(placed: Sequence[PositionedSlice]) -> Iterator[list[_Pass]]:
    """Yields partitions into acquisitions: by attributes, then where the order of numbers reverses."""
    for tags in TAGS:
        groups: dict[tuple[str, ...], list[PositionedSlice]] = defaultdict(list)
        for item in placed:
            groups[tuple(read_text(item.header, tag) for tag in tags)].append(item)
        if 1 < len(groups) <= MAX_PARTS:
            parts = [_Pass(group) for _, group in sorted(groups.items())]
            parts.sort(key=lambda part: part.start or 0.0)
            numbered = tags == ("AcquisitionNumber",)
            for count, part in enumerate(parts, 1):
                part.name = read_text(part.slices[0].header, "AcquisitionNumber") if numbered else str(count)
            yield parts
    numbers = [read_integer(item.header, "InstanceNumber") for item in placed]
    if len(set(numbers)) == len(placed) and all(isinstance(number, int) for number in numbers):
        ordered = sorted(placed, key=lambda item: read_integer(item.header, "InstanceNumber") or 0)
        directions = np.sign(np.diff([item.position[2] for item in ordered]))
        cuts = [int(cut) + 1 for cut in np.flatnonzero(directions != (np.sign(directions.sum()) or 1.0))]
        if 0 < len(cuts) < MAX_PARTS:
            sides = zip([0, *cuts], [*cuts, len(ordered)], strict=True)
            yield [_Pass(ordered[a:b], str(count)) for count, (a, b) in enumerate(sides, 1)]


def _has_repeated_position(placed: Sequence[PositionedSlice]) -> bool:
    """Returns whether two slices lie at one position."""
    heights = np.sort([item.position[2] for item in placed])
    return bool((np.diff(heights) < SAME_PLACE_MM).any())


def _split_identical(
    placed: Sequence[PositionedSlice],
) -> tuple[list[PositionedSlice], list[PositionedSlice]]:
    """Separates copies, which have the UID and the position of another slice."""
    first_by_key: dict[tuple[object, ...], PositionedSlice] = {}
    copies = []
    for item in placed:
        uid = read_text(item.header, "SOPInstanceUID") or str(item.header.filename)
        if first_by_key.setdefault((uid, *np.round(item.position, 2)), item) is not item:
            copies.append(item)
    return list(first_by_key.values()), copies


def _split_same_pixels(
    placed: Sequence[PositionedSlice],
) -> tuple[list[PositionedSlice], list[PositionedSlice]]:
    """Separates slices whose pixels equal those of another slice at their position."""
    distinct: list[PositionedSlice] = []
    same: list[PositionedSlice] = []
    for item in sorted(placed, key=lambda item: float(item.position[2])):
        height = item.position[2]
        neighbours = [k for k in distinct[-MAX_PARTS:] if abs(k.position[2] - height) < SAME_PLACE_MM]
        pixels = _read_pixel_data(item.header) if neighbours else b""
        is_same = bool(pixels) and any(pixels == _read_pixel_data(k.header) for k in neighbours)
        (same if is_same else distinct).append(item)
    return distinct, same


def _read_pixel_data(header: Dataset) -> bytes:
    whole = read_file(Path(header.filename))
    return bytes(whole.get("PixelData") or b"") if whole is not None else b""


def _compute_position(header: Dataset) -> NDArray[np.float64]:
    orientation = np.asarray(require_numbers(header, "ImageOrientationPatient"))
    axes = np.stack([orientation[:3], orientation[3:], np.cross(orientation[:3], orientation[3:])])
    return axes @ np.asarray(require_numbers(header, "ImagePositionPatient"))


def _start_seconds(header: Dataset) -> float | None:
    """Returns the acquisition time in seconds since midnight; None if the header has none."""
    stamp = read_text(header, "AcquisitionDateTime")
    clock = read_text(header, "AcquisitionTime") or stamp[8:]
    match = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(\.\d+)?([+-]\d{4})?", clock.strip())
    if not match:
        return None
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) + float(match[4] or 0)
