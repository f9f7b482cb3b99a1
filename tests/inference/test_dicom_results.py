"""The handler that writes SEG and SR beside a patient's files, from any series that can be read."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import highdicom
import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom.findings import RESULT, SECRETS, SHAPE, make_findings, scan
from dicom.readers import by_dcmqi, by_highdicom, by_pydicom
from inference.findings_on_disk import check, results, run, write_dicom
from pydicom import Dataset
from pydicom.uid import RLELossless, generate_uid

from scripts.lidia.dicom.source_series import find_source_files
from scripts.lidia.inference.cohort_dataset import CohortDataset
from scripts.lidia.inference.dicom_results import WriteDicom
from scripts.lidia.inference.result_files import is_finished, result_files, write_volume

CONFIGS = Path(__file__).parents[2] / "lidia_bundle/configs"


def compressed(folder: Path) -> Path:
    source = scan(folder)
    for path in source.iterdir():
        slice_ = pydicom.dcmread(path)
        slice_.compress(RLELossless, generate_instance_uid=False)
        slice_.save_as(path)
    return source


def disordered(folder: Path) -> Path:
    source = scan(folder)
    for number, path in enumerate(sorted(source.iterdir())):
        path.rename(source / f"{number * 7 % 30:02d}.dcm")
    return source


def with_company(folder: Path) -> Path:
    """Copies of slices, a localizer of another series, and a file that is no DICOM."""

    def scout(slice_: Dataset, _: int) -> None:
        slice_.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    source = scan(folder)
    shutil.copy(source / "1.2.3_005.dcm", source / "again.dcm")
    shifted = scan(folder.parent / "scout", scout, series="1.2.5", slices=[0])
    shutil.copytree(shifted, source / "scout")
    (source / "readme.txt").write_text("hello")
    return source


@pytest.mark.parametrize("write", [scan, compressed, disordered], ids=lambda w: w.__name__)
@pytest.mark.parametrize("axes", ["LPS", "RAI"])
def test_any_series_and_any_orientation_of_the_results(tmp_path: Path, write: Any, axes: str) -> None:
    source = write(tmp_path / "ct")
    item = {"id": "P1", "phases": {"nc": "somewhere.nii.gz", "venous": str(source)}}
    write_dicom(results(tmp_path / "out", axes), item)
    check(tmp_path / "out", source)


def test_what_is_no_slice_of_the_series_is_left_out(tmp_path: Path) -> None:
    source = with_company(tmp_path / "ct")
    item = {"id": "P1", "phases": {"venous": str(source)}}
    write_dicom(results(tmp_path / "out"), item)
    back = by_pydicom(tmp_path / "out/P1_seg.dcm", SHAPE)
    np.testing.assert_array_equal(back[1] > 0, make_findings()[0])
    seg = pydicom.dcmread(tmp_path / "out/P1_seg.dcm")
    assert len(seg.ReferencedSeriesSequence) == 1
    assert len(seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == SHAPE[2]


def test_the_files_that_an_item_names_come_first(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    files = [str(path) for path in source.iterdir()]
    item = {"id": "P1", "phases": {"venous": "converted.nii.gz"}, "source": files}
    assert [str(path) for path in find_source_files(item)] == files
    write_dicom(results(tmp_path / "out"), item)
    check(tmp_path / "out", source)


def test_the_grid_phase_s_folder_is_the_source(tmp_path: Path) -> None:
    arterial, venous = scan(tmp_path / "a"), scan(tmp_path / "v", series="1.2.4")
    both = {"phases": {"arterial": str(arterial), "venous": str(venous)}}
    assert {path.parent for path in find_source_files(both)} == {venous}
    assert find_source_files({"phases": {"arterial": str(arterial), "venous": "v.nii.gz"}}) == []
    assert {path.parent for path in find_source_files({"phases": {"arterial": str(arterial)}})} == {arterial}


def test_an_enhanced_multi_frame_series(tmp_path: Path) -> None:
    slices = [pydicom.dcmread(path) for path in sorted(scan(tmp_path / "ct").iterdir())]
    for slice_ in slices:
        slice_.PositionReferenceIndicator = ""
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        [slices[(number * 7) % len(slices)] for number in range(len(slices))],
        series_instance_uid=generate_uid(),
        series_number=5,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    enhanced.save_as(tmp_path / "enhanced.dcm")
    item = {"id": "P1", "phases": {"venous": "v.nii.gz"}, "source": [str(tmp_path / "enhanced.dcm")]}
    write_dicom(results(tmp_path / "out"), item)
    back = by_pydicom(tmp_path / "out/P1_seg.dcm", SHAPE)
    liver, instances = make_findings()
    for number, mask in ((1, liver), (2, instances == 1), (3, instances == 2)):
        np.testing.assert_array_equal(back[number] > 0, mask)
    seg = pydicom.dcmread(tmp_path / "out/P1_seg.dcm")
    used = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert used.ReferencedSOPInstanceUID == enhanced.SOPInstanceUID


def test_a_patient_of_nifti_files_has_no_dicom(tmp_path: Path) -> None:
    item = {"id": "P1", "phases": {"venous": "v.nii.gz"}}
    write_dicom(results(tmp_path), item)
    assert not list(tmp_path.glob("*.dcm"))


def test_identifiers_are_kept_or_removed(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    item = {"id": "P1", "phases": {"venous": str(source)}}
    record = {**RESULT, "warnings": ["Secret_Name.nii.gz: hardly any air"]}
    collected = {}
    for choice in (False, True, "uids"):
        folder = results(tmp_path / str(choice), result=record)
        write_dicom(folder, item, deidentify=choice)
        collected[choice] = [(folder / f"P1_{kind}.dcm").read_bytes() for kind in ("seg", "sr")]
    name = SECRETS["PatientName"].encode()
    assert [[name in raw for raw in pair] for pair in collected.values()] == [
        [True] * 2,
        [False] * 2,
        [False] * 2,
    ]
    assert [b"Secret_Name" in collected[choice][1] for choice in collected] == [True, False, False]
    study = pydicom.dcmread(tmp_path / "True/P1_seg.dcm").StudyInstanceUID
    assert study == "1.2" != pydicom.dcmread(tmp_path / "uids/P1_seg.dcm").StudyInstanceUID
    with pytest.raises(ValueError, match="'names'"):
        WriteDicom(folder=".", deidentify="names")


def test_a_dicom_patient_is_finished_when_seg_and_sr_exist(tmp_path: Path) -> None:
    folder, source = results(tmp_path / "out"), scan(tmp_path / "ct")
    items = [{"id": "P1", "phases": {"venous": str(source)}}]
    todo = [len(CohortDataset(items, None, str(folder), dicom=dicom, pages=False)) for dicom in (False, True)]
    assert todo == [0, 1], "a kill between the JSON and the SEG leaves an unfinished patient"
    write_dicom(folder, items[0])
    assert is_finished(folder, "P1", dicom=True)
    assert len(CohortDataset(items, None, str(folder), dicom=True, pages=False)) == 0
    (folder / "P1_sr.dcm").unlink()
    assert len(CohortDataset(items, None, str(folder), dicom=True, pages=False)) == 1
    other = [{"id": "P1", "phases": {"venous": "v.nii.gz"}}]
    assert len(CohortDataset(other, None, str(folder), dicom=True, pages=False)) == 0, (
        "no DICOM is owed for NIfTI"
    )


@pytest.mark.filterwarnings("ignore:parsing config_file")
def test_inference_of_a_dicom_folder(tmp_path: Path) -> None:
    source = scan(tmp_path / "ct")
    (tmp_path / "P1_seg.dcm").write_bytes(b"of an earlier run")
    run(tmp_path, venous=str(source), case_id="P1")
    result = json.loads((tmp_path / "P1.json").read_text())
    seg, report = pydicom.dcmread(tmp_path / "P1_seg.dcm"), pydicom.dcmread(tmp_path / "P1_sr.dcm")
    assert len(seg.SegmentSequence) == 1 + len(result["lesions"])
    assert str(report.ContentSequence).count("Measurement Group") >= 1 + len(result["lesions"])
    liver = nib.load(tmp_path / "P1_liver.nii.gz")
    got = by_highdicom(tmp_path / "P1_seg.dcm", source)[1]
    np.testing.assert_array_equal(got, np.asarray(liver.dataobj))
    before = (tmp_path / "P1_seg.dcm").read_bytes()
    run(tmp_path, venous=str(source), case_id="P1", dicom=False)
    assert not list(tmp_path.glob("*.dcm")), "those of an earlier run would tell of other findings"
    run(tmp_path, venous=str(source), case_id="P1", skip_existing=True)
    assert (tmp_path / "P1_seg.dcm").read_bytes() == before


@pytest.mark.real
def test_a_real_series(real_ct: Path, tmp_path: Path) -> None:
    source = real_ct / "crlm_ct_1004/dicom"
    mask = nib.load(real_ct / "crlm_ct_1004/liver_predicted_by_a_peer.nii.gz")
    liver = (np.asarray(mask.dataobj) > 0).astype(np.uint8)
    instances = np.zeros(liver.shape, np.uint16)
    at = np.argwhere(liver)[::2000]
    for number, (x, y, z) in enumerate((at[50], at[-50]), 1):
        instances[x - 4 : x + 4, y - 6 : y + 6, z - number : z + number] = number
    liver |= instances > 0
    volumes = {"liver": liver, "instances": instances, "lesions": instances * 2}
    for name, voxels in volumes.items():
        write_volume(result_files(tmp_path, "P1")[name], voxels, mask.affine)
    (tmp_path / "P1.json").write_text(json.dumps(RESULT))
    write_dicom(tmp_path, {"id": "P1", "phases": {"venous": str(source)}})
    hd = by_highdicom(tmp_path / "P1_seg.dcm", source)
    foreign = by_dcmqi(tmp_path / "P1_seg.dcm", tmp_path / "nii")
    turns = nib.io_orientation(mask.affine)
    for number, drawing in ((1, liver), (2, instances == 1), (3, instances == 2)):
        upright = nib.orientations.apply_orientation(drawing, turns)[::-1, ::-1]
        np.testing.assert_array_equal(hd[number] > 0, upright > 0)
        image = foreign[number]
        assert np.count_nonzero(np.asarray(image.dataobj)) == np.count_nonzero(drawing)
        drawn_there = nib.Nifti1Image(drawing.astype(np.uint8), mask.affine)
        np.testing.assert_allclose(centre(image), centre(drawn_there), atol=0.05)


def centre(image: nib.Nifti1Image) -> np.ndarray:
    return nib.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj) > 0)).mean(axis=0)


def test_dicom_s_libraries_are_imported_when_they_are_needed() -> None:
    """The label server has an older pydicom, which highdicom does not load with."""
    light = [
        "dicom.archives",
        "dicom.file_account",
        "dicom.header_values",
        "dicom.headers",
        "dicom.read_file",
        "dicom.references",
        "dicom.scan_passes",
        "dicom.scan_times",
        "dicom.series",
        "dicom.series_text",
        "dicom.source_series",
        "dicom.study",
        "phase_id.aorta",
        "phase_id.select_series",
    ]
    modules = ", ".join(f"scripts.lidia.{name}" for name in light)
    text = f"import sys, {modules}; print('highdicom' in sys.modules)"
    command, place = [sys.executable, "-W", "ignore", "-c", text], {"PYTHONPATH": str(CONFIGS.parent)}
    process = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **place})
    assert process.stdout.strip() == "False"
    for path in [p for p in (CONFIGS.parent / "scripts/lidia").rglob("*.py") if p.parent.name != "dicom"]:
        top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
        named = {node.module for node in top if str(node.module).startswith("scripts.lidia.dicom.")}
        assert named <= {f"scripts.lidia.{name}" for name in light}, path


def test_structures_are_written_on_request_and_deidentified_like_the_others(tmp_path: Path) -> None:
    item = {"id": "P1", "phases": {"venous": str(scan(tmp_path / "ct"))}}
    folder = results(tmp_path / "out")
    write_dicom(folder, item)
    assert not (folder / "P1_rtstruct.dcm").exists()
    assert is_finished_dicom(folder, rtstruct=False) and not is_finished_dicom(folder, rtstruct=True)
    write_dicom(folder, item, rtstruct=True, deidentify=True)
    structures = pydicom.dcmread(folder / "P1_rtstruct.dcm")
    assert [roi.ROIName for roi in structures.StructureSetROISequence][1:] == [
        "lesion 1: HCC",
        "lesion 2: cyst",
    ]
    assert SECRETS["PatientID"].encode() not in (folder / "P1_rtstruct.dcm").read_bytes()
    assert structures.PatientID == pydicom.dcmread(folder / "P1_seg.dcm").PatientID
    assert is_finished_dicom(folder, rtstruct=True)


def test_structures_that_cannot_be_written_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="--dicom True"):
        CohortDataset([], None, dicom=False, rtstruct=True)  # type: ignore[arg-type]
    write_dicom(results(tmp_path / "out"), {"id": "P1", "phases": {"venous": "P1.nii.gz"}}, rtstruct=True)
    assert "P1: no RT Structure Set" in caplog.text


def is_finished_dicom(folder: Path, *, rtstruct: bool) -> bool:
    return is_finished(folder, "P1", dicom=True, rtstruct=rtstruct)
