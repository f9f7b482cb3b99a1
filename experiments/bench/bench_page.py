"""`performance.md` and `performance.json`: every line, what it has to reach, and what it was last time."""

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
    """Three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.5f}"


def format_ratio(one: BenchmarkRow) -> str:
    """`5.3 (5.1-5.6)`, or why there is none."""
    if one.ratio is None:
        return one.note or "-"
    if one.low is None or one.high is None:
        return format_figure(one.ratio)
    return f"{format_figure(one.ratio)} ({format_figure(one.low)} to {format_figure(one.high)})"


def format_target(one: BenchmarkRow) -> str:
    """`at least 5: yes`."""
    if one.wanted is None:
        return "-"
    said = f"at {'least' if one.better == 'more' else 'most'} {format_figure(one.wanted)}"
    return said if one.holds is None else f"{said}: {'yes' if one.holds else '**no**'}"


def format_change(one: BenchmarkRow, before: Mapping[str, Any] | None) -> str:
    """By how much the ratio is better or worse than in an older file, in percent."""
    old = None if before is None else before.get("ratio")
    if not old or one.ratio is None:
        return "-"
    return f"{(one.ratio / old - 1) * 100:+.0f} %"


def format_figures(one: BenchmarkRow) -> str:
    """`lidia_s 0.73, dynunet_s 0.3`."""
    return ", ".join(f"{name} {format_figure(value)}" for name, value in one.figures.items())


def render_page(
    lines: Mapping[str, BenchmarkRow],
    *,
    machine: Mapping[str, Any],
    command: str,
    pictures: Sequence[str] = (),
    missing: Sequence[str] = (),
    previous: Mapping[str, Any] | None = None,
) -> str:
    """The page in Markdown.

    Args:
        lines: by row.
        machine: what it ran on, by word.
        command: that makes it.
        pictures: file names under `images/`.
        missing: rows that have not been measured yet.
        previous: content of an older `performance.json`, whose ratios stand beside the new ones.
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
    for row, one in lines.items():
        change = format_change(one, (previous or {}).get(row))
        cells = (row, one.what, one.against, one.unit, format_ratio(one), format_target(one), change)
        text.append("| " + " | ".join(cells) + " |")
    judged = [one.holds for one in lines.values() if one.holds is not None]
    text += [
        "",
        f"{sum(judged)} of {len(judged)} targets are reached. "
        "`change` compares with the previous `performance.json`.",
    ]
    short = [
        f"`{row}` {format_ratio(one)}, {format_target(one)}"
        for row, one in lines.items()
        if one.holds is False
    ]
    if short:
        text += ["", "Targets that are not reached:", "", *(f"- {said}" for said in short)]
    if missing:
        text += ["", f"Not measured yet: {', '.join(missing)}."]
    text += [
        "",
        "## Figures behind the ratios",
        "",
        "Medians over rounds: `_s` seconds, `_mb` MB, `_gmac` 1e9 multiply-adds.",
    ]
    text += ["", "| row | figures | |", "|---|---|---|"]
    for row, one in lines.items():
        if one.figures or one.note:
            text.append(f"| {row} | {format_figures(one)} | {one.note} |")
    for name in pictures:
        text += ["", f"![{name.removesuffix('.png')}](images/{name})"]
    text += ["", "## Machine and versions", "", "| | |", "|---|---|"]
    text += [f"| {name.replace('_', ' ')} | {value} |" for name, value in machine.items()]
    return "\n".join(text) + "\n"
