"""Flatten nested JSON into the cells of one row of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NAMES = {"probabilities": "p", "centroid_ras_mm": "ras_mm", "phases_used": "phases"}
"""Names in tables, shorter than in `ID.json`."""


def flatten(content: Mapping[str, Any]) -> dict[str, str]:
    """Flattens nested JSON: `{"a": {"b": 1.5}}` becomes the column `a_b`.

    A list of texts is one cell, separated by `; `. A list of numbers has one column for each, `a_1`, `a_2`.
    Lists of objects are rows of another table and are left out.

    Args:
        content: JSON object.

    Returns:
        Text of each cell by column; None is an empty cell.
    """
    return dict(_iterate_cells(content, ""))


def _iterate_cells(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            short = NAMES.get(str(key), str(key))
            yield from _iterate_cells(part, f"{name}_{short}" if name else short)
    elif not isinstance(value, list):
        yield name, _format_cell(value)
    elif not any(isinstance(part, Mapping | list) for part in value):
        if value and all(isinstance(part, int | float) for part in value):
            yield from ((f"{name}_{place}", _format_cell(part)) for place, part in enumerate(value, 1))
        else:
            yield name, "; ".join(map(str, value))


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
