"""Sides of a comparison that a worker can import: one counts its turns, one fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def noting(*, name: str, file: str) -> Callable[[], dict[str, float]]:
    """Writes its name at every turn; its figure counts them."""
    turns = [0]

    def go() -> dict[str, float]:
        turns[0] += 1
        with Path(file).open("a", encoding="utf-8") as out:
            out.write(name)
        return {"turn": float(turns[0])}

    return go


def holding(*, megabytes: int) -> Callable[[], None]:
    """Fills so much memory while it runs."""

    def go() -> None:
        block = bytearray(megabytes * 2**20)
        block[::4096] = b"x" * len(block[::4096])

    return go


def failing(**_: Any) -> Callable[[], None]:
    """Cannot be set up."""
    raise ValueError("nothing to measure")
