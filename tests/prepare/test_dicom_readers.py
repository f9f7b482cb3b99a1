"""Readers of DICOM archives, each on a miniature of its layout with SEGs that highdicom writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import highdicom
import nibabel as nib
import numpy as np
import pytest
from ct_files import LIVER_MM, affine_of, radius
from dicom_files import write_series
from prepare.miniatures import PLACE, centre, convert, fault_of, values
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from scripts.lidia.data.load_phases import LoadPhases
from scripts.lidia.prepare.readers.dicom_stacks import find_stacks

SHAPE, SPACING = (40, 40, 20), (3.5, 3.5, 6.0)
AFFINE = affine_of(SPACING, SHAPE, (-1, -1, 1))


def scan(folder: Path, patient: str, series: str, *, shift: float = 0.0, **tags: Any) -> Path:
    """Writes a series of a round liver; `shift` moves its slices along the body."""
    affine = AFFINE.copy()
    affine[2, 3] += shift
    far = radius(affine, SHAPE)
    voxels = np.where(far < LIVER_MM, 60.0, np.where(far < 60, -100.0, -1000.0))
    voxels = voxels + np.random.default_rng(0).normal(0, 5, SHAPE)
    tags = {"PatientID": patient, "StudyInstanceUID": "1.2", "StudyDate": "19990102", **tags}
    return write_series(folder, voxels, affine, series=series, **tags)


def ball(place: tuple[float, float, float], size: float) -> np.ndarray:
    return radius(AFFINE, SHAPE, place) < size


LIVER = ball((0, 0, 0), LIVER_MM)
FIRST, SECOND = ball(PLACE, 11.0), ball((-14.0, 6.0, -12.0), 9.0)


def write_seg(path: Path, slices: list[Dataset], segments: Mapping[str, np.ndarray]) -> None:
    """Writes a SEG of overlapping segments on slices, as the archive's own are."""
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, name in enumerate(segments, 1)
    ]
    ordered = sorted(slices, key=lambda s: float(s.ImagePositionPatient[2]))
    for entry in ordered:  # what highdicom copies and the archive always has
        for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"):
            setattr(entry, keyword, entry.get(keyword, ""))
        entry.StudyTime, entry.ReferringPhysicianName = "", ""
    frames = np.stack([mask.transpose(2, 1, 0) for mask in segments.values()], axis=-1)
    created = highdicom.seg.Segmentation(
        source_images=ordered,
        pixel_array=frames.astype(np.uint8),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=highdicom.UID(),
        series_number=300,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="tests",
        manufacturer_model_name="tests",
        software_versions="0",
        device_serial_number="0",
    )
    path.parent.mkdir(parents=True)
    created.save_as(path)


def slices_of(folder: Path, **tags: Any) -> list[Dataset]:
    result = [dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    return [entry for entry in result if all(entry.get(key) == value for key, value in tags.items())]


def test_crlm(tmp_path: Path) -> None:
    root = tmp_path / "in"
    folder = scan(root / "CRLM-CT-1001/study/3.000000-NA", "CRLM-CT-1001", "1.5.1")
    segments = {
        "Liver": LIVER,
        "Liver Remnant": ball((0, 0, 10), 30.0),
        "Hepatic": ball((0, 20, 0), 5.0),
        "Portal": ball((0, -20, 0), 5.0),
        "Tumor_1": FIRST,
        "Tumor_2": SECOND,
    }
    write_seg(root / "CRLM-CT-1001/study/100.000000-SEG/1-1.dcm", slices_of(folder), segments)
    scan(root / "CRLM-CT-1004/study/3.000000-NA", "CRLM-CT-1004", "1.5.2")
    items = convert("crlm", root, tmp_path / "out")
    assert list(items) == ["CRLM-CT-1001"], "a case without its SEG is left out"
    item = items["CRLM-CT-1001"]
    assert item["phases"] == {"venous": str(folder)}, "a series with a folder of its own stays where it is"
    annotation = np.asarray(nib.load(item["instances"]).dataobj)
    np.testing.assert_array_equal(annotation, np.where(FIRST, 1, 0) + np.where(SECOND, 2, 0))
    label = np.asarray(nib.load(item["label"]).dataobj)
    np.testing.assert_array_equal(label, np.where(FIRST | SECOND, 4, LIVER))
    assert [lesion["type"] for lesion in item["lesions"]] == ["metastasis", "metastasis"]
    assert LoadPhases("native")(item)["phases_used"] == ["venous"]
    record = (tmp_path / "out/summary.json").read_text()
    assert '"CRLM-CT-1004"' in record and "SEG" in record


def test_crlm_at_fault(tmp_path: Path) -> None:
    root = tmp_path / "in"
    folder = scan(root / "ct", "P1", "1.5.1")
    fault = fault_of("crlm", root, tmp_path / "none")
    assert fault.code == "no_label", "nothing is left"
    write_seg(root / "seg/1.dcm", slices_of(folder), {"Liver": LIVER, "Abscess_1": FIRST})
    fault = fault_of("crlm", root, tmp_path / "out")
    assert (fault.case, fault.code) == ("P1", "unknown_class") and "Abscess" in fault.problem
    item = convert("crlm", root, tmp_path / "told", class_map={"Abscess": "others"})["P1"]
    assert values(item["label"]) == {0, 1, 9}


@pytest.fixture
def tace(tmp_path: Path) -> Path:
    """HCC-TACE-Seg: arterial and venous in one series, before TACE; a later study; a patient of one scan."""
    root = tmp_path / "tace"
    entry, both = (
        root / "HCC_001/02-1999/2.0-PRE LIVER",
        root / "HCC_001/02-1999/103-Recon 2 LIVER 3 PHASE AP",
    )
    scan(entry, "HCC_001", "1.7.1", SeriesDescription="PRE LIVER", AcquisitionTime="101500")
    name = "Recon 2: LIVER 3 PHASE (AP)"
    for number, time in ((1, "102000.5"), (2, "102040.25")):
        tags = {"AcquisitionNumber": number, "AcquisitionTime": time, "SeriesDescription": name}
        scan(both / f"of{number}", "HCC_001", "1.7.2", **tags)
    for path in sorted(both.glob("of*/*.dcm")):  # a series is one folder in the archive
        path.rename(both / f"{path.parent.name}-{path.name}")
    for number in (1, 2):
        (both / f"of{number}").rmdir()
    segments = {"Liver": LIVER, "Mass": FIRST | SECOND, "Portal vein": ball((0, -20, 0), 5.0)}
    write_seg(root / "HCC_001/02-1999/300-SEG/1.dcm", slices_of(both, AcquisitionNumber=2), segments)
    after = {"StudyInstanceUID": "1.2.9", "StudyDate": "19990702", "FrameOfReferenceUID": "1.9.9"}
    scan(root / "HCC_001/07-1999/4", "HCC_001", "1.7.3", SeriesDescription="PORTAL VENOUS", **after)
    return root


def test_hcc_tace_seg(tace: Path, tmp_path: Path) -> None:
    item = convert("hcc_tace_seg", tace, tmp_path / "out")["HCC_001"]
    assert list(item["phases"]) == ["nc", "arterial", "venous"], "the later study stays out"
    assert Path(item["phases"]["nc"]).is_dir()
    assert Path(item["phases"]["venous"]).is_relative_to(tmp_path / "out"), "two scans share the folder"
    np.testing.assert_allclose(nib.load(item["phases"]["venous"]).affine, AFFINE, atol=1e-4)
    label = np.asarray(nib.load(item["label"]).dataobj)
    np.testing.assert_array_equal(label, np.where(FIRST | SECOND, 2, LIVER))
    assert len(item["lesions"]) == 2, "parts of one segment that do not touch are lesions of their own"
    centres = sorted((centre(item["instances"], number) for number in (1, 2)), key=lambda place: -place[0])
    np.testing.assert_allclose(centres, [PLACE, (-14.0, 6.0, -12.0)], atol=1.0)
    assert LoadPhases("native")(item)["phases_used"] == ["nc", "arterial", "venous"]


def test_the_user_names_scans(tace: Path, tmp_path: Path) -> None:
    options = {"Recon 2: LIVER 3 PHASE (AP)#2": "delayed", "1.7.1": "arterial"}
    item = convert("hcc_tace_seg", tace, tmp_path / "out", phase_map=options)["HCC_001"]
    assert list(item["phases"]) == ["arterial", "delayed"], "40 s after the arterial scan, but by no word"


def test_a_scan_of_unknown_phase_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "in"
    folder = scan(root / "ct", "HCC_012", "1.7.8", SeriesDescription="C-A-P", AcquisitionTime="101500")
    write_seg(root / "seg/1.dcm", slices_of(folder), {"Liver": LIVER, "Mass": FIRST})
    fault = fault_of("hcc_tace_seg", root, tmp_path / "out")
    assert (fault.case, fault.code) == ("HCC_012", "unknown_phase") and "'1.7.8'" in fault.remedy
    item = convert("hcc_tace_seg", root, tmp_path / "told", phase_map={"1.7.8": "arterial"})["HCC_012"]
    assert list(item["phases"]) == ["arterial"] and values(item["label"]) == {0, 1, 2}


def test_a_seg_finds_its_scan(tace: Path) -> None:
    stacks, (seg,) = find_stacks(tace)
    scan_ = seg.find_scan(stacks)
    assert scan_ is not None and (scan_.acquisition, len(scan_.paths)) == ("2", SHAPE[2])
    bare = seg._replace(instances=frozenset(), series=frozenset())
    assert bare.find_scan(stacks) is None, "three scans are in that space"
    near = [stack for stack in stacks if stack.description == "PRE LIVER"]
    assert bare.find_scan(near) == near[0]


def test_the_real_series_without_its_seg(real_ct: Path, tmp_path: Path) -> None:
    fault = fault_of("crlm", real_ct / "crlm_ct_1004", tmp_path / "out")
    assert fault.code == "no_label" and fault.case == "CRLM-CT-1004"
