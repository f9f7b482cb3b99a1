"""Compressed, multi-frame or damaged files of a study are read, or named in an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom.studies import compress, enhanced
from dicom.tagged import add, body, chosen, numbers, study
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.dicom.series import read_files
from scripts.lidia.dicom.study import find_studies
from scripts.lidia.inference.inputs import require_one_study, resolve_inputs
from scripts.lidia.prepare.prepare_data import prepare


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1], ids=str)
def test_compressed_series_give_the_same_voxels(tmp_path: Path, syntax: UID) -> None:
    add(tmp_path, 4, "ven", PixelRepresentation=0)
    paths = sorted(tmp_path.iterdir())
    plain = read_files(paths, case="P1")
    for path in paths:
        compress(path, syntax)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == syntax
    again = read_files(paths, case="P1")
    np.testing.assert_array_equal(again[0], plain[0])
    assert numbers(chosen(tmp_path)) == {"venous": "4"}


def test_an_enhanced_multiframe_file(tmp_path: Path) -> None:
    add(tmp_path / "single", 4, "ven")
    plain = read_files(sorted((tmp_path / "single").iterdir()), case="P1")
    path = enhanced(sorted((tmp_path / "single").iterdir()), tmp_path / "multi" / "one.dcm")
    choice = chosen(path.parent)
    assert numbers(choice) == {"venous": "4"} and choice.phases["venous"].slices == 24
    [item] = resolve_inputs(dicom_dir=str(path.parent), output_dir=str(tmp_path / "out"))
    voxels, affine, _ = read_files([path], case="P1")
    np.testing.assert_array_equal(voxels, plain[0])
    np.testing.assert_allclose(affine, plain[1], atol=1e-4)
    assert item["source"] == [str(path)]


def test_several_phases_in_one_enhanced_file(tmp_path: Path) -> None:
    for number, (clock, brighter) in enumerate({"100200": 0, "100240": 30}.items()):
        add(tmp_path / "single", number, "liver", voxels=body() + brighter, AcquisitionTime=clock)
    enhanced(sorted((tmp_path / "single").iterdir()), tmp_path / "multi" / "one.dcm")
    with pytest.raises(CaseError) as caught:
        chosen(tmp_path / "multi")
    assert caught.value.code == "no_series" and caught.value.file == str(tmp_path / "multi")
    assert "series 0 (liver)" in caught.value.problem and caught.value.remedy


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.write_bytes(b""), "empty_file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "truncated"),
        (lambda path: path.write_bytes(b"no DICOM at all" * 40), "damaged"),
    ],
    ids=["empty", "cut in the header", "something else"],
)
def test_a_damaged_file_is_named(tmp_path: Path, spoil: Any, code: str) -> None:
    broken = sorted(study(tmp_path).glob("1.2.3.3_*"))[0]  # an end slice: no gap would tell of it
    spoil(broken)
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(tmp_path), output_dir=str(tmp_path / "out"))
    assert caught.value.code == code and caught.value.file == str(broken)
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_file_cut_anywhere_in_its_header_is_no_slice_less(tmp_path: Path) -> None:
    broken = sorted(study(tmp_path).glob("1.2.3.3_*"))[0]
    data = broken.read_bytes()
    pixels = data.index(b"\xe0\x7f\x10\x00")
    for end in range(0, pixels, 29):
        broken.write_bytes(data[:end])
        try:
            result = {
                series.name: series
                for series in require_one_study(find_studies(tmp_path), tmp_path, False).series
            }
        except CaseError as fault:
            assert fault.file == str(broken)
        else:
            assert result["3"].refused


def test_a_file_cut_within_its_pixels_is_named(tmp_path: Path) -> None:
    broken = sorted(study(tmp_path).glob("1.2.3.3_*"))[0]
    broken.write_bytes(broken.read_bytes()[:-500])
    with pytest.raises(CaseError) as caught:
        resolve_inputs(dicom_dir=str(tmp_path), output_dir=str(tmp_path / "out"))
    assert caught.value.case == "P1" and caught.value.file == str(broken)


def test_a_damaged_study_does_not_stop_the_archive(tmp_path: Path) -> None:
    read, write = tmp_path / "in", tmp_path / "out"
    add(read / "a", 4, "ven")
    add(read / "b", 5, "ven", PatientID="P2", study="1.7")
    sorted((read / "b").iterdir())[0].write_bytes(b"")
    (read / "c").mkdir()
    (read / "c/1.dcm").write_bytes(b"")
    with pytest.raises(CaseError) as caught:
        prepare(source="dicom", input_dir=read, dataset_dir=write)
    assert [fault.case for fault in caught.value.members] == ["P2", "dicom"]
    assert (write / "phases/P1/venous.nii.gz").is_file() and not (write / "phases/P2").exists()
