"""Write files atomically: under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

MARK = ".writing-"
HOST = sha256(platform.node().encode()).hexdigest()[:8]
"""Short name of this machine: machines and containers that share a folder have equal process numbers."""
TEMPORARY = re.compile(rf"{re.escape(MARK)}(\d+)@([0-9a-f]+)-(.+)", re.DOTALL)
"""Temporary name: number of the process, machine, final name."""


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
    temporary = path.with_name(f"{MARK}{os.getpid()}@{HOST}-{path.name}")
    try:
        yield temporary
        if sync:
            with temporary.open("r+b") as file:  # Windows flushes only what is open for writing
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
    """Removes temporary files of killed processes of this machine; files of running processes stay.

    Systems without `/proc`, such as macOS and Windows, do not show which processes run; there all files stay.
    """
    if not Path("/proc/self").exists():
        return
    for path in Path(folder).glob(f"{MARK}*"):
        name = TEMPORARY.fullmatch(path.name)
        if name and name[2] == HOST and not Path(f"/proc/{name[1]}").exists():
            path.unlink(missing_ok=True)


def remove_temporary_files(folder: str | os.PathLike[str], names: Collection[str]) -> None:
    """Removes the temporary files of all machines for files that only the caller writes.

    Args:
        folder: folder of the files; it need not exist.
        names: final names of the files.
    """
    for path in Path(folder).glob(f"{MARK}*"):
        name = TEMPORARY.fullmatch(path.name)
        if name and name[3] in names:
            path.unlink(missing_ok=True)
