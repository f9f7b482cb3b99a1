"""Finds the name that a misspelt one may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches


def find_nearest(name: str, names: Sequence[str]) -> str:
    """Finds the most similar name, ignoring case, `-` and `_`, or one that begins so; "" if there is none."""
    normalized = {re.sub(r"[\W_]", "", candidate).lower(): candidate for candidate in reversed(names)}
    text = re.sub(r"[\W_]", "", name).lower()
    matches = get_close_matches(text, normalized, n=1, cutoff=0.6)
    if not matches and len(text) > 2:
        matches = [candidate for candidate in normalized if candidate.startswith(text)]
    return normalized[matches[0]] if matches else ""
