"""The table of bad inputs: one corrupted patient per row, and the expected error code."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ct_files import affine_of
from faults.spoiling import (
    SHAPE,
    Item,
    beside,
    broken_slice,
    dicom,
    flipped,
    header,
    healthy,
    label,
    missing,
    no_folder,
    no_form,
    no_rescale,
    no_spacing,
    no_venous,
    other_form,
    other_place,
    put,
    raw,
    scaled,
    second,
    shear,
    shifted,
    slices_out,
    tilted,
    twice,
    uneven,
    volume,
    zero_form,
)


class Row(NamedTuple):
    """A bad input."""

    number: int
    name: str
    make: Callable[[Path], Item]
    """Writes into a folder and gives the item without its id."""
    code: str | None
    """Of the error; None where the input is taken."""
    remark: str | None = None
    """Of the warning."""
    by_label: bool = False
    """Only those who read labels can see it."""


ROWS = [
    Row(1, "gzip cut in half", raw(lambda b: b[: len(b) // 2]), "truncated"),
    Row(2, "plain file cut in half", raw(lambda b: b[: len(b) // 2], "v.nii"), "truncated"),
    Row(3, "one bit flipped", raw(flipped), "damaged"),
    Row(4, "no checksum at the end", raw(lambda b: b[:-8]), None, "no_checksum"),
    Row(5, "no bytes", raw(lambda b: b""), "empty_file"),
    Row(6, "cut in the header", raw(lambda b: b[:100], "v.nii"), "not_nifti"),
    Row(7, "a web page", raw(lambda b: b"<html>not found</html>"), "wrong_ending"),
    Row(8, "plain file named .gz", raw(lambda b: gzip.decompress(b)), "wrong_ending"),
    Row(9, "a few NaN", volume(lambda v: put(v, np.nan, np.s_[20, 20, 15:18])), None, "not_finite"),
    Row(10, "a slab of NaN", volume(lambda v: put(v, np.nan, np.s_[:, :, 10:15])), "not_finite"),
    Row(10, "all NaN", volume(lambda v: v * np.nan), "not_finite"),
    Row(11, "a few infinities", volume(lambda v: put(v, np.inf, np.s_[20, 20, 15:18])), None, "not_finite"),
    Row(12, "no orientation", header(no_form), "no_orientation"),
    Row(13, "a zero affine", header(zero_form), "bad_affine"),
    Row(14, "no spacing", raw(no_spacing), "no_orientation"),
    Row(15, "two affines", header(other_form), "two_forms"),
    Row(16, "metres", volume(lambda v: v, affine_of((0.0035, 0.0035, 0.005), SHAPE)), "bad_spacing"),
    Row(17, "sheared", header(shear), None, "sheared"),
    Row(18, "four axes, one volume", volume(lambda v: v[..., None]), None),
    Row(19, "four axes, three volumes", volume(lambda v: np.stack([v] * 3, axis=-1)), "not_3d"),
    Row(20, "five axes", volume(lambda v: np.stack([v] * 3, axis=-1)[..., None, :]), "not_3d"),
    Row(21, "seven slices", volume(lambda v: v[:, :, :7]), "too_flat"),
    Row(22, "slope and intercept", header(scaled), None),
    Row(23, "lost intercept", volume(lambda v: np.clip(v + 1024, 0, None).astype(np.int16)), "not_hu"),
    Row(24, "shifted HU", volume(lambda v: np.clip(v + 1024, 0, None).astype(np.uint16)), "not_hu"),
    Row(25, "padding of -3024", volume(lambda v: put(v, -3024, np.s_[:3])), None),
    Row(26, "complex numbers", volume(lambda v: v.astype(np.complex64)), "bad_dtype"),
    Row(27, "eight bits", volume(lambda v: np.clip((v + 200) / 2.4, 0, 255).astype(np.uint8)), "not_hu"),
    Row(27, "0 to 1", volume(lambda v: np.clip((v + 200) / 600, 0, 1)), "not_hu"),
    Row(27, "constant", volume(lambda v: v * 0), "not_hu"),
    Row(28, "class 37", label(lambda c: put(c, 37, c == 2)), "bad_label", by_label=True),
    Row(28, "class -1", label(lambda c: put(c, -1, c == 2)), "bad_label", by_label=True),
    Row(28, "class NaN", label(lambda c: put(c, np.nan, c == 2)), "bad_label", by_label=True),
    Row(29, "class 3.5", label(lambda c: put(c, 3.5, c == 2)), "bad_label", by_label=True),
    Row(
        30, "0 and 255", label(lambda c: np.where(c > 0, 255, 0).astype(np.uint8)), "bad_label", by_label=True
    ),
    Row(32, "label moved away", label(lambda c: c, shifted(300)), "label_outside", by_label=True),
    Row(33, "label without its header", label(lambda c: c, np.eye(4)), "lost_header", by_label=True),
    Row(34, "label of two channels", label(lambda c: np.stack([c, c], -1)), "not_3d", by_label=True),
    Row(35, "no lesion", healthy, None),
    Row(36, "a phase a metre away", second(shifted(1000)), "no_overlap"),
    Row(37, "a phase that overlaps by three quarters", second(shifted(50)), None, "little_overlap"),
    Row(38, "no such file", missing, "missing"),
    Row(42, "no venous phase", no_venous, None),
    Row(44, "two series", twice(series="1.2.4", SeriesDescription="arterial"), "two_series"),
    Row(45, "two acquisitions", twice(AcquisitionNumber=2), "two_acquisitions"),
    Row(46, "missing slices", dicom(slices_out(10, 11)), "gap"),
    Row(
        47,
        "another slice in the same place",
        twice(slices_out(*range(9), *range(10, 30))),
        "two_acquisitions",
    ),
    Row(48, "uneven slices", dicom(uneven), "uneven"),
    Row(49, "gantry tilt", dicom(tilted), "tilt"),
    Row(50, "a localizer among them", twice(other_place), None, "left_out"),
    Row(51, "a slice cut off", broken_slice(lambda b: b[: len(b) // 2]), "truncated"),
    Row(51, "a slice of no bytes", broken_slice(lambda b: b""), "empty_file"),
    Row(52, "magnetic resonance", dicom(Modality="MR"), "not_ct"),
    Row(52, "no rescale", dicom(no_rescale), "no_tags"),
    Row(53, "other files beside", beside, None),
    Row(54, "an empty folder", no_folder, "no_dicom"),
    Row(55, "one slice", dicom(slices_out(*range(1, 30))), "too_flat"),
]


def write_list(folder: Path) -> list[tuple[Row, Item]]:
    """Writes every patient into a folder of its own; gives the items with ids such as `row01_0`."""
    collected = []
    for place, row in enumerate(ROWS):
        item = {"id": f"row{row.number:02d}_{place}", **row.make(folder / f"{place}")}
        collected.append((row, item))
    return collected
