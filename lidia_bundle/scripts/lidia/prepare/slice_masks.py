"""Reads masks stored as one image per slice of a DICOM series, without spatial information."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.series import list_dicom_paths, read_slices
from scripts.lidia.dicom.source_series import make_stack

SliceReader = Callable[[Path], NDArray[np.bool_]]


def read_slice_masks(
    path: Path, case: str, *, series: Path, ending: str, read_image: SliceReader, by_name: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Stacks mask images in the order of the slices of their series.

    Args:
        path: folder of the images.
        case: id of the case, for error messages.
        series: folder of the series.
        ending: file extension of the images.
        read_image: reads one image, (rows, columns), true inside.
        by_name: whether an image has the name of its slice; otherwise both are matched in the order of names.

    Returns:
        0 and 1 (X, Y, Z) on the grid of the series, and its RAS affine (mm).

    Raises:
        CaseError: if images and slices do not match in number, name or size, or the series is not a volume.
    """
    paths = list_dicom_paths(series)
    image_paths = sorted(p for p in path.glob(f"*{ending}") if p.is_file() and p.name[0] != ".")
    keys = [file.name for file in (image_paths if by_name else paths)]
    images = dict(zip(keys, image_paths, strict=False))
    slices = read_slices(paths, case=case)
    names = [Path(slice_.filename).name for slice_ in slices]
    if len(image_paths) != len(paths) or not set(names) <= set(images):
        problem = f"{len(image_paths)} images for {len(paths)} slices, or the names differ"
        raise CaseError(case, str(path), problem, "copy both folders again", "missing")
    stack = make_stack(slices)
    layers = []
    for name in names:
        layer = read_image(images[name])
        if layer.shape != (stack.shape[1], stack.shape[0]):
            problem = f"{layer.shape} rows and columns, its slice has {stack.shape[1::-1]}"
            raise CaseError(case, str(images[name]), problem, "copy both folders again", "bad_label")
        layers.append(layer.T)
    return np.stack(layers, axis=-1).astype(np.int64), stack.affine


def read_png_mask(path: Path) -> NDArray[np.bool_]:
    """Reads a PNG; true where it is not black."""
    from matplotlib.image import imread

    values = np.asarray(imread(path))
    return (values[..., :3].max(axis=-1) if values.ndim == 3 else values) > 0


def read_dicom_mask(path: Path) -> NDArray[np.bool_]:
    """Reads a DICOM file; true where it is positive.

    Raises:
        CaseError: if the file is not DICOM.
    """
    slice_ = read_file(path)
    if slice_ is None:
        raise CaseError(path.parent.name, str(path), "the file is not DICOM", "copy it again", "damaged")
    return np.asarray(slice_.pixel_array) > 0
