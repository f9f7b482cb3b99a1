"""The page of `make browser` in chromium: its answer is that of inference.json, and nothing is uploaded."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from report.browser import Browser, browser

ROOT = Path(__file__).parents[2]
PAGE = Path(os.environ.get("LIDIA_BROWSER_PAGE", ROOT / "runs/browser/page"))
WEBGL = ("--enable-unsafe-swiftshader", "--use-angle=swiftshader")
STATE = """return [document.documentElement.dataset.state, document.getElementById("status").textContent]"""
LIMIT_S = 900.0
"""One thread of a busy computer is slow."""

pytestmark = pytest.mark.browser


class Handler(SimpleHTTPRequestHandler):
    """Serves files without a log; browsers accept modules and WebAssembly by their type only."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *arguments: Any) -> None:
        pass


class Page:
    """The page in a browser, and the server that it came from."""

    def __init__(self, window: Browser, server: ThreadingHTTPServer) -> None:
        self.window, self.server = window, server
        self.address = f"http://127.0.0.1:{server.server_port}/"

    def wait(self, *states: str) -> str:
        """Waits until the page is in one of these states; returns its message."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            state, text = self.window.run(STATE)
            if state in states:
                return str(text)
            assert state != "failed" or "failed" in states, text
            time.sleep(0.5)
        raise AssertionError(f"the page did not become {states}: {state}, {text}, {self.window.messages()}")

    def give(self, name: str, *paths: Path) -> None:
        """Chooses files in a field of the page."""
        self.window.driver.find_element("css selector", name).send_keys("\n".join(map(str, paths)))

    def read(self) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """Returns the result, the labels and their affine."""
        code = (
            "const bytes = new Uint8Array(window.lidia.labels); let text = '';"
            "for (let i = 0; i < bytes.length; i += 8192)"
            "  text += String.fromCharCode(...bytes.subarray(i, i + 8192));"
            "return [JSON.stringify(window.lidia.result), btoa(text)]"
        )
        result, labels = self.window.run(code)
        image = nib.Nifti1Image.from_bytes(base64.b64decode(labels))
        return json.loads(result), np.asarray(image.dataobj), image.affine


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not (PAGE / "index.html").is_file():
        pytest.skip("the page is not built: make browser")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(PAGE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser(tmp_path_factory.mktemp("profile"), *WEBGL) as window:
            window.driver.set_script_timeout(LIMIT_S)
            window.driver.command_executor.client_config.timeout = int(LIMIT_S)
            yield Page(window, server)
    finally:
        server.shutdown()
        server.server_close()


def infer(folder: Path, phases: dict[str, Path]) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Runs inference.json on files; returns the result, the labels with the liver, and their affine."""
    command = [sys.executable, "-m", "monai.bundle", "run", "evaluating"]
    command += ["--config_file", str(ROOT / "lidia_bundle/configs/inference.json"), "--pages", "False"]
    command += ["--output_dir", str(folder), "--case_id", "P1"]
    for phase, path in phases.items():
        command += [f"--{phase}", str(path)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert outcome.returncode == 0, outcome.stderr[-3000:]
    lesions = nib.load(folder / "P1_lesions.nii.gz")
    liver = np.asarray(nib.load(folder / "P1_liver.nii.gz").dataobj)
    result = json.loads((folder / "P1.json").read_text(encoding="utf-8"))
    return result, np.maximum(np.asarray(lesions.dataobj), liver), lesions.affine


def assert_equal_answers(page: Page, expected: tuple[dict[str, Any], np.ndarray, np.ndarray]) -> None:
    result, labels, affine = page.read()
    right, right_labels, right_affine = expected
    assert np.allclose(affine, right_affine, atol=1e-4) and labels.shape == right_labels.shape
    either = (labels > 0) | (right_labels > 0)
    assert either.any() and (labels == right_labels)[either].mean() >= 0.99
    for name, value in (right["probabilities"] | {k: right[k] for k in ("malignant", "benign")}).items():
        assert (result["probabilities"] | result)[name] == pytest.approx(value, abs=0.02), name
    assert result["phases_used"] == right["phases_used"] and result["calibrated"] == right["calibrated"]
    assert result["left_out"] == right["left_out"]
    assert [lesion["type"] for lesion in result["lesions"]] == [lesion["type"] for lesion in right["lesions"]]
    for ours, theirs in zip(result["lesions"], right["lesions"], strict=True):
        assert ours["volume_mm3"] == pytest.approx(theirs["volume_mm3"], rel=0.01, abs=30)
        assert ours["diameter_mm"] == pytest.approx(theirs["diameter_mm"], abs=3)
        assert ours["centroid_ras_mm"] == pytest.approx(theirs["centroid_ras_mm"], abs=1)


def test_the_phantom_s_answer_is_that_of_inference(page: Page, tmp_path: Path) -> None:
    page.window.driver.get(page.address)
    assert "1 thread" in page.wait("ready")  # nobody has isolated the page yet
    page.window.run("document.getElementById('phantom').click()")
    page.wait("done")
    phases = {path.name.removesuffix(".nii.gz"): path for path in (PAGE / "phantom").glob("*.nii.gz")}
    assert len(phases) == 4
    assert_equal_answers(page, infer(tmp_path, phases))
    rows = page.window.run("return document.querySelectorAll('#rows tr').length")
    bars = page.window.run("return document.querySelectorAll('.bar').length")
    assert rows == len(page.read()[0]["lesions"]) > 0 and bars == 10
    addresses = [url for url in page.window.requests() if url.startswith(("http", "ws"))]
    assert addresses and all(url.startswith(page.address) for url in addresses)
    colours = page.window.run(
        "const canvas = document.getElementById('view'), gl = canvas.getContext('webgl2');"
        "return [canvas.width, canvas.height, gl !== null]"
    )
    assert colours[2] and min(colours[:2]) > 100
    if folder := os.environ.get("LIDIA_SCREENSHOTS"):
        page.window.driver.set_window_size(1240, 1500)
        time.sleep(2)
        page.window.driver.get_screenshot_as_file(str(Path(folder) / "browser.png"))


def test_it_works_without_a_server_and_with_one_phase(page: Page, tmp_path: Path) -> None:
    page.window.driver.get(page.address)
    page.wait("ready")
    ready = "return navigator.serviceWorker.ready.then((worker) => worker.active.state)"
    assert page.window.run(ready) in ("activating", "activated")
    page.server.shutdown()
    page.server.server_close()
    page.window.driver.get(page.address)
    page.wait("ready")
    assert page.window.run("return self.crossOriginIsolated")
    venous = PAGE / "phantom/venous.nii.gz"
    scan = tmp_path / "P1.nii.gz"
    image = nib.load(venous)
    # other order and direction of the axes than the network's
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(("S", "P", "L"))
    )
    turned = image.as_reoriented(turn)
    nib.save(nib.Nifti1Image(np.asarray(turned.dataobj), turned.affine), scan)
    page.give("#choose", scan)
    page.window.run("document.getElementById('run').click()")
    page.wait("done")
    assert_equal_answers(page, infer(tmp_path / "results", {"venous": scan}))


def test_wrong_files_are_named(page: Page, tmp_path: Path) -> None:
    page.window.driver.get(page.address)
    page.wait("ready")
    text = tmp_path / "scan_venous.nii"
    text.write_bytes(b"no volume" * 100)
    page.give("#choose", text)
    page.window.run("document.getElementById('run').click()")
    assert "scan_venous.nii" in page.wait("failed")
    first, second = tmp_path / "a_arterial.nii", tmp_path / "b_arterial.nii"
    for path in (first, second):
        path.write_bytes(b"")
    page.give("#choose", first, second)
    message = page.wait("failed")
    assert "a_arterial.nii" in message and "b_arterial.nii" in message
