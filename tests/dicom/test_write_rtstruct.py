"""An RT Structure Set is read back: its contours, filled, are the masks, and it refers to the slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom.findings import AFFINE, RESULT, SECRETS, SHAPE, make_findings, patient
from matplotlib.path import Path as Outline

from scripts.lidia.dicom.deidentify import deidentify
from scripts.lidia.dicom.plane_contours import trace_contours
from scripts.lidia.dicom.provenance import make_origin
from scripts.lidia.dicom.write_rtstruct import make_structure_set


def fill(contours: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Voxels whose centre lies inside, by matplotlib."""
    centres = np.indices(shape).reshape(2, -1).T
    inside = np.zeros(shape, bool)
    for points in contours:
        closed = np.vstack([points, points[:1]])
        inside |= Outline(closed).contains_points(centres).reshape(shape)
    return inside


@pytest.mark.parametrize("seed", range(4))
def test_filled_contours_are_the_mask_with_its_holes_and_islands(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.indices((30, 24))
    plane = np.hypot(x - 13, y - 11) < 9
    plane &= np.hypot(x - 11, y - 11) > 3
    plane &= np.hypot(x - 17, y - 13) > 2
    plane |= np.hypot(x - 11, y - 11) < 1.5
    plane[27:29, 2:20] = True
    plane ^= rng.random(plane.shape) < 0.01
    np.testing.assert_array_equal(fill(trace_contours(plane), plane.shape), plane)


def test_one_voxel_has_a_contour_around_its_centre() -> None:
    plane = np.zeros((5, 4), bool)
    plane[3, 1] = True
    (points,) = trace_contours(plane)
    np.testing.assert_allclose(points.mean(axis=0), (3, 1))
    assert trace_contours(np.zeros((3, 3), bool)) == []


def write(
    folder: Path, headers: list[pydicom.Dataset] | None = None, uids: str | None = None
) -> pydicom.Dataset:
    liver, instances = make_findings()
    origin = make_origin(headers or patient(), liver, instances, RESULT)
    dataset = make_structure_set(liver, instances, RESULT["lesions"], origin)
    if uids is not None:
        deidentify(dataset, uids=uids)
    dataset.save_as(folder / "rt.dcm")
    return pydicom.dcmread(folder / "rt.dcm")


def test_the_structures_are_the_masks_on_the_slices_of_the_series(tmp_path: Path) -> None:
    headers = patient()
    dataset, slices = write(tmp_path, headers), {header.SOPInstanceUID: header for header in headers}
    names = [item.ROIName for item in dataset.StructureSetROISequence]
    assert names == ["liver", "lesion 1: HCC", "lesion 2: cyst"]
    assert [item.RTROIInterpretedType for item in dataset.RTROIObservationsSequence] == ["ORGAN", "", ""]
    liver, instances = make_findings()
    to_index = np.linalg.inv(np.diag([-1.0, -1.0, 1.0, 1.0]) @ AFFINE)
    for item, mask in zip(dataset.ROIContourSequence, (liver, instances == 1, instances == 2), strict=True):
        planes: dict[int, list[np.ndarray]] = {}
        for contour in item.ContourSequence:
            points = np.asarray(contour.ContourData, float).reshape(-1, 3)
            assert len(points) == contour.NumberOfContourPoints
            header = slices[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
            assert np.abs(points[:, 2] - header.ImagePositionPatient[2]).max() < 1e-3
            index = (np.column_stack([points, np.ones(len(points))]) @ to_index.T)[:, :3]
            planes.setdefault(round(float(index[0, 2])), []).append(index[:, :2])
        filled = np.zeros(SHAPE, bool)
        for level, contours in planes.items():
            filled[:, :, level] = fill(contours, SHAPE[:2])
        np.testing.assert_array_equal(filled, mask)


def test_it_has_the_patient_and_the_study_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    headers = patient()
    dataset = write(tmp_path, headers)
    first = (tmp_path / "rt.dcm").read_bytes()
    write(tmp_path, headers)
    assert (tmp_path / "rt.dcm").read_bytes() == first
    assert dataset.SOPClassUID.name == "RT Structure Set Storage"
    assert dataset.PatientID == SECRETS["PatientID"] and dataset.ApprovalStatus == "UNAPPROVED"
    source = headers[0]
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == source.FrameOfReferenceUID
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert len(series.ContourImageSequence) == SHAPE[2]


@pytest.mark.parametrize("uids", ["keep", "replace"])
def test_without_identity_the_names_of_the_structures_stay(tmp_path: Path, uids: str) -> None:
    headers = patient()
    dataset = write(tmp_path, headers, uids)
    text = (tmp_path / "rt.dcm").read_bytes()
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StationName"):
        assert str(SECRETS[keyword]).encode() not in text
    assert dataset.PatientIdentityRemoved == "YES"
    assert [item.ROIName for item in dataset.StructureSetROISequence][0] == "liver"
    kept = dataset.FrameOfReferenceUID == headers[0].FrameOfReferenceUID
    assert kept == (uids == "keep")
