"""The map from the paper to the code tells the truth."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "lidia_bundle"
PAGE = (BUNDLE / "docs/equations.md").read_text(encoding="utf-8")
LINES = [line.strip("|") for line in PAGE.splitlines() if line.startswith("|")]
ROWS = [[cell.strip() for cell in line.split("|")] for line in LINES]
MAP = [row for row in ROWS if len(row) == 5 and row[3].startswith("`")]


def label(row: list[str]) -> str:
    return row[0]


def test_every_equation_and_idea_is_there() -> None:
    known = {row[0] for row in MAP}
    ideas = {"memory bank", "L_seg", "foreground-enhanced sampling", "L_focal", "semantic map", "LiverMax"}
    assert known >= {f"Eq. {number}" for number in range(1, 7)} | ideas


@pytest.mark.parametrize("row", MAP, ids=label)
def test_the_module_holds_the_name_and_says_the_equation(row: list[str]) -> None:
    words, _, name, file, _ = (cell.strip("`") for cell in row)
    tree = ast.parse((BUNDLE / "scripts/lidia" / file).read_text(encoding="utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    there = [node for node in named if node.name == name]
    assert there, f"{file} has no {name}"
    assert ast.get_docstring(there[0]), f"{name} has no docstring"
    said = re.sub(r"\s+", " ", f"{ast.get_docstring(tree)} {ast.get_docstring(there[0])}").lower()
    assert words.lower() in said, f"neither {file} nor {name} says '{words}'"


@pytest.mark.parametrize("row", MAP, ids=label)
def test_the_test_is_there_and_is_about_it(row: list[str]) -> None:
    name, test = row[2].strip("`"), row[4].strip("`")
    text = (ROOT / test).read_text(encoding="utf-8")
    module = "scripts.lidia." + row[3].strip("`").removesuffix(".py").replace("/", ".")
    assert name in text or module in text, f"{test} is not about {name}"
    assert re.search(r"^def test_", text, re.MULTILINE)


def test_every_file_named_is_there() -> None:
    for row in ROWS:
        for file in re.findall(r"`([a-z_/]+\.py)`", "|".join(row)):
            places = (BUNDLE / "scripts/lidia" / file, ROOT / file)
            assert any(place.is_file() for place in places), f"{file} is not there"
