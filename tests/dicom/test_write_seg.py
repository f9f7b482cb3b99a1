"""A SEG is read back by three readers with the same voxels at the same positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom.findings import AFFINE, RECORDS, RESULT, SHAPE, make_findings, patient, scan
from dicom.readers import by_dcmqi, by_highdicom, by_pydicom
from dicom_files import write_series

from scripts.lidia.dicom.provenance import make_origin
from scripts.lidia.dicom.series import read_series
from scripts.lidia.dicom.source_series import find_source_files, make_stack, read_source, resample_to_stack
from scripts.lidia.dicom.write_seg import make_segmentation


def write(folder: Path, source: Path, **changes: Any) -> tuple[Path, dict[int, np.ndarray]]:
    """Writes the SEG of the made-up patient; returns its path and what was drawn, by segment."""
    liver, instances = make_findings()
    headers = read_source(find_source_files({"phases": {"venous": str(source)}}), case="P1")
    result = {**RESULT, **changes}
    segmentation = make_segmentation(
        liver, instances, result["lesions"], make_origin(headers, liver, instances, result)
    )
    segmentation.save_as(folder / "seg.dcm")
    return folder / "seg.dcm", {1: liver, **{n + 1: instances == n for n in (1, 2)}}


def test_three_readers_agree_to_the_voxel(tmp_path: Path) -> None:
    path, truth = write(tmp_path, scan(tmp_path / "ct"))
    hd, plain = by_highdicom(path, tmp_path / "ct"), by_pydicom(path, SHAPE)
    foreign = by_dcmqi(path, tmp_path / "nii")
    assert set(hd) == set(plain) == set(foreign) == {1, 2, 3}
    for number, mask in truth.items():
        assert mask.any()
        np.testing.assert_array_equal(hd[number] > 0, mask)
        np.testing.assert_array_equal(plain[number] > 0, mask)
        image = foreign[number]
        where = np.argwhere(np.asarray(image.dataobj) > 0)
        place = where @ image.affine[:3, :3].T + image.affine[:3, 3]
        index = (place - AFFINE[:3, 3]) @ np.linalg.inv(AFFINE[:3, :3]).T
        np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
        got = np.zeros(SHAPE, bool)
        got[tuple(np.rint(index).astype(int).T)] = True
        np.testing.assert_array_equal(got, mask)


def test_what_the_segments_are(tmp_path: Path) -> None:
    path, _ = write(tmp_path, scan(tmp_path / "ct"))
    liver, first, second = pydicom.dcmread(path).SegmentSequence
    assert liver.SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    assert first.SegmentLabel == "lesion 1: HCC"
    kinds = [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in (first, second)]
    assert kinds == ["25370001", "367643001"]
    assert {s.AnatomicRegionSequence[0].CodeValue for s in (first, second)} == {"10200004"}
    assert [s.TrackingID for s in (first, second)] == ["LIDIA lesion 1", "LIDIA lesion 2"]
    assert first.TrackingUID != second.TrackingUID
    assert {s.SegmentAlgorithmType for s in (liver, first, second)} == {"AUTOMATIC"}
    assert "weights_sha256=0123" in first.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters


def test_it_refers_to_all_slices_of_the_series(tmp_path: Path) -> None:
    path, _ = write(tmp_path, scan(tmp_path / "ct"))
    seg, slices = pydicom.dcmread(path), [pydicom.dcmread(p) for p in (tmp_path / "ct").iterdir()]
    series = seg.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == slices[0].SeriesInstanceUID
    record = {entry.ReferencedSOPInstanceUID for entry in series.ReferencedInstanceSequence}
    assert record == {slice_.SOPInstanceUID for slice_ in slices}
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID) == (slices[0].StudyInstanceUID, "1.9")
    assert seg.PatientID == "secret id" and seg.SeriesDescription == "LIDIA SEG (research only)"
    by_height = {float(slice_.ImagePositionPatient[2]): slice_.SOPInstanceUID for slice_ in slices}
    for groups in seg.PerFrameFunctionalGroupsSequence:
        used = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert used == by_height[float(groups.PlanePositionSequence[0].ImagePositionPatient[2])]


def test_equal_runs_give_equal_bytes_and_other_findings_another_object(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, _ = write(tmp_path / "a", source)
    again, _ = write(tmp_path / "b", source)
    other, _ = write(tmp_path / "c", source, malignant=0.1)
    assert first.read_bytes() == again.read_bytes()
    entry, two = pydicom.dcmread(first), pydicom.dcmread(other)
    assert entry.SOPInstanceUID != two.SOPInstanceUID and entry.SeriesInstanceUID == two.SeriesInstanceUID


@pytest.mark.parametrize("liver", [True, False], ids=["no lesion", "nothing at all"])
def test_without_findings_it_is_still_a_segmentation(tmp_path: Path, liver: bool) -> None:
    source, mask = scan(tmp_path / "ct"), make_findings()[0] & liver
    nothing, result = np.zeros(SHAPE, np.uint16), {**RESULT, "lesions": []}
    headers = read_source(sorted(source.iterdir()), case="P1")
    segmentation = make_segmentation(mask, nothing, [], make_origin(headers, mask, nothing, result))
    segmentation.save_as(tmp_path / "seg.dcm")
    back = by_pydicom(tmp_path / "seg.dcm", SHAPE)
    assert set(back) == {1}
    np.testing.assert_array_equal(back[1] > 0, mask)
    np.testing.assert_array_equal(by_highdicom(tmp_path / "seg.dcm", source)[1] > 0, mask)
    foreign = by_dcmqi(tmp_path / "seg.dcm", tmp_path / "nii")[1]
    assert int(np.count_nonzero(np.asarray(foreign.dataobj))) == int(mask.sum())


def odd_spacing(slice_: pydicom.Dataset, _: int) -> None:
    slice_.SpacingBetweenSlices = 1
    del slice_.SliceThickness


@pytest.mark.parametrize("change", [None, odd_spacing], ids=["as it should be", "wrong tags"])
def test_findings_in_one_slice_keep_the_spacing_of_the_series(tmp_path: Path, change: Any) -> None:
    source, mask = scan(tmp_path / "ct", change), np.zeros(SHAPE, bool)
    mask[10:20, 5:9, 12] = True
    headers = read_source(sorted(source.iterdir()), case="P1")
    result = {**RESULT, "lesions": []}
    nothing = np.zeros(SHAPE, np.uint16)
    make_segmentation(mask, nothing, [], make_origin(headers, mask, nothing, result)).save_as(
        tmp_path / "seg.dcm"
    )
    np.testing.assert_array_equal(by_highdicom(tmp_path / "seg.dcm", source)[1] > 0, mask)
    image = by_dcmqi(tmp_path / "seg.dcm", tmp_path / "nii")[1]
    np.testing.assert_allclose(image.header.get_zooms(), (3, 3, 5))
    assert np.count_nonzero(np.asarray(image.dataobj)) == mask.sum()


def test_the_grid_of_the_series_is_that_of_its_reader(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    voxels, affine, _ = read_series(source)
    stack = make_stack(read_source(sorted(source.iterdir(), reverse=True), case="P1"))
    np.testing.assert_allclose(stack.affine, affine, atol=1e-6)
    assert stack.shape == voxels.shape


@pytest.mark.parametrize("axes", ["LPS", "RAS", "SPL", "IRA"])
def test_labels_of_any_orientation_are_turned_not_resampled(axes: str) -> None:
    stack = patient_stack()
    numbers = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.uint16)
    expected = nib.orientations.axcodes2ornt(axes)
    turns = nib.orientations.ornt_transform(nib.io_orientation(stack.affine), expected)
    image = nib.Nifti1Image(numbers, stack.affine).as_reoriented(turns)
    back = resample_to_stack(np.asarray(image.dataobj), image.affine, stack)
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(back, numbers)


def test_labels_of_another_grid_go_to_the_nearest_voxel() -> None:
    stack = patient_stack()
    liver, _ = make_findings()
    coarse = np.ascontiguousarray(liver[::2, ::2])
    affine = stack.affine @ np.diag([2.0, 2.0, 1.0, 1.0])
    back = resample_to_stack(coarse, affine, stack)
    assert back.shape == SHAPE and back.dtype == liver.dtype
    np.testing.assert_array_equal(back[::2, ::2], coarse)
    assert 2 * (back & liver).sum() / (back.sum() + liver.sum()) > 0.9


def patient_stack() -> Any:
    return make_stack(patient())


def test_the_records_are_ready_for_json() -> None:
    assert json.loads(json.dumps(RESULT))["lesions"] == RECORDS


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "山田^太郎"),
        ("ISO_IR 100", "CRLM-CT-1004"),
        ("ISO_IR 6", ""),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_stay_as_the_hospital_writes_them(tmp_path: Path, charset: str, name: str) -> None:
    path, _ = write(tmp_path, scan(tmp_path / "ct", SpecificCharacterSet=charset, PatientName=name))
    assert pydicom.dcmread(path).PatientName == name


def test_a_series_without_attributes_of_the_patient(tmp_path: Path) -> None:
    bare = write_series(tmp_path / "ct", np.zeros(SHAPE), AFFINE)
    path, _ = write(tmp_path, bare)
    seg = pydicom.dcmread(path)
    assert seg.PatientID == "" and (seg.ContentDate, seg.ContentTime) == ("19000101", "000000")
