"""Text files of users: UTF-8, with or without a byte-order mark; anything else is named."""

from __future__ import annotations

import codecs
from pathlib import Path

WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Reads a file that a user wrote, without its byte-order mark.

    Args:
        path: JSON, CSV or YAML.

    Raises:
        UnicodeDecodeError: it is UTF-16, as some editors on Windows write it, or no text.
    """
    content = path.read_bytes()
    if content.startswith(WIDE) or b"\0" in content[:4]:
        raise UnicodeDecodeError("utf-8", content[:4], 0, 2, "the file is UTF-16; save it as UTF-8")
    return content.decode("utf-8-sig")
