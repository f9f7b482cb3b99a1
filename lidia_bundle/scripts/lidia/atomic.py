"""Write files atomically: under a temporary name in the same folder, then renamed."""

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
    """Provides a temporary path in the same folder; on success that file replaces `path`.

    The temporary name keeps all extensions of `path`, since writers choose the format by them (`.nii.gz`). On
    failure no file remains, and after a kill the old file is unchanged.

    Args:
        path: the file to write; its folder is created.
        sync: wait until the data are on the disk, so that a power failure leaves either the old or the new
            file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{MARK}{os.getpid()}-{path.name}")
    try:
        yield temporary
        if sync:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text atomically as UTF-8; lone surrogates are escaped."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = 1) -> None:
    """Writes JSON atomically.

    Raises:
        ValueError: a number is not finite; JSON cannot express it.
    """
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def remove_stale_files(folder: str | os.PathLike[str]) -> None:
    """Removes temporary files of killed processes from `folder`; files of running processes stay."""
    for path in Path(folder).glob(f"{MARK}*"):
        process = path.name[len(MARK) :].split("-")[0]
        if not Path(f"/proc/{process}").exists():
            path.unlink(missing_ok=True)
