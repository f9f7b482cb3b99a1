"""The zoo's code style: isort, black and flake8 as its `runtests.sh --autofix` and `--codeformat` run them.

Two settings contradict the house's: lines are filled up to 120 characters, not 110, and `scripts` stands
among the third-party imports. Both are layout alone: a copy is laid out so, as `--autofix` would do it.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ISORT = ["isort", "--settings-path", ".", "--profile", "black", "--line-length", "120", "-p", "models"]
BLACK = ["black", "--config", "empty.toml", "--line-length", "120", "--skip-magic-trailing-comma"]
BLACK += ["-t", "py37", "-t", "py38", "-t", "py39"]
FLAKE8 = ["flake8", "--isolated", "--max-line-length", "120", "--select", "B,C,E,F,N,P,T4,W,B9"]
FLAKE8 += ["--ignore", "E203,E501,E741,W503,W504,C408,N812,B023,B905,B028,B907,C419"]
FLAKE8 += ["--per-file-ignores", "__init__.py:F401,__main__.py:F401"]


def tool(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs one of the tools on `models` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", *command, "models"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def formatted(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the zoo's with the bundle's code in it, laid out by isort and black."""
    folder = tmp_path_factory.mktemp("zoo")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(bundle / "scripts", folder / "models/lidia_bundle/scripts", ignore=ignore)
    (folder / "empty.toml").write_text("", encoding="utf-8")
    for command in (ISORT, BLACK):
        process = tool(command, folder)
        assert process.returncode == 0, process.stderr
    return folder


def meaning(path: Path) -> tuple[list[str], str]:
    """A file's imports in any order, and the rest of its syntax."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = (ast.Import, ast.ImportFrom)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, places)]
    rest = [ast.dump(node) for node in tree.body if not isinstance(node, places)]
    return sorted(imports), "\n".join(rest)


def test_isort_and_black_change_nothing_twice(formatted: Path) -> None:
    for command in (ISORT, BLACK):
        process = tool([*command, "--check"], formatted)
        assert process.returncode == 0, process.stderr


def test_formatting_changes_layout_alone(bundle: Path, formatted: Path) -> None:
    files = sorted((bundle / "scripts").rglob("*.py"))
    assert files
    for path in files:
        assert meaning(path) == meaning(formatted / "models/lidia_bundle" / path.relative_to(bundle)), path


def test_flake8_finds_nothing(formatted: Path) -> None:
    process = tool(FLAKE8, formatted)
    assert process.returncode == 0, process.stdout + process.stderr
