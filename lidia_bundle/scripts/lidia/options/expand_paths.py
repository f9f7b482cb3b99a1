"""Expands `~` and `~user` in paths and checks output folders."""

from __future__ import annotations

import os
from pathlib import Path


def check_writable(folder: str) -> None:
    """Checks that a folder can be created and written, without creating it.

    Args:
        folder: a path; the folder may not exist yet.

    Raises:
        ValueError: if a file has this path, or the permissions are missing.
    """
    place = Path(folder).absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"another folder: {place} is a file")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(f"another folder: {place} cannot be written")


def expand_home(path: str | os.PathLike[str]) -> str:
    """Replaces a leading `~` or `~user` by the home folder; other paths stay unchanged.

    Raises:
        ValueError: if the path begins with `~` and the home folder does not exist.
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)
    if text.startswith("~") and expanded == text and not Path(text).exists():
        user = text.split("/", 1)[0]
        reason = "the variable HOME is not set" if user == "~" else f"there is no user {user[1:]}"
        raise ValueError(f"a path without ~, or ./{text} for a name that begins with ~: {reason}")
    return expanded
