"""What a client gets from a label server: labels on its volume, names, colours, a diagnosis, clear faults."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from label.serving import Server

from scripts.lidia.vocabulary import CLASSES, LESION_TYPES, PHASES

pytestmark = [pytest.mark.label, pytest.mark.slow]


def test_the_server_names_its_model_labels_and_strategies(server: Server) -> None:
    record = server.get("/info/")
    assert record["models"]["lidia"]["labels"] == {name.lower(): k for k, name in enumerate(CLASSES) if k}
    assert set(record["trainers"]) == {"lidia"}
    assert "least_certain" in record["strategies"] and "uncertainty" in record["scoring"]


def test_siblings_of_a_venous_volume_are_found_by_rule(server: Server, patients: list[str]) -> None:
    answer = server.infer(patients[0])
    assert answer["phases_used"] == list(PHASES)
    assert set(answer["probabilities"]) == set(LESION_TYPES) and 0 <= answer["malignant"] <= 1
    assert answer["calibrated"] is True
    for lesion in answer["lesions"]:
        assert lesion["type"] in LESION_TYPES and lesion["volume_mm3"] > 0
    assert answer["label_names"]["hcc"] == 2
    assert set(answer["label_colors"]) == set(answer["label_names"])


def test_one_venous_volume_is_enough(server: Server, truth: Path, patients: list[str]) -> None:
    server.upload(truth / f"{patients[0]}.nii.gz", "alone")
    assert server.infer("alone")["phases_used"] == ["venous"]


def turned(volume: nib.Nifti1Image, how: str) -> nib.Nifti1Image:
    """The same patient on another grid, his voxels only reordered, left out or turned in space."""
    voxels, affine = np.asarray(volume.dataobj), volume.affine
    if how == "anisotropic":
        return nib.Nifti1Image(voxels[:, :, ::2], affine @ np.diag([1.0, 1.0, 2.0, 1.0]))
    if how == "flipped":
        # axes in another order too: what comes along the first axis of the file is the patient's height
        shift = np.eye(4)
        shift[:3, 3] = [voxels.shape[0] - 1, 0, voxels.shape[2] - 1]
        flip = affine @ shift @ np.diag([-1.0, 1.0, -1.0, 1.0])
        return nib.Nifti1Image(voxels[::-1, :, ::-1].transpose(2, 0, 1), flip[:, [2, 0, 1, 3]])
    a, b = np.radians([12.0, 7.0])
    turn = np.eye(4)
    turn[:3, :3] = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    tilt = np.eye(4)
    tilt[:3, :3] = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    return nib.Nifti1Image(voxels, turn @ tilt @ affine)


@pytest.mark.parametrize("how", ["oblique", "anisotropic", "flipped"])
def test_labels_lie_on_the_volume_that_was_sent(
    server: Server, truth: Path, patients: list[str], tmp_path: Path, how: str
) -> None:
    volume = turned(nib.load(truth / f"{patients[1]}.nii.gz"), how)
    nib.save(volume, tmp_path / f"{how}.nii.gz")
    server.upload(tmp_path / f"{how}.nii.gz", how)
    got = nib.load(server.labels_of(how, tmp_path / "got.nii.gz"))
    assert got.shape == volume.shape and got.get_data_dtype() == np.uint8
    np.testing.assert_allclose(got.affine, volume.affine, atol=1e-3)
    true = np.asarray(turned(nib.load(truth / f"labels/final/{patients[1]}.nii.gz"), how).dataobj) > 0
    annotation = np.asarray(got.dataobj) > 0
    dice = 2 * (annotation & true).sum() / (annotation.sum() + true.sum())
    assert dice > 0.8, f"the liver is elsewhere: Dice {dice:.2f}"
    # the form in which 3D Slicer asks, read by the library that Slicer reads by
    server.labels_of(how, tmp_path / "got.nrrd", result_extension=".nrrd", result_dtype="uint8")
    theirs, ours = itk.imread(str(tmp_path / "got.nrrd")), itk.imread(str(tmp_path / f"{how}.nii.gz"))
    np.testing.assert_allclose(theirs.GetOrigin(), ours.GetOrigin(), atol=1e-2)
    np.testing.assert_allclose(theirs.GetSpacing(), ours.GetSpacing(), atol=1e-3)
    axes = [itk.array_from_matrix(image.GetDirection()) for image in (theirs, ours)]
    np.testing.assert_allclose(*axes, atol=1e-3)


def put_into_study(server: Server, image: str, file: Path) -> None:
    """Puts a file into the folder by hand, and waits until the server lists it."""
    shutil.copy(file, server.study / f"{image}.nii.gz")
    for _ in range(300):
        if image in server.get("/datastore/?output=all")["objects"]:
            return
        time.sleep(0.1)
    raise AssertionError(f"{image} is not listed")


def fault(server: Server, image: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.infer(image)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["detail"]


def test_an_unreadable_volume_gives_an_error_response(
    server: Server, truth: Path, patients: list[str], tmp_path: Path
) -> None:
    data = (truth / f"{patients[0]}.nii.gz").read_bytes()
    (tmp_path / "half.nii.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(urllib.error.HTTPError, match="422"):
        server.upload(tmp_path / "half.nii.gz", "half")
    put_into_study(server, "half", tmp_path / "half.nii.gz")
    code, text = fault(server, "half")
    assert code == 422 and "half.nii.gz" in text and "remedy" in text
    code, text = fault(server, "nobody")
    assert code == 404 and "no such image" in text
    server.infer(patients[0])


def test_names_that_lead_out_of_the_study_are_refused(
    server: Server, truth: Path, patients: list[str]
) -> None:
    volume, label = truth / f"{patients[0]}.nii.gz", truth / f"labels/final/{patients[0]}.nii.gz"
    for name in ("../escaped", "/tmp/escaped", "..", "a/../../escaped"):
        with pytest.raises(urllib.error.HTTPError, match="422"):
            server.upload(volume, name)
        with pytest.raises(urllib.error.HTTPError, match="422"):
            server.save_label(label, patients[0], tag=name)
    assert not list(server.folder.rglob("escaped*")) and not list(Path("/tmp").glob("escaped*"))


def test_two_requests_at_once_get_each_their_own_answer(server: Server, patients: list[str]) -> None:
    alone = [server.infer(patient) for patient in patients[:2]]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(server.infer, patients[:2]))
    assert [answer["id"] for answer in together] == patients[:2]
    assert [answer["probabilities"] for answer in together] == [answer["probabilities"] for answer in alone]


def test_batch_inference_saves_every_patient_and_names_the_faulty(
    server: Server, patients: list[str], tmp_path: Path
) -> None:
    (tmp_path / "torn.nii.gz").write_bytes(b"no gzip")
    put_into_study(server, "a_torn", tmp_path / "torn.nii.gz")
    answers = server.post("/batch/infer/lidia?images=all&run_sync=true")
    assert "remedy" in answers["a_torn"]["error"]
    store: dict[str, Any] = server.get("/datastore/?output=all")["objects"]
    for patient in patients:
        remaining = store[patient]["labels"]["original"]
        assert remaining["info"]["params"]["probabilities"].keys() == set(LESION_TYPES)
        file = tmp_path / "label.nii.gz"
        file.write_bytes(server.ask("GET", f"/datastore/label?label={patient}&tag=original"))
        volume = nib.load(server.study / f"{patient}.nii.gz")
        np.testing.assert_allclose(nib.load(file).affine, volume.affine, atol=1e-3)
    server.ask("DELETE", "/datastore/image?id=a_torn")


def test_labels_of_a_client_that_counts_its_segments_get_our_numbers(
    server: Server, truth: Path, patients: list[str], tmp_path: Path
) -> None:
    """3D Slicer numbers the segments that are left, here liver and cyst, as 1 and 2."""
    label = nib.load(truth / f"labels/final/{patients[3]}.nii.gz")
    annotation = (np.asarray(label.dataobj) > 0).astype(np.uint8)
    annotation[tuple(np.argwhere(annotation)[0])] = 2
    nib.save(nib.Nifti1Image(annotation, label.affine), tmp_path / "saved.nii.gz")
    segments = [{"name": "liver", "idx": 1}, {"name": "cyst", "idx": 2}]
    server.upload(truth / f"{patients[3]}.nii.gz", "counted")
    server.save_label(tmp_path / "saved.nii.gz", "counted", label_info=segments)
    remaining = nib.load(server.study / "labels/final/counted.nii.gz")
    assert set(np.unique(np.asarray(remaining.dataobj))) == {0, 1, CLASSES.index("cyst")}
    np.testing.assert_allclose(remaining.affine, label.affine, atol=1e-4)
    server.ask("DELETE", "/datastore/image?id=counted")
