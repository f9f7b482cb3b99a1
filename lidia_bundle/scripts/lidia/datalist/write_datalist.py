"""Writes datalists atomically, with paths relative to the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import write_atomically
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.read_item import MASKS


def write_datalist(
    path: str | Path, sections: Mapping[str, Sequence[Mapping[str, Any]]], **about: Any
) -> Path:
    """Writes a datalist and reads it back to validate it.

    Args:
        path: the JSON file to write; its folder is created if it does not exist.
        sections: items by section, e.g. `{"training": [...]}`; files inside the list's folder are written as
            relative paths, so that the folder stays valid when it is moved.
        about: further top-level keys, e.g. `description`, `seed`.

    Returns:
        The absolute path of the file.

    Raises:
        CaseError: if the sections are not a valid list (for example a case twice or an unknown phase).
    """
    path = Path(path).absolute()
    content = {
        **about,
        **{name: [_use_relative_paths(i, path.parent) for i in items] for name, items in sections.items()},
    }
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        read_sections(temporary)
    return path


def _use_relative_paths(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    written = dict(item)
    if "phases" in item:
        written["phases"] = {phase: _relative(file, folder) for phase, file in item["phases"].items()}
    for key in ("image", *MASKS):
        if isinstance(item.get(key), str | Path):
            written[key] = _relative(item[key], folder)
    return written


def _relative(file: str | Path, folder: Path) -> str:
    file = Path(file)
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
