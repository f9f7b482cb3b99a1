"""Reads text files of users as UTF-8, with or without a byte-order mark; other encodings are an error."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from scripts.lidia.datalist.case_error import CaseError

WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Reads a text file of a user and removes its byte-order mark.

    Raises:
        UnicodeDecodeError: if it is UTF-16, as some editors on Windows write it, or not text.
    """
    content = path.read_bytes()
    if content.startswith(WIDE) or b"\0" in content[:4]:
        raise UnicodeDecodeError("utf-8", content[:4], 0, 2, "the file is UTF-16; save it as UTF-8")
    return content.decode("utf-8-sig")


def read_json(path: Path, *, missing: str) -> Any:
    """Reads a JSON file of a user.

    Args:
        path: the file.
        missing: remedy of the error for a missing file.

    Raises:
        CaseError: if it does not exist, is not text or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except FileNotFoundError as error:
        raise CaseError("datalist", str(path), "there is no such file", missing, "missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        remedy = "correct the file at this line"
        raise CaseError("datalist", str(path), f"not JSON: {error}", remedy, "bad_json") from error
