"""Whether the numbers of a series can be HU of a body, slice by slice; what cannot refuses the series."""

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
IMPOSSIBLE_HU, FEW = 31743.0, 10
"""The extended scales of CT end below; so many voxels may be above, by chance."""
DARK_HU, DARK_SHARE = -1200.0, 0.02
"""Below lies nothing but padding, which is one value or two; at most so large a share of other values."""
TISSUE_HU, TISSUE_SHARE = -300.0, 0.005
"""Above lie fat and all that is denser: at least so large a share of a body."""
JUMP_HU, JUMP_AT_END_HU = 300.0, 600.0
"""How far the mean of a slice may lie beside those of both its neighbours; beside its one neighbour."""
NAMED = ("RescaleIntercept", "RescaleSlope", "PixelRepresentation", "BitsStored", "PixelPaddingValue")
REMEDY = "export the series again in HU; check the attributes named here"


class Slice(NamedTuple):
    """What is counted of one slice.

    Attributes:
        mean: HU, within -1024..3071.
        voxels: how many.
        impossible: voxels above `IMPOSSIBLE_HU`.
        bright: voxels above `BRIGHT_HU`.
        dark: voxels below `DARK_HU` beside the two commonest values there.
        tissue: voxels above `TISSUE_HU`.
    """

    mean: float
    voxels: int
    impossible: int
    bright: int
    dark: int
    tissue: int


def count(hu: NDArray[np.floating]) -> Slice:
    """Counts one slice (rows, columns) of HU, padding at -1024."""
    low = hu[hu < DARK_HU]
    same = np.sort(np.unique(low, return_counts=True)[1])[-2:].sum() if low.size else 0
    return Slice(
        float(np.clip(hu, -1024, 3071).mean()),
        hu.size,
        int((hu > IMPOSSIBLE_HU).sum()),
        int((hu > BRIGHT_HU).sum()),
        int(low.size - same),
        int((hu > TISSUE_HU).sum()),
    )


def check_scale(counts: list[Slice], headers: list[Dataset]) -> None:
    """Checks that a stack of slices can be HU.

    Args:
        counts: of the slices, in their order.
        headers: of the slices, for messages.

    Raises:
        CaseError: if it cannot; code `NOT_HU`, the file of the worst slice, the attributes that may be at
            fault with their values.
    """
    table = np.array(counts)
    mean, voxels, impossible, bright, dark, tissue = table.T
    total = voxels.sum()
    if impossible.sum() > FEW:
        _refuse(headers[impossible.argmax()], f"{impossible.sum():.0f} voxels above {IMPOSSIBLE_HU:.0f} HU")
    if bright.sum() > BRIGHT_SHARE * total:
        what = f"{bright.sum() / total:.0%} of the voxels are above {BRIGHT_HU:.0f} HU, as no body is"
        _refuse(headers[bright.argmax()], what)
    if dark.sum() > DARK_SHARE * total:
        what = f"{dark.sum() / total:.0%} of the voxels are below {DARK_HU:.0f} HU, and no padding"
        _refuse(headers[dark.argmax()], what)
    if tissue.sum() < TISSUE_SHARE * total:
        _refuse(headers[tissue.argmin()], f"hardly a voxel is above {TISSUE_HU:.0f} HU")
    steps = np.diff(mean)
    if len(steps) > 1:
        away = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:])) * (steps[:-1] * steps[1:] < 0)
        worst = int(away.argmax())
        if away[worst] > JUMP_HU:
            what = f"the slice is {away[worst]:.0f} HU beside both its neighbours in the mean"
            _refuse(headers[worst + 1], what)
        ends = ((abs(steps[0]), 0), (abs(steps[-1]), len(mean) - 1))
        jump, end = max(ends)
        if jump > JUMP_AT_END_HU:
            _refuse(headers[end], f"the slice is {jump:.0f} HU beside its neighbour in the mean")


def _refuse(header: Dataset, problem: str) -> NoReturn:
    known = ", ".join(f"{word} {text}" for word in NAMED if (text := read_text(header, word)))
    problem = f"the numbers are no HU: {problem} ({known})"
    raise CaseError("dicom", str(header.filename), problem, REMEDY, NOT_HU)
