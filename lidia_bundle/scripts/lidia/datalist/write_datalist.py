"""Writing lists of cases: paths relative to the file, written beside and renamed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lidia.atomic import replacing
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.read_item import MASKS


def write_datalist(
    path: str | Path, sections: Mapping[str, Sequence[Mapping[str, Any]]], **about: Any
) -> Path:
    """Writes a list of cases and reads it back.

    Args:
        path: the JSON file to write; its folder is made if need be.
        sections: items by section, e.g. `{"training": [...]}`; files within the list's folder are written as
            relative paths, so that the folder can be moved.
        about: further top-level keys, e.g. `description`, `seed`.

    Returns:
        The absolute path of the file.

    Raises:
        CaseError: if the sections are no valid list (a case twice, an unknown phase, ...).
    """
    path = Path(path).absolute()
    content = {
        **about,
        **{name: [_portable(i, path.parent) for i in items] for name, items in sections.items()},
    }
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        read_sections(beside)
    return path


def _portable(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
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
