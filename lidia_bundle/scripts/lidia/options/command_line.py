"""Tells options of a command line from values, as python-fire does."""

from __future__ import annotations


def is_option(word: str) -> bool:
    """Whether python-fire treats a word as an option; `-1` is a number."""
    return word.startswith("--") or (word.startswith("-") and word[1:2].isalpha() and word[1:2].isascii())
