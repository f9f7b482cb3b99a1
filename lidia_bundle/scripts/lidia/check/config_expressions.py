"""Lists the code that a config would run: `$` expressions, `_target_` calls and macros.

MONAI runs such code when it reads a config. This module lists it without running any.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scripts.lidia.datalist.case_error import CaseError
from scripts.lidia.datalist.read_text_file import read_text

logger = logging.getLogger("lidia.check")
TRUSTED_PREFIXES = ("scripts.lidia.", "monai.", "ignite.", "torch.", "copy.")
"""Prefixes of trusted targets; MONAI also resolves its own names without a dot."""


class ConfigCode(NamedTuple):
    """A value of a config that MONAI would run or read."""

    place: str
    """Keys that lead to the value, joined by `#`."""
    kind: str
    """`expression`, `call` or `macro` (another file that is read)."""
    text: str
    foreign: bool
    """Whether it is an expression, or a call outside TRUSTED_PREFIXES."""


def find_expressions(file: str | Path) -> list[ConfigCode]:
    """Returns everything that a JSON or YAML config would run or read, in the order of the file.

    Raises:
        CaseError: if the file cannot be read as a config.
    """
    path = Path(file)
    try:
        text = read_text(path)
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as problem:
        words, remedy = f"it cannot be read ({problem})", "give a JSON or YAML config"
        raise CaseError("config", str(path), words, remedy, "bad_config") from problem
    return list(_walk(content, ""))


def _walk(part: Any, place: str) -> Iterator[ConfigCode]:
    if isinstance(part, dict):
        for key, value in part.items():
            here = f"{place}#{key}" if place else str(key)
            if key == "_target_":
                name = str(value)
                yield ConfigCode(here, "call", name, "." in name and not name.startswith(TRUSTED_PREFIXES))
            else:
                yield from _walk(value, here)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _walk(value, f"{place}#{number}")
    elif isinstance(part, str) and part.startswith("$"):
        yield ConfigCode(place, "expression", part, True)
    elif isinstance(part, str) and part.startswith("%") and "::" in part:
        yield ConfigCode(place, "macro", part, ".json" in part or ".yaml" in part)


def list_expressions(config: str | Path | None) -> list[ConfigCode]:
    """Logs all code that a config would run; `!` marks the entries that a reader should check.

    Raises:
        CaseError: if no file is given, or it cannot be read.
    """
    if config is None:
        raise CaseError("config", "", "no config is given", "add --config FILE", "missing")
    references = find_expressions(config)
    lines = [
        f"{'!' if reference.foreign else ' '} {reference.kind:10} {reference.place}: {reference.text}"
        for reference in references
    ]
    listing = "\n".join(lines) or "nothing"
    logger.info("code that MONAI would run when it reads %s:\n%s", config, listing)
    return references
