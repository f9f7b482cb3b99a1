"""Files from clients are whole NIfTI files or refused; no server is needed for it."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.lidia.label_app.uploads import check_ending, check_upload
from scripts.lidia.label_app.values import Refusal

LIMIT = 10**8


def volume(
    dtype: type = np.int16, shape: tuple[int, ...] = (16, 16, 12), scale: float = 1.0
) -> nib.Nifti1Image:
    voxels = (np.arange(np.prod(shape)).reshape(shape) % 10 * scale).astype(dtype)
    image = nib.Nifti1Image(voxels, np.diag([3.0, 3.0, 5.0, 1.0]))
    image.set_qform(image.affine, 1)
    return image


def write(path: Path, image: nib.Nifti1Image | None = None) -> Path:
    nib.save(image or volume(), path)
    return path


def spoil(path: Path, at: int, raw: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(raw)] = raw
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_whole_volumes_are_taken(tmp_path: Path, name: str, dtype: type) -> None:
    check_upload(write(tmp_path / name, volume(dtype)), "file", "image", LIMIT)
    check_upload(write(tmp_path / name, volume(dtype)), "label", "label", LIMIT)


@pytest.mark.parametrize(
    "name", ["a.nii.gz", "/tmp/x/tmpab12.NII.GZ", "b.nii", "../../etc/x.nii.gz", "$x.nii"]
)
def test_only_the_suffix_of_a_name_is_used(name: str) -> None:
    assert check_ending("file", name) in (".nii.gz", ".nii")


@pytest.mark.parametrize(
    "name",
    [
        "a.nrrd",
        "a.nhdr",
        "a.mha",
        "a.mhd",
        "a.hdr",
        "a.img",
        "a.h5",
        "a.zip",
        "a.tar.gz",
        "a.bin",
        "a.dcm",
        "a",
        "",
    ],
)
def test_other_formats_and_archives_are_refused(name: str | None) -> None:
    with pytest.raises(Refusal, match=r"^file: .*NIfTI"):
        check_ending("file", name)


NRRD = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 16 16 12\nencoding: raw\ndata file: /etc/passwd\n\n"
META = b"NDims = 3\nDimSize = 16 16 12\nElementType = MET_SHORT\nElementDataFile = /etc/passwd\n"


def as_pair(path: Path) -> None:
    """A header that says its voxels lie in a file beside it."""
    write(path)
    spoil(path, 344, b"ni1\0")


def as_bomb(path: Path) -> None:
    """Far more bytes than the header promises, zipped small."""
    write(path)
    content = path.read_bytes()
    with gzip.open(path, "wb") as file:
        file.write(content + bytes(10**8))


def with_huge_shape(path: Path) -> None:
    write(path)
    spoil(path, 40, struct.pack("<8h", 3, 30000, 30000, 30000, 1, 1, 1, 1))


def with_far_voxels(path: Path) -> None:
    write(path)
    spoil(path, 108, struct.pack("<f", 1e30))


def with_endless_extension(path: Path) -> None:
    write(path)
    spoil(path, 108, struct.pack("<f", 1e9))
    spoil(path, 348, b"\1\0\0\0" + struct.pack("<2i", 2**31 - 16, 6))


FAULTS: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "text": lambda path: path.write_bytes(b"no NIfTI" * 100) and None,
    "NRRD with a data file": lambda path: path.write_bytes(NRRD + bytes(1000)) and None,
    "MetaImage with a data file": lambda path: path.write_bytes(META + bytes(1000)) and None,
    "zip": lambda path: path.write_bytes(b"PK\3\4" + bytes(1000)) and None,
    "HDF5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000)) and None,
    "cut": lambda path: write(path) and path.write_bytes(path.read_bytes()[:2000]) and None,
    "header alone": lambda path: write(path) and path.write_bytes(path.read_bytes()[:352]) and None,
    "half a header": lambda path: path.write_bytes(bytes(100)) and None,
    "pair": as_pair,
    "bomb": as_bomb,
    "huge shape": with_huge_shape,
    "far voxels": with_far_voxels,
    "endless extension": with_endless_extension,
    "unknown type": lambda path: spoil(write(path), 70, struct.pack("<h", 9999)),
    "negative shape": lambda path: spoil(write(path), 42, struct.pack("<h", -16)),
    "not finite affine": lambda path: spoil(write(path), 280, struct.pack("<f", float("nan"))),
    "complex": lambda path: write(path, volume(np.complex64)) and None,
    "two volumes": lambda path: write(path, volume(shape=(16, 16, 12, 2))) and None,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_corrupt_files_are_refused_with_the_reason(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "file.nii"
    FAULTS[fault](path)
    with pytest.raises(Refusal, match="^file: ") as caught:
        check_upload(path, "file", "image", LIMIT)
    assert caught.value.status == 422 and len(str(caught.value)) < 600
    if path.read_bytes()[:2] != b"\x1f\x8b":
        path.with_name("file.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
        with pytest.raises(Refusal, match="^file: "):
            check_upload(path.with_name("file.nii.gz"), "file", "image", LIMIT)


def test_a_zipped_file_is_read_to_its_checksum(tmp_path: Path) -> None:
    path = write(tmp_path / "file.nii.gz")
    content = path.read_bytes()
    for spoilt in (content[: len(content) // 2], content[:-6] + b"\0\0" + content[-4:]):
        path.write_bytes(spoilt)
        with pytest.raises(Refusal, match="^file: "):
            check_upload(path, "file", "image", LIMIT)


def test_labels_are_whole_numbers_of_a_byte(tmp_path: Path) -> None:
    for wrong in (volume(np.float32, scale=0.5), volume(np.int16, scale=-1), volume(np.int16, scale=100)):
        check_upload(write(tmp_path / "label.nii", wrong), "label", "image", LIMIT)
        with pytest.raises(Refusal, match="^label: "):
            check_upload(tmp_path / "label.nii", "label", "label", LIMIT)


def test_a_volume_larger_than_the_server_takes_is_refused_by_its_header(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="6496 bytes"):
        check_upload(write(tmp_path / "file.nii.gz"), "file", "image", 6000)
    check_upload(tmp_path / "file.nii.gz", "file", "image", 6496)


def test_a_corrupt_header_is_refused_without_a_traceback(tmp_path: Path) -> None:
    path, random = tmp_path / "file.nii", np.random.default_rng(0)
    data, refused = write(path).read_bytes(), 0
    for _ in range(300):
        content = bytearray(data)
        for at in random.integers(0, 352, 3):
            content[at] = random.integers(256)
        path.write_bytes(content)
        try:
            check_upload(path, "label", "label", LIMIT)
        except Refusal:
            refused += 1
    assert 50 < refused < 300
