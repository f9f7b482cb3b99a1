"""A file is whole or not there: written beside its place under another name, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = ".writing-"


@contextmanager
def write_atomically(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[Path]:
    """Gives a name in the same folder to write to; on success that file takes the place of `path`.

    The name keeps all endings of `path` (`.nii.gz` tells writers what to do). On failure nothing is left
    behind, and after a kill the old file still stands.

    Args:
        path: the file to be written; its folder is made.
        sync: wait until it lies on the disk: a power cut then leaves the old file or the new one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{MARK}{os.getpid()}-{path.name}")
    try:
        yield beside
        if sync:
            with beside.open("rb") as file:
                os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text as UTF-8, whole or not at all; what is no character is written as its escape."""
    with write_atomically(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = 1) -> None:
    """Writes JSON, whole or not at all.

    Raises:
        ValueError: a number is not finite, for which JSON has no word.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def remove_stale_files(folder: str | os.PathLike[str]) -> None:
    """Removes what killed writers left behind in `folder`; a writer that still runs keeps its file."""
    for path in Path(folder).glob(f"{MARK}*"):
        process = path.name[len(MARK) :].split("-")[0]
        if not Path(f"/proc/{process}").exists():
            path.unlink(missing_ok=True)
