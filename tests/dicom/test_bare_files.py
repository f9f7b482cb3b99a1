"""DICOM without preamble, file meta or suffix, and in rare transfer syntaxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom.findings import scan
from dicom.studies import enhanced
from dicom.tagged import ALL, add, chosen, numbers, study
from inference.findings_on_disk import check, results, write_dicom
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.read_file import read_file
from scripts.lidia.dicom.series import read_files, read_series
from scripts.lidia.inference.inputs import resolve_inputs


def without_preamble(path: Path) -> None:
    path.write_bytes(path.read_bytes()[132:])


def without_zeros(path: Path) -> None:
    path.write_bytes(path.read_bytes()[128:])


def bare(implicit: bool, little: bool = True, preamble: bytes | None = None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        slice_ = pydicom.dcmread(path)
        slice_.preamble = preamble
        del slice_.file_meta
        if not little:
            slice_.PixelData = np.frombuffer(slice_.PixelData, "<i2").astype(">i2").tobytes()
        dcmwrite(path, slice_, implicit_vr=implicit, little_endian=little, enforce_file_format=False)

    return write


FORMS = {
    "no preamble": without_preamble,
    "preamble cut off": without_zeros,
    "implicit, no meta": bare(implicit=True),
    "explicit, no meta": bare(implicit=False),
    "preamble, no meta": bare(implicit=True, preamble=bytes(128)),
    "big endian, no meta": bare(implicit=False, little=False),
}


@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("ending", ["", ".DCM", ".1.2.840"])
def test_a_bare_series_gives_the_same_voxels(
    tmp_path: Path, write: Callable[[Path], None], ending: str
) -> None:
    folder = add(tmp_path, 4, "ven", AcquisitionNumber=4)
    voxels, affine, _ = read_series(folder)
    for number, path in enumerate(sorted(folder.iterdir())):
        write(path)
        path.rename(folder / f"IM{number}{ending}")
    again = read_series(folder)
    assert again[2] == []
    np.testing.assert_array_equal(again[0], voxels)
    np.testing.assert_array_equal(again[1], affine)


@pytest.mark.parametrize("ending", ["", ".dcm"])
def test_a_bare_phase_is_not_lost(tmp_path: Path, ending: str) -> None:
    for number, path in enumerate(sorted(study(tmp_path).glob("1.2.3.3_*"))):
        bare(implicit=True)(path)
        path.rename(tmp_path / f"art{number}{ending}")
    assert numbers(chosen(tmp_path)) == ALL


def test_segments_and_report_of_a_bare_series(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    for path in source.iterdir():
        bare(implicit=True)(path)
    item = {"id": "P1", "phases": {"venous": str(source)}}
    write_dicom(results(tmp_path / "out"), item)
    check(tmp_path / "out", scan(tmp_path / "whole"))


def test_an_enhanced_file_without_preamble(tmp_path: Path) -> None:
    add(tmp_path / "single", 4, "ven")
    plain = read_files(sorted((tmp_path / "single").iterdir()), case="P1")
    path = enhanced(sorted((tmp_path / "single").iterdir()), tmp_path / "multi/one")
    without_preamble(path)
    [item] = resolve_inputs(dicom_dir=str(path.parent), output_dir=str(tmp_path / "out"))
    assert item["source"] == [str(path)]
    np.testing.assert_array_equal(read_files([path], case="P1")[0], plain[0])


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda syntax: syntax.name,
)
def test_plain_transfer_syntaxes(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    folder = add(tmp_path, 4, "ven")
    voxels = read_series(folder)[0]
    for path in folder.iterdir():
        slice_ = pydicom.dcmread(path)
        assert slice_.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        slice_.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            slice_.PixelData = np.frombuffer(slice_.PixelData, "<i2").astype(">i2").tobytes()
        kinds = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        buffer = BytesIO()
        dcmwrite(buffer, slice_, enforce_file_format=True, **({} if syntax.is_deflated else kinds))
        path.write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(read_series(folder)[0], voxels)


def test_a_file_that_only_begins_like_dicom_is_not_dicom(tmp_path: Path) -> None:
    study(tmp_path)
    texts = {
        "notes": b"\x08\x00" + b"no data set at all" * 30,
        "table.bin": b"\x02\x00" * 400,
        "more": b"\x00\x08" + bytes(range(256)) * 4,
        "short": b"\x08",
        "report.json": json.dumps({"a": 1}).encode(),
        "image.nii": b"\x5c\x01\x00\x00" + bytes(400),
    }
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
        assert read_file(tmp_path / name) is None
    assert numbers(chosen(tmp_path)) == ALL
    (tmp_path / "notes").rename(tmp_path / "notes.dcm")
    with pytest.raises(CaseError) as caught:
        chosen(tmp_path)
    assert caught.value.code == "damaged" and caught.value.file.endswith("notes.dcm")
