"""Patients of a datalist, each spoilt in one of the ways that the table of bad inputs lists, by its row."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from ct_files import LIVER_MM, affine_of, radius, save, write_label
from dicom_files import write_series

SHAPE = (40, 40, 30)
AFFINE = affine_of((3.5, 3.5, 5.0), SHAPE)
SERIES = affine_of((3.5, 3.5, 5.0), SHAPE, flips=(-1, -1, 1))
Item = dict[str, Any]


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
        drawn = np.asarray(nib.load(item["label"]).dataobj).astype(np.float32)
        save(Path(item["label"]), change(drawn), affine)
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
    moved = AFFINE.copy()
    moved[2, 3] += millimetres
    return moved


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


HALF = SHAPE[2] // 2
ROWS = [
    Row(1, "gzip cut in half", raw(lambda b: b[: len(b) // 2]), "truncated"),
    Row(2, "plain file cut in half", raw(lambda b: b[: len(b) // 2], "v.nii"), "truncated"),
    Row(3, "one bit flipped", raw(flipped), "damaged"),
    Row(4, "no checksum at the end", raw(lambda b: b[:-8]), None),
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
    found = []
    for place, row in enumerate(ROWS):
        item = {"id": f"row{row.number:02d}_{place}", **row.make(folder / f"{place}")}
        found.append((row, item))
    return found
