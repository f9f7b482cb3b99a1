"""Checks slice by slice that the values of a series can be HU of a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.header_checks import BRIGHT_HU, BRIGHT_SHARE
from scripts.lidia.dicom.header_values import read_text

if TYPE_CHECKING:
    from pydicom import Dataset

NOT_HU = "not_hu"
IMPOSSIBLE_HU, MAX_IMPOSSIBLE = 31743.0, 10
"""The extended CT scales end below this value; at most this many voxels may lie above it."""
DARK_HU, DARK_SHARE = -1200.0, 0.02
"""Only padding, which is one value or two, lies below this value; largest share of other voxels there."""
TISSUE_HU, TISSUE_SHARE = -300.0, 0.005
"""Fat and everything denser lies above this value; smallest share of voxels there."""
JUMP_HU, JUMP_AT_END_HU = 300.0, 600.0
"""Largest jump of the mean of a slice against both neighbours, and of an end slice against its neighbour."""
REPORTED_ATTRIBUTES = (
    "RescaleIntercept",
    "RescaleSlope",
    "PixelRepresentation",
    "BitsStored",
    "PixelPaddingValue",
)
REMEDY = "export the series again in HU; check the attributes named here"


class SliceCounts(NamedTuple):
    """Counts of one slice.

    Attributes:
        mean: HU, within -1024..3071.
        voxels: number of voxels.
        impossible: voxels above `IMPOSSIBLE_HU`.
        bright: voxels above `BRIGHT_HU`.
        dark: voxels below `DARK_HU`, without the two most frequent values there.
        tissue: voxels above `TISSUE_HU`.
    """

    mean: float
    voxels: int
    impossible: int
    bright: int
    dark: int
    tissue: int


def count_values(hu: NDArray[np.floating]) -> SliceCounts:
    """Counts the voxels of one slice, (rows, columns) HU with padding at -1024."""
    low = hu[hu < DARK_HU]
    same = np.sort(np.unique(low, return_counts=True)[1])[-2:].sum() if low.size else 0
    return SliceCounts(
        float(np.clip(hu, -1024, 3071).mean()),
        hu.size,
        int((hu > IMPOSSIBLE_HU).sum()),
        int((hu > BRIGHT_HU).sum()),
        int(low.size - same),
        int((hu > TISSUE_HU).sum()),
    )


def check_scale(counts: list[SliceCounts], headers: list[Dataset]) -> None:
    """Checks that the values of a stack of slices can be HU.

    Args:
        counts: of the slices, in their order along the normal.
        headers: of the slices, for messages.

    Raises:
        CaseError: if they cannot; it has code `NOT_HU`, names the file of the worst slice, and lists the
            attributes that may be wrong with their values.
    """
    table = np.array(counts)
    mean, voxels, impossible, bright, dark, tissue = table.T
    total = voxels.sum()
    if impossible.sum() > MAX_IMPOSSIBLE:
        _refuse(headers[impossible.argmax()], f"{impossible.sum():.0f} voxels above {IMPOSSIBLE_HU:.0f} HU")
    if bright.sum() > BRIGHT_SHARE * total:
        what = f"{bright.sum() / total:.0%} of the voxels are above {BRIGHT_HU:.0f} HU, more than in any body"
        _refuse(headers[bright.argmax()], what)
    if dark.sum() > DARK_SHARE * total:
        what = f"{dark.sum() / total:.0%} of the voxels are below {DARK_HU:.0f} HU and are not padding"
        _refuse(headers[dark.argmax()], what)
    if tissue.sum() < TISSUE_SHARE * total:
        _refuse(headers[tissue.argmin()], f"almost no voxel is above {TISSUE_HU:.0f} HU")
    steps = np.diff(mean)
    if len(steps) > 1:
        jumps = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:])) * (steps[:-1] * steps[1:] < 0)
        worst = int(jumps.argmax())
        if jumps[worst] > JUMP_HU:
            what = f"the slice is {jumps[worst]:.0f} HU away from both its neighbours in the mean"
            _refuse(headers[worst + 1], what)
        ends = ((abs(steps[0]), 0), (abs(steps[-1]), len(mean) - 1))
        jump, end = max(ends)
        if jump > JUMP_AT_END_HU:
            _refuse(headers[end], f"the slice is {jump:.0f} HU away from its neighbour in the mean")


def _refuse(header: Dataset, problem: str) -> NoReturn:
    attributes = ", ".join(
        f"{word} {text}" for word in REPORTED_ATTRIBUTES if (text := read_text(header, word))
    )
    problem = f"the values are not HU: {problem} ({attributes})"
    raise CaseError("dicom", str(header.filename), problem, REMEDY, NOT_HU)
