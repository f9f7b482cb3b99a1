"""What a foreign config would run: MONAI evaluates its `$` expressions and calls what `_target_` names.

Reading a config with `monai.bundle` runs code of whoever wrote it. This lists that code without running any.
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
OURS = ("scripts.lidia.", "monai.", "ignite.", "torch.", "copy.")
"""What a config of this bundle calls; MONAI also finds its own names without a dot."""


class Found(NamedTuple):
    """Something that runs."""

    place: str
    """Keys that lead to it, joined by `#`."""
    kind: str
    """`expression`, `call` or `macro` (another file that is read)."""
    text: str
    foreign: bool
    """Whether it is an expression, or calls what is neither the bundle's nor of the libraries in OURS."""


def expressions(file: str | Path) -> list[Found]:
    """All that a config would run or read, in the order of the file.

    Args:
        file: a JSON or YAML config.

    Raises:
        CaseError: the file cannot be read as one.
    """
    path = Path(file)
    try:
        text = read_text(path)
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as problem:
        remedy = "name a JSON or YAML config"
        raise CaseError(
            "config", str(path), f"it cannot be read ({problem})", remedy, "bad_config"
        ) from problem
    return list(_walk(content, ""))


def _walk(part: Any, place: str) -> Iterator[Found]:
    if isinstance(part, dict):
        for key, value in part.items():
            here = f"{place}#{key}" if place else str(key)
            if key == "_target_":
                name = str(value)
                yield Found(here, "call", name, "." in name and not name.startswith(OURS))
            else:
                yield from _walk(value, here)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _walk(value, f"{place}#{number}")
    elif isinstance(part, str) and part.startswith("$"):
        yield Found(place, "expression", part, True)
    elif isinstance(part, str) and part.startswith("%") and "::" in part:
        yield Found(place, "macro", part, ".json" in part or ".yaml" in part)


def list_expressions(config: str | Path | None) -> list[Found]:
    """Logs all that a config would run, with a mark before what a reader should look at.

    Args:
        config: the file.

    Raises:
        CaseError: no file is named, or it cannot be read.
    """
    if config is None:
        raise CaseError("config", "", "no config is named", "add --config FILE", "missing")
    found = expressions(config)
    lines = [f"{'!' if one.foreign else ' '} {one.kind:10} {one.place}: {one.text}" for one in found]
    told = "\n".join(lines) or "nothing"
    logger.info("%s would run, if MONAI read it:\n%s", config, told)
    return found
