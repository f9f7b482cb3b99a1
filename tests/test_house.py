"""Rules of the code that no linter checks: lengths, names, layers, and the contents of configs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from config_names import config_files, leaves, read

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "lidia_bundle"
SOURCES = [
    path
    for folder in (BUNDLE / "scripts", ROOT / "experiments", ROOT / "tests")
    for path in sorted(folder.rglob("*.py"))
]
CONFIGS = config_files()
ENTRIES = [path for path in CONFIGS if path.parent == BUNDLE / "configs" and path.suffix == ".json"]
LAID_OVER = ("metadata.json", "multi_gpu_train.json", "multi_gpu_evaluate.json", "mlflow.json")
ENTRIES = [path for path in ENTRIES if path.name not in LAID_OVER]
HEADER = ("_comment", "bundle_root", "bootstrap")
FINDERS = ("bundle_root", "repository")
"""Keys whose one expression finds the folder, and may be long."""
PAGES = [ROOT / "README.md", *(BUNDLE / "docs").glob("*.md"), *(ROOT / "experiments").rglob("*.md")]
TOO_LONG = 300
BLOCK = 12
"""Leaves from which on a config block that stands in two files counts as pasted."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_holds_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines < TOO_LONG, f"{name(path)} has {lines} lines: split it"


def test_no_room_is_a_drawer() -> None:
    drawers = {"utils", "util", "misc", "common", "helpers", "helper", "tools"}
    result = [name(path) for path in SOURCES if drawers & set(path.relative_to(ROOT).with_suffix("").parts)]
    assert not result, "a helper lives with its only user or has a named home"


def test_nothing_is_left_open() -> None:
    text = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    result = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(word in line for word in text)
    ]
    assert not result


def test_floors() -> None:
    # In a process of its own: the linter disables all loggers that exist.
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    path = os.pathsep.join(str(ROOT / folder) for folder in ("lidia_bundle", "."))
    outcome = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_torch_load_is_used_in_two_places_without_unpickling_code() -> None:
    """Weights, and the cache, a floor below them."""
    calls = {name(path): re.findall(r"torch\.load\([^)]*\)", code_of(path)) for path in SOURCES}
    ours = {place: result for place, result in calls.items() if result and place.startswith("lidia_bundle")}
    assert sorted(Path(place).name for place in ours) == ["cache.py", "weights.py"]
    assert all("weights_only=True" in call for result in ours.values() for call in result)


def code_of(path: Path) -> str:
    """Source without strings and comments."""
    with tokenize.open(path) as file:
        remaining = [
            token.string
            for token in tokenize.generate_tokens(file.readline)
            if token.type not in (tokenize.STRING, tokenize.COMMENT)
        ]
    return "".join(remaining)


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_expressions_are_short_and_plain(path: Path) -> None:
    for key, value in leaves(read(path)):
        if not (isinstance(value, str) and value.startswith("$")):
            continue
        assert len(value) <= 80 or key in FINDERS, (
            f"{name(path)} {key}: {len(value)} characters: write a factory"
        )
        assert "lambda" not in value, f"{name(path)} {key}: no lambda in a config"
        both = re.search(r"\bimport\b|__import__", value) and "@" in value
        assert not both, f"{name(path)} {key}: `import` with an `@` reference is a SyntaxError in MONAI"


@pytest.mark.parametrize("path", ENTRIES, ids=name)
def test_every_config_carries_the_same_header(path: Path) -> None:
    mine, first = read(path), read(ENTRIES[0])
    for key in HEADER:
        assert mine.get(key) == first[key], f"{name(path)}: {key} differs from {ENTRIES[0].name}'s"
    common = first["imports"][:4]
    assert mine["imports"][:4] == common
    assert "@bootstrap" in json.dumps(mine["initialize"])


def blocks(node: Any, key: str = "") -> list[tuple[str, str]]:
    """(key, content) of every dict in a config that is large enough to be called pasted."""
    collected = []
    if isinstance(node, dict) and key and len(list(leaves(node))) >= BLOCK:
        collected.append((key, json.dumps(node, sort_keys=True)))
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for part, value in children:
        collected += blocks(value, f"{key}#{part}" if key else str(part))
    return collected


def test_no_config_block_is_repeated() -> None:
    places = defaultdict(list)
    for path in CONFIGS:
        for key, content in blocks(read(path)):
            if key == "network_def":  # stands in three files; tests/test_configs.py compares them
                continue
            places[content].append(f"{path.name}:{key}")
    twice = [where for where in places.values() if len(where) > 1]
    assert not twice, "the same long block in several places: make it a factory"


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_every_config_is_named_in_the_documents(path: Path) -> None:
    record = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert path.name in record, f"no page names {path.name}"


def test_readme_fits_a_screen_or_three() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150


def test_links_in_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{name(page)}: {target} is not there"


PIN = re.compile(r"([A-Za-z0-9._-]+)==([0-9.]+(?:\.?post\d+)?)( ;.*)?")


RANGE = "monailabel>=0.8.5,<0.9"
"""Its mended versions are welcome; which one is installed stands in the locked file."""


def pins(file: str) -> dict[str, str]:
    """Versions by package; every line that names one has to pin it, but for the range in RANGE."""
    collected = {}
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        text = line.removesuffix(" \\")
        if text and text != RANGE and not text.startswith(("#", "-r", "    --hash=sha256:")):
            pinned = PIN.fullmatch(text)
            assert pinned, f"{file}: {text} is not pinned"
            package = re.sub(r"[._-]+", "-", pinned[1].lower())
            collected[package + (pinned[3] or "")] = pinned[2]
    return collected


def test_what_is_pinned_is_locked_by_hashes() -> None:
    """`make lock` makes the locked files anew; torch alone is left to whoever builds it."""
    expected, reference = {}, {}
    for kind in ("", "-dev"):
        expected |= pins(f"requirements{kind}.txt")
        more = pins(f"requirements{kind}.lock")
        assert not reference.keys() & more.keys(), "a package stands in one locked file"
        reference |= more
    label, supply = pins("requirements-label.txt"), pins("requirements-supply.txt")
    locked = pins("requirements-label.lock")
    assert (0, 8, 5) <= tuple(int(part) for part in locked.pop("monailabel").split(".")) < (0, 9)
    assert RANGE in (ROOT / "requirements-label.txt").read_text(encoding="utf-8").splitlines()
    assert supply and locked == label
    assert "torch" not in reference and not [
        name for name in reference if name.startswith(("nvidia", "cuda"))
    ]
    del expected["torch"]
    assert {name: reference.get(name) for name in expected} == expected, "make lock"
    for file in ("requirements.lock", "requirements-dev.lock", "requirements-label.lock"):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert "://" not in text, f"{file} names an address"
        for entry in re.split(r"\n(?=\S)", text):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"{file}: {entry[:60]} has no hash"


def test_metadata_names_the_pins() -> None:
    reference, metadata = pins("requirements.txt"), read(BUNDLE / "configs/metadata.json")
    assert reference["monai"] == metadata["monai_version"]
    assert reference["torch"] == metadata["pytorch_version"]
    assert reference["numpy"] == metadata["numpy_version"]
    for package, version in metadata["required_packages_version"].items():
        assert reference[package] == version, (
            f"{package}: {version} here, {reference[package]} in requirements.txt"
        )


def test_the_licence_is_in_both_places() -> None:
    assert (ROOT / "LICENSE").read_bytes() == (BUNDLE / "LICENSE").read_bytes()


def test_the_demo_s_patient_is_in_the_test_section() -> None:
    from scripts.lidia.phantom.write_cohort import split_cases

    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    cases = re.search(r"phantom\.json .*--cases (\d+)", text)
    patient = re.search(r"DEMO_ID := internal_\$\(DEMO_SEED\)_(\d+)", text)
    assert cases and patient
    sections = split_cases(int(cases[1]))
    assert int(patient[1]) == sections["test"][0]
    assert f"{len(sections['training'])} patients of the largest section" in text
