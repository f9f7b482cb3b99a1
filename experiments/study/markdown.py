"""Render cells, tables and lists of the page in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.study.compare import Figure

DASH = "-"


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Render a Markdown table as lines, with an empty line at the end."""
    return [_render_row(head), _render_row(["---"] * len(head)), *(_render_row(row) for row in rows), ""]


def render_list(sentences: Iterable[str]) -> list[str]:
    """Render a Markdown list as lines, with an empty line at the end; no lines if empty."""
    lines = [f"- {sentence}" for sentence in sentences]
    return [*lines, ""] if lines else []


def format_figure(figure: Figure) -> str:
    """Format a figure as `0.912 (0.870-0.950)`; a dash if it is None."""
    value, low, high = figure
    if value is None:
        return DASH
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({low:.3f}{' to ' if low < 0 else '-'}{high:.3f})"


def format_difference(gap: Mapping[str, Any]) -> str:
    """Format a difference as `+0.014 (-0.006 to +0.034), p 0.19`; a dash if it is None."""
    if gap.get("value") is None:
        return DASH
    text = f"{gap['value']:+.3f}"
    if gap["low"] is not None:
        text += f" ({gap['low']:+.3f} to {gap['high']:+.3f})"
    if gap["p"] is not None:
        text += f", p {gap['p']:.3f}" if gap["p"] >= 0.001 else ", p < 0.001"
    return text


def format_seeds(spread: Sequence[float] | None) -> str:
    """Format mean and SD over seeds as `0.905 ± 0.008`."""
    return DASH if spread is None else f"{spread[0]:.3f} ± {spread[1]:.3f}"


def format_printed(value: float | None) -> str:
    """Format a number of the paper in italics."""
    return DASH if value is None else f"*{value:.4g}*" if round(value, 3) != value else f"*{value:.3f}*"


def _render_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
