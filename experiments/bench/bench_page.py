"""Render `performance.md`: every line with its target and its change to the previous result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.bench.benchmark_row import BenchmarkRow

HEAD = """# Performance

This page compares time and memory of LIDIA and of other implementations, on the same input and the same
machine. The command below writes it ([description of the rows](../README.md#the-benchmark)). Each row is the
ratio of two implementations that run alternately: the median, with the smallest and the largest round in
brackets. Compare ratios with other machines, not seconds. The patients are phantoms (synthetic).
"""


def format_figure(value: float) -> str:
    """Format a number with three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.5f}"


def format_ratio(row: BenchmarkRow) -> str:
    """Format a ratio as `5.3 (5.1 to 5.6)`, or return the note if there is no ratio."""
    if row.ratio is None:
        return row.note or "-"
    if row.low is None or row.high is None:
        return format_figure(row.ratio)
    return f"{format_figure(row.ratio)} ({format_figure(row.low)} to {format_figure(row.high)})"


def format_target(row: BenchmarkRow) -> str:
    """Format the target of a row as `at least 5: yes`."""
    if row.wanted is None:
        return "-"
    target = f"at {'least' if row.better == 'more' else 'most'} {format_figure(row.wanted)}"
    return target if row.holds is None else f"{target}: {'yes' if row.holds else '**no**'}"


def format_change(row: BenchmarkRow, previous: Mapping[str, Any] | None) -> str:
    """Format the change of the ratio against an older file, in percent."""
    old = None if previous is None else previous.get("ratio")
    if not old or row.ratio is None:
        return "-"
    return f"{(row.ratio / old - 1) * 100:+.0f} %"


def format_figures(row: BenchmarkRow) -> str:
    """Format the figures of a row as `lidia_s 0.73, dynunet_s 0.3`."""
    return ", ".join(f"{name} {format_figure(value)}" for name, value in row.figures.items())


def render_page(
    lines: Mapping[str, BenchmarkRow],
    *,
    machine: Mapping[str, Any],
    command: str,
    pictures: Sequence[str] = (),
    missing: Sequence[str] = (),
    previous: Mapping[str, Any] | None = None,
) -> str:
    """Render the page in Markdown.

    Args:
        lines: by row.
        machine: properties of the machine by name.
        command: the command that makes the page.
        pictures: file names under `images/`.
        missing: names of rows without a result.
        previous: content of an older `performance.json`, to compare the ratios with.
    """
    text = [
        HEAD,
        "```",
        command,
        "```",
        "",
        "| row | work | against | ratio of | measured | target | change |",
    ]
    text.append("|---|---|---|---|---|---|---|")
    for name, row in lines.items():
        change = format_change(row, (previous or {}).get(name))
        cells = (name, row.what, row.against, row.unit, format_ratio(row), format_target(row), change)
        text.append("| " + " | ".join(cells) + " |")
    verdicts = [row.holds for row in lines.values() if row.holds is not None]
    text += [
        "",
        f"{sum(verdicts)} of {len(verdicts)} targets are reached. "
        "`change` compares with the previous `performance.json`.",
    ]
    missed = [
        f"`{name}` {format_ratio(row)}, {format_target(row)}"
        for name, row in lines.items()
        if row.holds is False
    ]
    if missed:
        text += ["", "Targets that are not reached:", "", *(f"- {sentence}" for sentence in missed)]
    if missing:
        text += ["", f"Not measured yet: {', '.join(missing)}."]
    text += [
        "",
        "## Figures behind the ratios",
        "",
        "Medians over rounds: `_s` seconds, `_mb` MB, `_gmac` 1e9 multiply-adds.",
    ]
    text += ["", "| row | figures | |", "|---|---|---|"]
    for name, row in lines.items():
        if row.figures or row.note:
            text.append(f"| {name} | {format_figures(row)} | {row.note} |")
    for name in pictures:
        text += ["", f"![{name.removesuffix('.png')}](images/{name})"]
    text += ["", "## Machine and versions", "", "| | |", "|---|---|"]
    text += [f"| {name.replace('_', ' ')} | {value} |" for name, value in machine.items()]
    return "\n".join(text) + "\n"
