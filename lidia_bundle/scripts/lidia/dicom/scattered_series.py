"""Slices of one scan that bear a SeriesInstanceUID each, as some anonymisers leave them, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import MIN_SLICES
from scripts.lidia.dicom.header_values import is_slice, read_text, require_numbers
from scripts.lidia.dicom.multiframe import is_multiframe

if TYPE_CHECKING:
    from pydicom import Dataset

Group = list["Dataset"]


def pool_scattered(groups: Iterable[Group]) -> list[tuple[Group, str]]:
    """Pools series too small to be a volume that have one shape, place in space, kernel and description.

    What becomes of a pool is for its slices to show: one regular stack, several, or none. So a folder in
    which every slice is a series of its own is one series, and its faults are told once.

    Args:
        groups: the files of each SeriesInstanceUID.

    Returns:
        Groups, each with a remark for those that take it for a series; empty where there is none.
    """
    kept: list[tuple[Group, str]] = []
    scattered: list[Group] = []
    for group in groups:
        small = len(group) < MIN_SLICES and all(is_slice(one) and not is_multiframe(one) for one in group)
        (scattered.append(group) if small else kept.append((group, "")))
    frames = {read_text(group[0], "FrameOfReferenceUID") for group in scattered}
    shared = len(frames) < len(scattered)  # else each slice has one of its own, too
    pools: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for number, group in enumerate(scattered):
        pools[_key(group[0], shared) or (number,)].append(group)
    for pool in pools.values():
        slices = [one for group in pool for one in group]
        remark = f"{len(pool)} series of a few slices each were taken for one" if len(pool) > 1 else ""
        kept.append((slices, remark))
    return kept


def is_scattered(groups: Sequence[Sequence[Dataset]]) -> bool:
    """Whether no group is large enough to be a volume, and all together may be."""
    return max(map(len, groups)) < MIN_SLICES <= sum(map(len, groups))


def _key(header: Dataset, shared: bool) -> tuple[object, ...]:
    """What slices of one scan have in common; empty if the header does not say it."""
    try:
        turn = tuple(np.round(require_numbers(header, "ImageOrientationPatient"), 3))
        size = [require_numbers(header, keyword) for keyword in ("Rows", "Columns", "PixelSpacing")]
    except CaseError:
        return ()
    texts = ("SeriesDescription", "ConvolutionKernel", "ImageType")
    words = [read_text(header, keyword) for keyword in texts]
    return (*size, turn, *words, read_text(header, "FrameOfReferenceUID") if shared else "")
