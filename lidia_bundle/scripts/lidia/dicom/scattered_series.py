"""Joins slices of one scan that each have their own SeriesInstanceUID, as some anonymisers write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.header_values import is_slice, read_shape, read_text
from scripts.lidia.dicom.multiframe import is_multiframe

if TYPE_CHECKING:
    from pydicom import Dataset

Group = list["Dataset"]


def pool_scattered(groups: Iterable[Group]) -> list[tuple[Group, str]]:
    """Pools series that are too small for a volume and share shape, orientation, kernel and description.

    Later checks decide whether a pool is one regular stack, several, or none. So a folder in which every
    slice is a series of its own gives one series and one error.

    Args:
        groups: the files of each SeriesInstanceUID.

    Returns:
        Groups, each with a remark for the user; the remark of an unchanged group is empty.
    """
    pooled: list[tuple[Group, str]] = []
    scattered: list[Group] = []
    for group in groups:
        is_small = len(group) < MIN_SLICES and all(
            is_slice(header) and not is_multiframe(header) for header in group
        )
        (scattered.append(group) if is_small else pooled.append((group, "")))
    frames = {read_text(group[0], "FrameOfReferenceUID") for group in scattered}
    shared = len(frames) < len(scattered)  # otherwise each slice has its own, too
    pools: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for number, group in enumerate(scattered):
        pools[_make_scan_key(group[0], shared) or (number,)].append(group)
    for pool in pools.values():
        slices = [header for group in pool for header in group]
        remark = f"{len(pool)} series of a few slices each were joined" if len(pool) > 1 else ""
        pooled.append((slices, remark))
    return pooled


def is_scattered(groups: Sequence[Sequence[Dataset]]) -> bool:
    """Returns whether no group is large enough for a volume, while all together are."""
    return max(map(len, groups)) < MIN_SLICES <= sum(map(len, groups))


def _make_scan_key(header: Dataset, shared: bool) -> tuple[object, ...]:
    """Returns what slices of one scan have in common; empty if the header lacks it."""
    try:
        shape = read_shape(header)
    except CaseError:
        return ()
    texts = ("SeriesDescription", "ConvolutionKernel", "ImageType")
    words = [read_text(header, keyword) for keyword in texts]
    return (*shape, *words, read_text(header, "FrameOfReferenceUID") if shared else "")
