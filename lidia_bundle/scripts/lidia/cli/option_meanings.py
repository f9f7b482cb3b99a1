"""Finds the meaning of each option of a config in the docstrings of the components that receive it.

Nothing is imported: docstrings are read from the syntax trees of the files, so that a help text takes
milliseconds instead of the seconds that torch and MONAI need to load.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = "scripts.lidia."
BACKTICKS = re.compile(r"`(\w+)`")
MAX_STEPS = 4
"""Largest number of aliases and forwarded arguments that are followed."""


def find_meanings(config: Mapping[str, Any]) -> dict[str, str]:
    """Finds the meanings of the keys of a config that its components receive as arguments.

    A component receives a key if one of its arguments is exactly `@key`. The first component with a
    description of the argument counts, in the order of the config.

    Args:
        config: content of a config file.

    Returns:
        Description of the argument in the docstring, in one line, by key.
    """
    meanings: dict[str, str] = {}
    for target, argument, key in _iterate_references(config):
        if key in config and key not in meanings and target.startswith(ROOT):
            module, _, name = target.removeprefix(ROOT).rpartition(".")
            meaning = _describe_argument(module, name, argument, MAX_STEPS)
            if meaning:
                meanings[key] = meaning
    return meanings


def _iterate_references(part: Any) -> Iterator[tuple[str, str, str]]:
    """Yields target, argument and key for each argument of a component that is a reference to a key."""
    if isinstance(part, Mapping):
        target = part.get("_target_")
        for name, value in part.items():
            if isinstance(target, str) and isinstance(value, str) and value[:1] == "@":
                yield target, name, value[1:]
            else:
                yield from _iterate_references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _iterate_references(value)


@cache
def _parse(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])


def _find_definition(tree: ast.Module, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    definitions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return next((node for node in definitions if node.name == name), None)


def _describe_argument(module: str, name: str, argument: str, steps: int) -> str:
    """Returns the description of an argument; "" if the docstrings do not have it."""
    if steps == 0:
        return ""
    node = _find_definition(_parse(module), name)
    if node is None:
        origin = _find_origin(module, name)
        return _describe_argument(*origin, argument, steps - 1) if origin else ""
    entries = parse_arguments(ast.get_docstring(node) or "")
    text = entries.get(argument, "")
    if text and not text.startswith("see `"):
        return text
    forwarded = text or next((entry for key, entry in entries.items() if key.startswith("**")), "")
    for other in BACKTICKS.findall(forwarded):
        meaning = _describe_argument(module, other, argument, steps - 1)
        if meaning:
            return meaning
    return text


def _find_origin(module: str, name: str) -> tuple[str, str] | None:
    """Returns module and name behind an import, or behind an alias such as `name = defer(function)`."""
    for node in _parse(module).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOT):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return (node.module or "").removeprefix(ROOT), alias.name
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
            arguments = [part.id for part in node.value.args if isinstance(part, ast.Name)]
            if name in targets and arguments:
                return module, arguments[0]
    return None


def parse_arguments(docstring: str) -> dict[str, str]:
    """Parses the section Args of a docstring in google style.

    Args:
        docstring: without indentation, as `ast.get_docstring` returns it.

    Returns:
        Description of each argument in one line, without its final full stop.
    """
    match = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, re.MULTILINE)
    if match is None:
        return {}
    entries: dict[str, str] = {}
    name = ""
    for line in match[1].splitlines():
        start = re.match(r"    (\*{0,2}\w+)(?: \([^)]*\))?: (.*)", line)
        if start:
            name = start[1]
            entries[name] = start[2]
        elif name and line.strip():
            entries[name] += " " + line.strip()
    return {name: text.strip().removesuffix(".") for name, text in entries.items()}
