"""The map from the paper to the code names code and tests that exist and belong together."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
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


def module_of(row: list[str]) -> str:
    return "scripts.lidia." + row[3].strip("`").removesuffix(".py").replace("/", ".")


def functions_of(tree: ast.Module) -> dict[str, ast.AST]:
    """Functions and classes of a module by name."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds)}


def names_read(node: ast.AST) -> set[str]:
    """Names that a piece of code reads; parameters count, as pytest passes fixtures by name."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return names | {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}


def names_used_by_tests(tree: ast.Module) -> set[str]:
    """Names that the tests of a module read, directly or through helpers and fixtures of the module."""
    helpers = functions_of(tree)
    waiting = [name for name in helpers if name.startswith("test_")]
    names: set[str] = set()
    visited: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in visited:
            continue
        visited.add(name)
        names |= names_read(helpers[name])
        waiting += [other for other in names if other in helpers]
    return names


def imports_from(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Imported name and its local name, for each import from a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)


def test_every_equation_and_idea_is_there() -> None:
    labels = {row[0] for row in MAP}
    ideas = {"memory bank", "L_seg", "foreground-enhanced sampling", "L_focal", "semantic map", "LiverMax"}
    assert labels >= {f"Eq. {number}" for number in range(1, 7)} | ideas


@pytest.mark.parametrize("row", MAP, ids=label)
def test_the_module_defines_the_name_with_a_docstring(row: list[str]) -> None:
    symbol = getattr(importlib.import_module(module_of(row)), row[2].strip("`"))
    assert symbol.__module__ == module_of(row)
    assert symbol.__doc__


@pytest.mark.parametrize("row", [row for row in MAP if row[0].startswith("Eq. ")], ids=label)
def test_an_equation_is_found_by_its_number(row: list[str]) -> None:
    module = importlib.import_module(module_of(row))
    assert row[0] in f"{module.__doc__} {getattr(module, row[2].strip('`')).__doc__}"


@pytest.mark.parametrize("row", MAP, ids=label)
def test_the_named_test_exercises_the_named_code(row: list[str]) -> None:
    name, test = row[2].strip("`"), row[4].strip("`")
    tree = ast.parse((ROOT / test).read_text(encoding="utf-8"))
    local_names = {local for imported, local in imports_from(tree, module_of(row)) if imported == name}
    assert local_names & names_used_by_tests(tree), f"no test of {test} uses {name}"


def test_names_used_by_tests_follows_helpers_and_skips_unused_code() -> None:
    tree = ast.parse(
        "def test_a():\n    make()\ndef make():\n    return Used()\ndef other():\n    Unused()\n"
    )
    assert names_used_by_tests(tree) == {"make", "Used"}


def test_every_file_named_is_there() -> None:
    for row in ROWS:
        for file in re.findall(r"`([a-z_/]+\.py)`", "|".join(row)):
            candidates = (BUNDLE / "scripts/lidia" / file, ROOT / file)
            assert any(path.is_file() for path in candidates), f"{file} is not there"
