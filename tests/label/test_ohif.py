"""OHIF over a real DICOMweb server: a study in Orthanc, MONAI Label on it, its pages in chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom.studies import patient, write_study
from label.conftest import served
from label.orthanc import Orthanc
from label.serving import ROOT, Server
from report.browser import Browser, browser

from scripts.lidia.vocabulary import PHASES

pytestmark = pytest.mark.ohif

WEBGL = ("--enable-unsafe-swiftshader", "--use-angle=swiftshader", "--window-size=1600,1000")
LIMIT_S = 900.0
WORDS = {"nc": "native", "arterial": "arterial", "venous": "portal venous", "delayed": "delayed"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DICOM files of a phantom patient with four phases."""
    return write_study(tmp_path_factory.mktemp("ohif_study"), patient(), WORDS)


@pytest.fixture(scope="module")
def series(study: Path) -> dict[str, str]:
    """Series UID of each phase."""
    uids = {}
    for path in study.rglob("*"):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True)
            uids[next(p for p, word in WORDS.items() if word == header.SeriesDescription)] = (
                header.SeriesInstanceUID
            )
    assert set(uids) == set(PHASES)
    return uids


@pytest.fixture(scope="module")
def study_uid(study: Path) -> str:
    first = next(path for path in study.rglob("*") if path.is_file())
    return str(pydicom.dcmread(first, stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, study: Path) -> Iterator[Orthanc]:
    running = Orthanc(tmp_path_factory.mktemp("orthanc"))
    try:
        running.store(*(path for path in study.rglob("*") if path.is_file()))
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, archive: Orthanc, bundle: Path) -> Iterator[Server]:
    folder = served(tmp_path_factory.mktemp("ohif"), bundle)
    # MONAI Label loads this program from the internet unless it is there
    tool = folder / "lidia_bundle/scripts/lidia/label_app/bin/itkimage2segimage"
    tool.parent.mkdir()
    tool.touch()
    running = Server(folder, studies=f"{archive.url}/dicom-web")
    try:
        running.start()
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, study: Path) -> Path:
    """Results of inference.json on the same files: JSON, masks, SEG, SR and PDF."""
    folder = tmp_path_factory.mktemp("ohif_results")
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating", "--pages", "False"]
    command += ["--config_file", str(ROOT / "lidia_bundle/configs/inference.json"), "--case_id", "P1"]
    command += ["--pdf", "True"]
    command += ["--dicom_dir", str(study), "--output_dir", str(folder)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile"), *WEBGL) as opened:
        opened.driver.set_script_timeout(LIMIT_S)
        opened.driver.command_executor.client_config.timeout = int(LIMIT_S)
        yield opened


VIEWPORT = (
    "window.services.cornerstoneViewportService.getCornerstoneViewport("
    "window.services.viewportGridService.getState().activeViewportId)"
)
DRAWN = """
const [segmentation] = window.services.segmentationService.getSegmentations();
const representations = window.services.segmentationService.getSegmentationRepresentations(
    window.services.viewportGridService.getState().activeViewportId);
if (!representations.length || !representations[0].visible) return null;
const counts = {};
for (const id of segmentation.representationData.Labelmap.imageIds)
    for (const value of window.cornerstone.cache.getImage(id).voxelManager.getScalarData())
        if (value) counts[value] = (counts[value] || 0) + 1;
return JSON.stringify(counts);
"""
"""JSON of the voxels of each segment that the open viewport shows."""


def wait_for(window: Browser, code: str) -> Any:
    """Waits until JavaScript returns something true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if value := window.run(f"try {{ {code} }} catch {{ return null }}"):
            return value
        time.sleep(1)
    raise AssertionError(f"waited in vain for {code}: {window.messages()[-10:]}")


def take_picture(window: Browser, name: str) -> None:
    if folder := os.environ.get("LIDIA_SCREENSHOTS"):
        time.sleep(3)
        window.driver.get_screenshot_as_file(str(Path(folder) / f"{name}.png"))


def test_all_phases_of_the_study_reach_the_network(
    server: Server, series: dict[str, str], results: Path
) -> None:
    expected = json.loads((results / "P1.json").read_text(encoding="utf-8"))
    answer = server.infer(series["venous"])
    assert answer["phases_used"] == expected["phases_used"] == list(PHASES)
    for name, value in expected["probabilities"].items():
        assert answer["probabilities"][name] == pytest.approx(value, abs=0.02), name
    assert [lesion["type"] for lesion in answer["lesions"]] == [
        lesion["type"] for lesion in expected["lesions"]
    ]


def test_another_opened_phase_keeps_its_own_grid(server: Server, series: dict[str, str]) -> None:
    answer = server.infer(series["arterial"])
    assert answer["phases_used"] == list(PHASES)
    assert any("resampled" in text for text in answer["warnings"])


def open_series(window: Browser, description: str) -> None:
    """Opens a series of the study browser, as a double click does."""
    thumbnail = (
        "[...document.querySelectorAll('[data-cy^=study-browser-thumbnail]')]"
        f".find((box) => box.innerText.includes({description!r}))"
    )
    wait_for(window, f"return Boolean({thumbnail}) && document.querySelectorAll('canvas').length > 0")
    window.run(f"{thumbnail}.dispatchEvent(new MouseEvent('dblclick', {{bubbles: true}}))")


def connect(window: Browser, address: str) -> None:
    """Connects the panel to the server; the page's own default is port 8000.

    The page ends with an error if the field loses the focus without an address, as after `clear()` of
    WebDriver. At the first click it may use the old address.
    """
    button = "document.querySelector('.monaiLabelPanel .settingsTable button')"
    field = "document.getElementById('monailabelServerURL')"
    ready = "document.querySelector('button[title=\"Run Segmentation\"]') !== null"
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        wait_for(window, f"{field}.value = {address!r}; {button}.click(); return true")
        time.sleep(5)
        if window.run(f"return {ready}"):
            return
    raise AssertionError(f"the panel was not connected: {window.messages()[-10:]}")


def test_ohif_draws_what_lidia_finds(server: Server, window: Browser, study_uid: str, results: Path) -> None:
    window.driver.get(f"{server.url}/ohif/monai-label?StudyInstanceUIDs={study_uid}")
    wait_for(window, "return document.querySelector('#monailabelServerURL') !== null")
    open_series(window, WORDS["venous"])
    wait_for(window, f"return document.body.innerText.split({WORDS['venous']!r}).length > 2")
    connect(window, f"{server.url}/")
    labelmap = "window.services.segmentationService.getLabelmapVolume('1')"
    wait_for(window, f"return Boolean({labelmap})")
    wait_for(window, "return [...document.querySelectorAll('.selectBox option')].length > 0")
    run = "document.querySelector('button[title=\"Run Segmentation\"]')"
    wait_for(window, f"{run}.click(); return true")
    numbers = f"Array.from({labelmap}.voxelManager.getCompleteScalarDataArray())"
    drawn = wait_for(window, f"return {numbers}.filter((value) => value).length")
    liver = np.asarray(nib.load(results / "P1_liver.nii.gz").dataobj)
    assert drawn == pytest.approx(np.count_nonzero(liver), rel=0.01)
    take_picture(window, "ohif_lidia")


def test_ohif_draws_our_segmentation_and_lists_the_reports(
    server: Server, archive: Orthanc, window: Browser, study_uid: str, results: Path
) -> None:
    archive.store(*(results / f"P1_{kind}.dcm" for kind in ("seg", "sr", "pdf")))
    kinds = archive.get(f"/dicom-web/studies/{study_uid}/series")
    assert {"SEG", "SR", "DOC"} <= {entry["00080060"]["Value"][0] for entry in kinds}
    window.driver.get(f"{server.url}/ohif/viewer?StudyInstanceUIDs={study_uid}")
    names = ("LIDIA SEG", "LIDIA SR", "LIDIA PDF")
    listed = (
        "[...document.querySelectorAll('[data-cy^=study-browser-thumbnail]')].map((box) => box.innerText)"
    )
    wait_for(window, f"return {json.dumps(names)}.every((name) => {listed}.join(' ').includes(name))")
    open_series(window, "LIDIA SEG")
    # OHIF asks whether the segmentation is to be loaded for editing
    wait_for(window, "document.querySelector('[data-cy=yes-hydrate-btn]').click(); return true")
    instances = np.asarray(nib.load(results / "P1_instances.nii.gz").dataobj)
    liver = np.asarray(nib.load(results / "P1_liver.nii.gz").dataobj)
    segments = {"1": np.count_nonzero((liver > 0) & (instances == 0))}
    segments |= {
        str(number + 1): np.count_nonzero(instances == number) for number in range(1, instances.max() + 1)
    }
    assert len(segments) > 1
    assert json.loads(wait_for(window, DRAWN)) == segments
    wait_for(window, "document.querySelector('[data-cy=panelSegmentation-btn]').click(); return true")
    wait_for(window, "document.querySelector('[data-cy=confirm-and-hide-button]').click(); return true")
    largest = int((instances > 0).sum(axis=(0, 1)).argmax())
    # OHIF shows the slices from the head to the feet, the volume has them from the feet to the head
    window.run(f"{VIEWPORT}.setImageIdIndex({instances.shape[2] - 1 - largest})")
    take_picture(window, "ohif_study")
