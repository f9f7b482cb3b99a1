"""Finds the name that a misspelt one may mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches


def find_nearest(name: str, names: Sequence[str]) -> str:
    """Finds the most similar name, ignoring case, `-` and `_`; "" if none is similar."""
    normalized = {re.sub(r"[\W_]", "", candidate).lower(): candidate for candidate in reversed(names)}
    matches = get_close_matches(re.sub(r"[\W_]", "", name).lower(), normalized, n=1, cutoff=0.6)
    return normalized[matches[0]] if matches else ""
