"""The wheel: the files of a release, the command, and a folder that MONAI accepts as a bundle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOAD = """
import sys
from pathlib import Path
import monai.bundle
path = Path(sys.argv[1])
network = monai.bundle.load(path.name, bundle_dir=path.parent, device="cpu", workflow_type="inference")
print(type(network).__name__, sum(p.numel() for p in network.parameters()))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `pip install .` builds."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, which can stand on the import path."""
    folder = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(site: Path, cwd: Path, *words: str) -> Any:
    """Runs Python with the unpacked wheel on its path."""
    command, places = [sys.executable, *words], {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=cwd, env=places, capture_output=True, text=True, check=False)


def test_the_wheel_has_the_files_of_a_release(wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "release.py"), "--output_dir", str(tmp_path)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    with ZipFile(next(tmp_path.glob("*.zip"))) as archive:
        expected = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert content.keys() == expected.keys()
    assert content == expected
    assert "lidia_bundle/models/model.pt" in content


def test_the_metadata_describe_the_package(wheel: Path, bundle: Path) -> None:
    version = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))["version"]
    with ZipFile(wheel) as archive:
        files = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(files["METADATA"]).decode())
        entry_points = archive.read(files["entry_points.txt"]).decode()
        assert archive.read(files["LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert (metadata["Name"], metadata["Version"]) == ("lidia-bundle", version)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Research only" in metadata.get_payload()
    assert re.search(r"^lidia = ", entry_points, re.MULTILINE)


def test_the_ranges_hold_the_locked_versions() -> None:
    """The package asks for what `requirements.txt` pins, in ranges that contain the pins."""
    ranges = {re.sub("[-_.]+", "-", r.name.lower()): r for r in map(Requirement, PACKAGE["dependencies"])}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert set(ranges) == {name.lower() for name in pins}
    for name, number in pins.items():
        assert ranges[name.lower()].specifier.contains(number), name


def test_the_installed_command_names_a_bundle_that_monai_loads(installed: Path, tmp_path: Path) -> None:
    start = "import sys; sys.argv = ['lidia', 'info', '--json']; "
    start += f"from {PACKAGE['scripts']['lidia'].replace(':', ' import ')} as start; start()"
    process = run(installed, tmp_path, "-c", start)
    assert process.returncode == 0, process.stderr
    path = json.loads(process.stdout)["path"]
    assert Path(path) == installed / "lidia_bundle"
    process = run(installed, tmp_path, "-c", LOAD, path)
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.splitlines()[-1].startswith("LIDIA ")
