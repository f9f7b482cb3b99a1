"""Ways to corrupt a patient: each gives a function that writes the files and returns the item."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from ct_files import LIVER_MM, affine_of, radius, save, write_label
from dicom_files import write_series

SHAPE = (40, 40, 30)
AFFINE = affine_of((3.5, 3.5, 5.0), SHAPE)
SERIES = affine_of((3.5, 3.5, 5.0), SHAPE, flips=(-1, -1, 1))
Item = dict[str, Any]


def body(affine: np.ndarray = AFFINE) -> np.ndarray:
    far = radius(affine, SHAPE)
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    hu = np.where(far < LIVER_MM, 60.0, np.where(far < 60, -100.0, -1000.0))
    return (hu + noise).astype(np.float32)


def good(folder: Path) -> Item:
    venous = save(folder / "v.nii.gz", body().astype(np.int16), AFFINE)
    return {"phases": {"venous": venous}, "label": write_label(folder / "label.nii.gz", AFFINE, SHAPE)}


def volume(change: Callable[[np.ndarray], np.ndarray], affine: np.ndarray = AFFINE) -> Callable[[Path], Item]:
    """The voxels of the venous phase, changed."""

    def make(folder: Path) -> Item:
        return {**good(folder), "phases": {"venous": save(folder / "v.nii.gz", change(body()), affine)}}

    return make


def raw(change: Callable[[bytes], bytes], name: str = "v.nii.gz") -> Callable[[Path], Item]:
    """The bytes of the venous file, changed."""

    def make(folder: Path) -> Item:
        item = good(folder)
        path = Path(save(folder / "plain" / name, body().astype(np.int16), AFFINE))
        path.write_bytes(change(path.read_bytes()))
        return {**item, "phases": {"venous": str(path)}}

    return make


def header(change: Callable[[nib.Nifti1Image], None]) -> Callable[[Path], Item]:
    """The header of the venous file, changed."""

    def make(folder: Path) -> Item:
        item, image = good(folder), nib.Nifti1Image(body().astype(np.int16), AFFINE)
        image.set_sform(AFFINE, 1)
        image.set_qform(AFFINE, 1)
        change(image)
        nib.save(image, folder / "v.nii.gz")
        return item

    return make


def label(change: Callable[[np.ndarray], np.ndarray], affine: np.ndarray = AFFINE) -> Callable[[Path], Item]:
    """The values of the label, changed."""

    def make(folder: Path) -> Item:
        item = good(folder)
        annotation = np.asarray(nib.load(item["label"]).dataobj).astype(np.float32)
        save(Path(item["label"]), change(annotation), affine)
        return item

    return make


def second(affine: np.ndarray) -> Callable[[Path], Item]:
    """An arterial phase elsewhere in space."""

    def make(folder: Path) -> Item:
        item = good(folder)
        item["phases"]["arterial"] = save(folder / "a.nii.gz", body().astype(np.int16), affine)
        return item

    return make


def dicom(change: Callable[[Any, int], Any] | None = None, **tags: Any) -> Callable[[Path], Item]:
    """The venous phase as a DICOM series, its slices changed."""

    def make(folder: Path) -> Item:
        write_series(folder / "series", body(SERIES), SERIES, change=change, **tags)
        return {"phases": {"venous": str(folder / "series")}}

    return make


def twice(second_change: Callable[[Any, int], Any] | None = None, **tags: Any) -> Callable[[Path], Item]:
    """Two series, or two of something, in one folder."""

    def make(folder: Path) -> Item:
        write_series(folder / "series", body(SERIES), SERIES)
        write_series(folder / "more", body(SERIES) + 40, SERIES, change=second_change, **tags)
        for number, path in enumerate(sorted((folder / "more").iterdir())):
            path.rename(folder / "series" / f"more{number}.dcm")
        return {"phases": {"venous": str(folder / "series")}}

    return make


def broken_slice(content: Callable[[bytes], bytes]) -> Callable[[Path], Item]:
    """One slice of a series cut off."""

    def make(folder: Path) -> Item:
        write_series(folder / "series", body(SERIES), SERIES)
        path = sorted((folder / "series").iterdir())[9]
        path.write_bytes(content(path.read_bytes()))
        return {"phases": {"venous": str(folder / "series")}}

    return make


def put(voxels: np.ndarray, value: float, where: Any) -> np.ndarray:
    voxels[where] = value
    return voxels


def flipped(content: bytes) -> bytes:
    spoilt = bytearray(content)
    spoilt[len(spoilt) // 2] ^= 16
    return bytes(spoilt)


def shifted(millimetres: float) -> np.ndarray:
    displaced = AFFINE.copy()
    displaced[2, 3] += millimetres
    return displaced


def no_form(image: nib.Nifti1Image) -> None:
    image.set_sform(AFFINE, 0)
    image.set_qform(AFFINE, 0)


def no_spacing(content: bytes) -> bytes:
    """NIfTI-1 keeps pixdim[1..3] at byte 80, qform_code and sform_code at 252."""
    spoilt = bytearray(gzip.decompress(content))
    spoilt[80:92], spoilt[252:256] = bytes(12), bytes(4)
    return gzip.compress(bytes(spoilt))


def shear(image: nib.Nifti1Image) -> None:
    affine = AFFINE.copy()
    affine[0, 2] = 0.5
    image.set_sform(affine, 1)
    image.set_qform(None, 0)


def zero_form(image: nib.Nifti1Image) -> None:
    image.set_qform(None, 0)
    image.set_sform(np.zeros((4, 4)), 1)


def other_form(image: nib.Nifti1Image) -> None:
    image.set_qform(affine_of((3.1, 3.5, 5.0), SHAPE), 1)


def scaled(image: nib.Nifti1Image) -> None:
    image.header.set_slope_inter(1, 0)


def missing(folder: Path) -> Item:
    return {**good(folder), "phases": {"venous": str(folder / "nothing.nii.gz")}}


def no_venous(folder: Path) -> Item:
    item = good(folder)
    return {**item, "phases": {"arterial": item["phases"]["venous"]}}


def healthy(folder: Path) -> Item:
    item = good(folder)
    item["label"] = write_label(folder / "label.nii.gz", AFFINE, SHAPE, lesions=())
    return item


def no_folder(folder: Path) -> Item:
    (folder / "empty").mkdir(parents=True)
    return {"phases": {"venous": str(folder / "empty")}}


def beside(folder: Path) -> Item:
    item = dicom()(folder)
    (folder / "series" / "DICOMDIR").write_bytes(b"x")
    shutil.copy(__file__, folder / "series" / "notes.txt")
    return item


def slices_out(*numbers: int) -> Callable[[Any, int], Any]:
    return lambda slice_, number: number not in numbers


def tilted(slice_: Any, number: int) -> None:
    slice_.ImagePositionPatient = [*slice_.ImagePositionPatient[:1], number * 1.8, number * 5.0]


def uneven(slice_: Any, number: int) -> None:
    slice_.ImagePositionPatient = [*slice_.ImagePositionPatient[:2], 5.0 * number + 2.5 * (number > 14)]


def other_place(slice_: Any, number: int) -> None:
    slice_.ImageType = ["DERIVED", "SECONDARY", "LOCALIZER"]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def no_rescale(slice_: Any, number: int) -> None:
    del slice_.RescaleSlope, slice_.RescaleIntercept
