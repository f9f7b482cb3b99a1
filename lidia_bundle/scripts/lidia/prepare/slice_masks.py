"""Reading masks that were drawn slice by slice on a DICOM series: one picture a slice, without a place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.series import list_dicom_paths, read_slices
from scripts.lidia.dicom.source_series import make_stack

Picture = Callable[[Path], NDArray[np.bool_]]


def read_pictures(
    path: Path, case: str, *, series: Path, ending: str, picture: Picture, by_name: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Stacks pictures as the slices of their series lie.

    Args:
        path: folder of the pictures.
        case: id of the case, for messages.
        series: folder of the series.
        ending: of the pictures' names.
        picture: reads one, (rows, columns), true inside.
        by_name: whether a picture has the name of its slice; else the order of names is the same.

    Returns:
        0 and 1 (X, Y, Z) on the grid of the series, and its RAS affine (mm).

    Raises:
        CaseError: if pictures and slices do not match in number, name or size, or the series is no volume.
    """
    paths = list_dicom_paths(series)
    drawn = sorted(one for one in path.glob(f"*{ending}") if one.is_file() and one.name[0] != ".")
    keys = [one.name for one in (drawn if by_name else paths)]
    pictures = dict(zip(keys, drawn, strict=False))
    slices = read_slices(paths, case=case)
    names = [Path(one.filename).name for one in slices]
    if len(drawn) != len(paths) or not set(names) <= set(pictures):
        problem = f"{len(drawn)} pictures for {len(paths)} slices, or of other names"
        raise CaseError(case, str(path), problem, "copy both folders again", "missing")
    stack = make_stack(slices)
    layers = []
    for name in names:
        layer = picture(pictures[name])
        if layer.shape != (stack.shape[1], stack.shape[0]):
            problem = f"{layer.shape} rows and columns, its slice has {stack.shape[1::-1]}"
            raise CaseError(case, str(pictures[name]), problem, "copy both folders again", "bad_label")
        layers.append(layer.T)
    return np.stack(layers, axis=-1).astype(np.int64), stack.affine


def png(path: Path) -> NDArray[np.bool_]:
    """True where a PNG is not black."""
    from matplotlib.image import imread

    values = np.asarray(imread(path))
    return (values[..., :3].max(axis=-1) if values.ndim == 3 else values) > 0


def dicom(path: Path) -> NDArray[np.bool_]:
    """True where a DICOM file holds a positive number.

    Raises:
        CaseError: if the file is no DICOM.
    """
    slice_ = read_file(path)
    if slice_ is None:
        raise CaseError(path.parent.name, str(path), "the file is no DICOM", "copy it again", "damaged")
    return np.asarray(slice_.pixel_array) > 0
