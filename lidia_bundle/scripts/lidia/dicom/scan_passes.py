"""Slices of one series as scans: passes over one region after the other together, scans of one region apart.

A scanner may cover a long body in several passes that overlap by some slices. A series may also hold several
phases, which show the same region several times. Both repeat places; only how far they overlap tells them
apart (https://github.com/dgobbi/vtk-dicom/issues/220).
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
from scripts.lidia.dicom.header_values import read_text, read_whole, require_numbers
from scripts.lidia.dicom.read_file import read_file

if TYPE_CHECKING:
    from pydicom import Dataset

SAME_PLACE_MM = 0.1
"""Positions are often rounded to a tenth of a millimetre."""
OFF_GRID_MM, OFF_GRID_STEPS = 0.5, 0.1
"""How far a pass may lie beside the grid of another: mm, and parts of a step; the smaller counts."""
OVERLAP_SLICES, OVERLAP_SHARE = 3, 1 / 3
"""Two passes share no more places than this number, or this part of the shorter one; the larger counts."""
SAME_SCAN_S = 3.0
"""Parts of one scan that lie between one another begin within so many seconds."""
LONG_PAUSE_S = 20.0
"""Seconds between two passes from which on their contrast may differ."""
DAY_S = 86400.0
MOST_PARTS = 12
TAGS = (("TemporalPositionIdentifier",), ("AcquisitionNumber",), ("AcquisitionTime",),
        ("TemporalPositionIdentifier", "AcquisitionNumber"))  # fmt: skip
"""What tells the acquisitions of a series apart, the surest first."""


class Placed(NamedTuple):
    """A slice and where it lies."""

    header: Dataset
    place: NDArray[np.float64]
    """Along row, column and normal, mm."""


@dataclass
class Scan:
    """Slices of which no two lie at one place, unless nothing tells them apart.

    Args:
        slices: along their normal.
        spare: slices that were left out, and why: "copy" or "overlap".
        remarks: what a reader should know: code ("copies", "overlap" or "pause") and words.
    """

    slices: list[Dataset]
    spare: list[tuple[Dataset, str]] = field(default_factory=list)
    remarks: list[tuple[str, str]] = field(default_factory=list)


def split_scans(slices: Sequence[Dataset]) -> list[Scan]:
    """Splits slices of one shape, spacing and orientation into scans.

    Args:
        slices: headers with `filename`; pixels are read again only where two slices lie at one place and no
            tag tells them apart.

    Returns:
        Scans in the order of their acquisition. Of slices that share a place within one scan the one of the
        earlier pass is kept.
    """
    placed, copies = _without_identical([Placed(header, _place(header)) for header in slices])
    if not _repeats(placed):
        return _scans(_split_single(placed), copies)
    for parts in _partitions(placed):
        if not any(_repeats(part.slices) for part in parts):
            return _scans(_joined(parts), copies)
    kept, same = _without_same_pixels(placed)
    return _scans([_Part(kept)], [*copies, *same])


class _Part:
    """Slices that belong together; others may be added to them."""

    def __init__(self, slices: Sequence[Placed], name: str = "") -> None:
        self.slices = sorted(slices, key=lambda one: float(one.place[2]))
        self.name = name
        self.spare: list[tuple[Dataset, str]] = []
        self.remarks: list[tuple[str, str]] = []
        self.start = min((s for s in (_seconds(one.header) for one in slices) if s is not None), default=None)

    @property
    def corners(self) -> NDArray[np.float64]:
        """(slices, 3) along row, column and normal, mm."""
        return np.array([one.place for one in self.slices])

    @property
    def heights(self) -> NDArray[np.float64]:
        """Positions along the normal, mm."""
        return self.corners[:, 2]

    @property
    def step(self) -> float:
        """Usual mm from slice to slice; 0 for a single one."""
        return float(np.median(np.diff(self.heights))) if len(self.slices) > 1 else 0.0

    @property
    def even(self) -> bool:
        """Whether the slices are evenly spaced."""
        steps = np.diff(self.heights)
        return not len(steps) or bool(np.abs(steps - self.step).max() <= SAME_PLACE_MM)

    def continues(self, other: _Part) -> bool:
        """Whether `other` is a further pass on the grid, which abuts or overlaps a little and reaches on."""
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
        few = len(self.shared(other)) <= most
        return bool(reaches and apart < 1.5 * step and same_grid and alike and few)

    def shared(self, other: _Part) -> set[int]:
        """Numbers of the slices of `other` at whose place this part has one."""
        nearest = np.abs(other.heights[:, None] - self.heights[None]).min(1)
        return set(np.flatnonzero(nearest < max(self.step, other.step) / 2).tolist())

    def add(self, other: _Part) -> None:
        """Takes over a further pass, and leaves out its slices at places that are taken."""
        shared = self.shared(other)
        starts = [start for start in (self.start, other.start) if start is not None]
        pause = max(starts) - min(starts) if len(starts) == 2 else 0.0
        pause = min(pause, DAY_S - pause)
        self.remarks += other.remarks
        both = f"passes {self.name} and {other.name}"
        if shared:
            left = f"{len(shared)} slices of {other.name} left out at places of {self.name}"
            self.remarks.append(("overlap", f"{both} overlap: they were joined, and {left}"))
        if pause > LONG_PAUSE_S:
            doubt = f"began {pause:.0f} s apart: their contrast may differ"
            self.remarks.append(("pause", f"{both} were joined and {doubt}"))
        self.spare += [*other.spare, *((other.slices[index].header, "overlap") for index in sorted(shared))]
        kept = [one for index, one in enumerate(other.slices) if index not in shared]
        self.slices = sorted([*self.slices, *kept], key=lambda one: float(one.place[2]))
        self.start = min((s for s in (self.start, other.start) if s is not None), default=None)
        self.name = f"{self.name}+{other.name}"


def _scans(parts: Sequence[_Part], copies: Sequence[Placed]) -> list[Scan]:
    found = [Scan([one.header for one in part.slices], part.spare, part.remarks) for part in parts]
    homes = {read_text(header, "SOPInstanceUID"): scan for scan in found for header in scan.slices}
    for one in copies:
        homes.get(read_text(one.header, "SOPInstanceUID"), found[0]).spare.append((one.header, "copy"))
    for scan in found:
        count = sum(why == "copy" for _, why in scan.spare)
        if count:
            scan.remarks.append(("copies", f"{count} copies of slices were left out"))
    return found


def _split_single(placed: Sequence[Placed]) -> list[_Part]:
    """Scans of slices of which no two lie at one place."""
    whole = _Part(placed)
    for parts in _partitions(placed):
        if _are_interleaved(parts, whole):
            return sorted(parts, key=lambda part: part.start or 0.0)
        joined = _joined(parts)
        if len(joined) == 1:
            return joined
    return [whole]


def _joined(parts: Sequence[_Part]) -> list[_Part]:
    """Puts passes together; parts that show the region of another stay apart."""
    found: list[_Part] = []
    for part in sorted(parts, key=lambda part: (part.start is None, part.start or 0.0, part.name)):
        home = next((scan for scan in reversed(found) if scan.continues(part)), None)
        if home is None:
            found.append(part)
        else:
            home.add(part)
    for part in list(found):  # a pass may touch neither end until another has come between
        home = next((scan for scan in found if scan is not part and scan.continues(part)), None)
        if home is not None:
            found.remove(part)
            home.add(part)
    return found


def _are_interleaved(parts: Sequence[_Part], whole: _Part) -> bool:
    """Whether scans of one region lie with their slices between one another, as phases of one series may.

    Interleaved passes of one scan begin together and make one even stack.
    """
    if min(len(part.slices) for part in parts) < MIN_SLICES or not all(part.even for part in parts):
        return False
    ends = [(part.heights[0], part.heights[-1]) for part in parts]
    shared = min(high for _, high in ends) - max(low for low, _ in ends)
    starts = [part.start for part in parts if part.start is not None]
    later = len(starts) == len(parts) and max(starts) - min(starts) > SAME_SCAN_S
    return shared > OVERLAP_SHARE * min(high - low for low, high in ends) and (later or not whole.even)


def _partitions(placed: Sequence[Placed]) -> Iterator[list[_Part]]:
    """Ways to tell acquisitions apart: by tags, then where the order of numbers goes back along the body."""
    for tags in TAGS:
        groups: dict[tuple[str, ...], list[Placed]] = defaultdict(list)
        for one in placed:
            groups[tuple(read_text(one.header, tag) for tag in tags)].append(one)
        if 1 < len(groups) <= MOST_PARTS:
            parts = [_Part(group) for _, group in sorted(groups.items())]
            parts.sort(key=lambda part: part.start or 0.0)
            numbered = tags == ("AcquisitionNumber",)
            for count, part in enumerate(parts, 1):
                part.name = read_text(part.slices[0].header, "AcquisitionNumber") if numbered else str(count)
            yield parts
    numbers = [read_whole(one.header, "InstanceNumber") for one in placed]
    if len(set(numbers)) == len(placed) and all(isinstance(number, int) for number in numbers):
        ordered = sorted(placed, key=lambda one: read_whole(one.header, "InstanceNumber") or 0)
        onward = np.sign(np.diff([one.place[2] for one in ordered]))
        cuts = [int(cut) + 1 for cut in np.flatnonzero(onward != (np.sign(onward.sum()) or 1.0))]
        if 0 < len(cuts) < MOST_PARTS:
            sides = zip([0, *cuts], [*cuts, len(ordered)], strict=True)
            yield [_Part(ordered[a:b], str(count)) for count, (a, b) in enumerate(sides, 1)]


def _repeats(placed: Sequence[Placed]) -> bool:
    """Whether two slices lie at one place."""
    heights = np.sort([one.place[2] for one in placed])
    return bool((np.diff(heights) < SAME_PLACE_MM).any())


def _without_identical(placed: Sequence[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Slices of which no two have one UID and one place, and the others."""
    kept: dict[tuple[object, ...], Placed] = {}
    copies = []
    for one in placed:
        uid = read_text(one.header, "SOPInstanceUID") or str(one.header.filename)
        if kept.setdefault((uid, *np.round(one.place, 2)), one) is not one:
            copies.append(one)
    return list(kept.values()), copies


def _without_same_pixels(placed: Sequence[Placed]) -> tuple[list[Placed], list[Placed]]:
    """Slices without those whose pixels another one at their place has, and these."""
    kept: list[Placed] = []
    same: list[Placed] = []
    for one in sorted(placed, key=lambda one: float(one.place[2])):
        beside = [k for k in kept[-MOST_PARTS:] if abs(k.place[2] - one.place[2]) < SAME_PLACE_MM]
        pixels = _pixels(one.header) if beside else b""
        (same if pixels and any(pixels == _pixels(k.header) for k in beside) else kept).append(one)
    return kept, same


def _pixels(header: Dataset) -> bytes:
    whole = read_file(Path(header.filename))
    return bytes(whole.get("PixelData") or b"") if whole is not None else b""


def _place(header: Dataset) -> NDArray[np.float64]:
    turn = np.asarray(require_numbers(header, "ImageOrientationPatient"))
    axes = np.stack([turn[:3], turn[3:], np.cross(turn[:3], turn[3:])])
    return axes @ np.asarray(require_numbers(header, "ImagePositionPatient"))


def _seconds(header: Dataset) -> float | None:
    """When a slice was scanned, in seconds of an unknown day; None where the header does not say."""
    stamp = read_text(header, "AcquisitionDateTime")
    clock = read_text(header, "AcquisitionTime") or stamp[8:]
    found = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(\.\d+)?([+-]\d{4})?", clock.strip())
    if not found:
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]) + float(found[4] or 0)
