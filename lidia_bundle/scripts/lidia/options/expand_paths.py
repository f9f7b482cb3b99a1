"""The one place where `~` and `~user` in a path become a folder."""

from __future__ import annotations

import os
from pathlib import Path


def check_writable(folder: str) -> None:
    """Looks whether a folder can be made and written; nothing is made.

    Args:
        folder: a path, perhaps of a folder that is not there yet.

    Raises:
        ValueError: a file lies where the folder should be, or the rights are missing.
    """
    place = Path(folder).absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"another folder: {place} is a file")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(f"another folder: {place} cannot be written")


def expand(path: str | os.PathLike[str]) -> str:
    """Gives a path in which a leading `~` or `~user` is replaced by the home folder; all else stays as it is.

    Args:
        path: as the user wrote it.

    Raises:
        ValueError: the path begins with `~`, and there is no such home folder.
    """
    text = os.fspath(path)
    whole = os.path.expanduser(text)
    if text.startswith("~") and whole == text and not Path(text).exists():
        user = text.split("/", 1)[0]
        what = "the variable HOME is not set" if user == "~" else f"there is no user {user[1:]}"
        raise ValueError(f"a path without ~, or ./{text} for a name that begins with ~: {what}")
    return whole
