"""The files that the model zoo requires, and none that it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FILES = ("LICENSE", "configs/metadata.json", "configs/inference.json", "models/model.pt")
"""Those that the zoo's check names; it has a list of bundles that it lets off, and we are not on it."""
PAGES = ("docs/README.md", "docs/data_license.txt")
"""Those that its contributors' page asks for."""
LARGEST = 25 * 2**20
"""Bytes of a file from which on the zoo wants a link in `large_files.yml` instead."""


@pytest.mark.parametrize("name", FILES + PAGES)
def test_a_bundle_has_its_required_files(bundle: Path, name: str) -> None:
    assert (bundle / name).stat().st_size > 0


def test_no_file_is_so_large_that_it_must_be_a_link(bundle: Path) -> None:
    sizes = {path: path.stat().st_size for path in bundle.rglob("*") if path.is_file()}
    assert max(sizes.values()) <= LARGEST, max(sizes, key=sizes.__getitem__)
    assert not list(bundle.glob("large_files.*"))


def test_the_version_is_the_latest_of_both_changelogs(bundle: Path) -> None:
    metadata = json.loads((bundle / "configs/metadata.json").read_text(encoding="utf-8"))
    record = re.findall(r"^## ([0-9.]+)$", (bundle.parent / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert list(metadata["changelog"]) == record
    newest = max(record, key=lambda text: [int(part) for part in text.split(".")])
    assert metadata["version"] == record[0] == newest


def test_json_has_the_format_of_the_zoo_s_hook(bundle: Path) -> None:
    for path in [*bundle.glob("configs/**/*.json"), *bundle.glob("models/*.json")]:
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=4) + "\n", path
