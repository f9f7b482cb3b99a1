"""The one place where `~` and `~user` in a path become a folder."""

from __future__ import annotations

import os
from pathlib import Path


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
