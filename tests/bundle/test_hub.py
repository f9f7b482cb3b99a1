"""The folder for the Hugging Face Hub: its card, and a download by MONAI from a local stand-in of the Hub."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from bundle.hub_server import TAG, HubHandler
from training.toys import write_patient

INFERENCE = """
import torch
from pathlib import Path
from monai.bundle import create_workflow, download, load
download("lidia_bundle", source="huggingface_hub", repo="someone/lidia", bundle_dir="bundles", progress=False)
network = load("lidia_bundle", bundle_dir="bundles", device="cpu", workflow_type="inference").eval()
with torch.no_grad():
    shape = list(network(torch.zeros(1, 4, 32, 32, 16)).shape)
phases = json.loads(sys.argv[1])
workflow = create_workflow(
    config_file="bundles/lidia_bundle/configs/inference.json", workflow_type="infer", logging_file=False,
    output_dir="results", case_id="P1", spacing=[4, 4, 4], roi_size=[48, 48, 48], **phases)
workflow.run()
files = [path.relative_to("bundles/lidia_bundle").as_posix() for path in Path("bundles").rglob("*")
         if path.is_file() and ".cache" not in path.parts and "__pycache__" not in path.parts]
print(json.dumps({"shape": shape, "result": json.loads(Path("results/P1.json").read_text()), "files": files}))
"""


def write_hub(bundle: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(bundle.parent / "hub.py"), "--folder", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make hub` writes."""
    folder = tmp_path_factory.mktemp("hub") / "lidia"
    process = write_hub(bundle, folder, "--repo", "someone/lidia")
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A Hub of this one repository, named by the environment; gives the paths that were requested."""
    handler = type("Handler", (HubHandler,), {"folder": folder, "requested": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        yield handler.requested
        server.shutdown()


@pytest.mark.slow
def test_monai_downloads_loads_and_runs_it(
    hub: list[str], stranger: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    item = write_patient(tmp_path / "scans", 0)
    phases = {phase: str(tmp_path / "scans" / name) for phase, name in item["phases"].items()}
    result = stranger(INFERENCE, json.dumps(phases), preloaded=False)
    assert result["shape"] == [1, 10, 32, 32, 16]
    assert result["result"]["id"] == "P1"
    assert result["result"]["versions"]["weights_sha256"] != "none"
    expected = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(result["files"]) == expected
    assert f"/api/models/someone/lidia/revision/{TAG}" in hub, "the newest tag is taken"


def test_it_holds_the_files_of_a_release(folder: Path, release: Path) -> None:
    with ZipFile(release) as archive:
        names = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    for name, content in names.items():
        assert (folder / name).read_bytes() == content, name
    others = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - set(
        names
    )
    assert others == {"README.md", ".gitattributes"}


def test_the_front_matter_is_read_by_the_hub_s_library(bundle: Path, folder: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name) == ("apache-2.0", "monai")
    assert {"monai", "ct", "liver"} <= set(card.data.tags)
    metrics = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))["eval_metrics"]
    values = {
        f"{result.metric_name}_synthetic_{'internal' if 'internal' in result.dataset_name else 'external'}": (
            result.metric_value
        )
        for result in card.data.eval_results
    }
    assert values == metrics
    assert all("synthetic" in result.dataset_name for result in card.data.eval_results)
    assert 'repo="someone/lidia"' in card.text
    assert "not for diagnosis" in card.text


def test_all_links_and_pictures_of_the_card_are_in_the_folder(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:|#", t)]
    assert any(target.endswith(".png") for target in targets)
    assert [t for t in targets if not (folder / posixpath.normpath(t)).exists()] == []


def test_a_wrong_repository_name_is_refused(bundle: Path, tmp_path: Path) -> None:
    process = write_hub(bundle, tmp_path / "out", "--repo", "lidia")
    assert process.returncode == 1
    assert "OWNER/NAME" in process.stderr
    assert not (tmp_path / "out").exists()
