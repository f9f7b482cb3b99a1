"""One scan in many files: any order of axes, voxel types, scales, headers, compressed or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

KINDS = {
    "int16": (np.int16, 1.0, 0.0),
    "int32": (np.int32, 1.0, 0.0),
    "float32": (np.float32, 1.0, 0.0),
    "float64": (np.float64, 1.0, 0.0),
    "shifted": (np.uint16, 1.0, -1024.0),
    "halved": (np.int16, 0.5, 0.0),
    "quartered": (np.uint16, 0.25, -1024.0),
}
"""Voxel type, scl_slope, scl_inter."""
AIR = -1024


class Form(NamedTuple):
    """How a volume is written; whatever is chosen, the same HU lie at the same places."""

    order: tuple[int, ...] = (0, 1, 2)
    flips: tuple[int, ...] = (1, 1, 1)
    kind: str = "int16"
    units: str = "mm"
    forms: str = "both"
    big_endian: bool = False
    gzip: bool = True


FORMS = st.builds(
    Form,
    order=st.permutations(range(3)).map(tuple),
    flips=st.tuples(*[st.sampled_from((1, -1))] * 3),
    kind=st.sampled_from(sorted(KINDS)),
    units=st.sampled_from(("mm", "unknown", "meter", "micron")),
    forms=st.sampled_from(("both", "sform", "qform")),
    big_endian=st.booleans(),
    gzip=st.booleans(),
)


def write(folder: Path, name: str, hu: NDArray[Any], affine: NDArray[np.float64], form: Form) -> str:
    """Writes a volume of whole HU (X, Y, Z) in a form, and gives its path."""
    kind, slope, intercept = KINDS[form.kind]
    stored = np.rint((np.asarray(hu, np.float64) - intercept) / slope).astype(kind)
    turned = nib.Nifti1Image(stored, affine).as_reoriented(np.column_stack([form.order, form.flips]))
    header = nib.Nifti1Header(endianness=">" if form.big_endian else "<")
    header.set_data_dtype(np.dtype(kind))
    header.set_xyzt_units(form.units)
    image = nib.Nifti1Image(np.asarray(turned.dataobj), turned.affine, header)
    image.set_sform(turned.affine, 0 if form.forms == "qform" else 1)
    image.set_qform(turned.affine, 0 if form.forms == "sform" else 1)
    image.header.set_slope_inter(slope, intercept)
    path = folder / f"{name}{'.nii.gz' if form.gzip else '.nii'}"
    nib.save(image, path)
    return str(path)


def turned(affine: NDArray[np.float64], degrees: tuple[float, ...]) -> NDArray[np.float64]:
    """The place of a body turned about the axes of space, by so much about each."""
    motion = np.eye(4)
    for axis, angle in enumerate(np.radians(degrees)):
        step, (a, b) = np.eye(4), [other for other in range(3) if other != axis]
        step[[a, b, a, b], [a, b, b, a]] = np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle)
        motion = step @ motion
    return motion @ affine


def aired(
    hu: NDArray[Any], affine: NDArray[np.float64], low: tuple[int, ...], high: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The same body in a wider field of view: so many more voxels of air before and behind it, an axis."""
    place = affine.copy()
    place[:3, 3] -= affine[:3, :3] @ np.asarray(low, float)
    return np.pad(hu, list(zip(low, high, strict=True)), constant_values=AIR), place
