"""Draw the charts of a study as PNG files: AUC by class, and AUC-8 by phase subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from experiments.study.compare import Figure
from scripts.lidia.atomic import write_atomically
from scripts.lidia.vocabulary import LESION_TYPES, PHASES

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#4D4D4D")
"""Okabe and Ito's palette, safe for colour blindness, and two more."""
MARKERS = "osD^vPX*"
GREY, _RULE, INK = "#9AA3AE", "#E4E7EB", "#22262B"
DPI = 150


def draw_areas(path: Path, methods: Mapping[str, Mapping[str, Figure]], title: str) -> Path:
    """Draw the AUC of each class by method (the paper's Fig. 2), with 95 % intervals.

    Args:
        path: a PNG file.
        methods: metric -> value, low, high by label; `oracle` and `floor` are grey lines in the background.
        title: describes the patients.
    """
    keys = [*(f"auc_{name}" for name in LESION_TYPES), "auc8"]
    curves = {label: figures for label, figures in methods.items() if label not in ("oracle", "floor")}
    canvas = Canvas(figsize=(11, 4.8), dpi=DPI, layout="constrained")
    axes = canvas.subplots()
    style_axes(axes)
    axes.axvspan(len(keys) - 1.5, len(keys) - 0.5, color="#F4F6F8", zorder=0)
    for at in range(len(keys) - 1):
        axes.axvline(at + 0.5, color=_RULE, linewidth=0.8, zorder=0)
    for name, style in (("oracle", "-"), ("floor", ":")):
        levels = [methods.get(name, {}).get(key, [None])[0] for key in keys]
        present = [(at, value) for at, value in enumerate(levels) if value is not None]
        if present:
            at, values = np.array(present, float).T
            style_options = {"color": GREY, "linestyle": style, "linewidth": 1.6}
            axes.hlines(values, at - 0.42, at + 0.42, label=f"{name} (true masks)", **style_options)
    offsets = (np.arange(len(curves)) - (len(curves) - 1) / 2) * min(0.16, 0.7 / max(len(curves), 1))
    for offset, (number, (label, figures)) in zip(offsets, enumerate(curves.items()), strict=True):
        _draw_points(axes, np.arange(len(keys)) + offset, [figures[key] for key in keys], number, label)
    axes.axhline(0.5, color=GREY, linewidth=0.8)
    axes.set_xticks(range(len(keys)), [*LESION_TYPES, "mean"])
    axes.set_xlim(-0.5, len(keys) - 0.5)
    axes.set_ylim(_choose_lower_limit([*methods.values()], keys), 1.01)
    axes.set_ylabel("area under the ROC curve")
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    canvas.legend(loc="outside lower center", ncols=min(6, len(methods)), frameon=False)
    return save_canvas(canvas, path)


def draw_subsets(
    path: Path, systems: Mapping[str, Mapping[str, Figure]], subsets: Sequence[str], title: str
) -> Path:
    """Draw AUC-8 of several systems by phase subset; dots below show the phases of a column.

    Args:
        path: a PNG file.
        systems: subset (`nc+venous`) -> value, low, high by label.
        subsets: in the order of the columns.
        title: describes the patients.
    """
    width = max(8.5, 2.2 + 0.6 * len(subsets))  # wide enough for the title
    canvas = Canvas(figsize=(width, 5.2), dpi=DPI, layout="constrained")
    above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    style_axes(above)
    offsets = (np.arange(len(systems)) - (len(systems) - 1) / 2) * 0.24
    for offset, (number, (label, figures_by_subset)) in zip(offsets, enumerate(systems.items()), strict=True):
        figures = [figures_by_subset.get(subset, [None, None, None]) for subset in subsets]
        _draw_points(above, np.arange(len(subsets)) + offset, figures, number, label)
    above.set_ylabel("AUC-8")
    above.set_title(title, loc="left", fontsize=11, color=INK)
    canvas.legend(loc="outside lower center", ncols=len(systems), frameon=False)
    below.set_ylim(len(PHASES) - 0.5, -0.5)
    below.set_yticks(range(len(PHASES)), PHASES)
    below.tick_params(length=0, labelbottom=False)
    for side in below.spines.values():
        side.set_visible(False)
    for at, subset in enumerate(subsets):
        rows = [PHASES.index(phase) for phase in subset.split("+")]
        below.scatter([at] * len(PHASES), range(len(PHASES)), s=46, color=_RULE, zorder=1)
        below.plot([at] * len(rows), rows, color=INK, linewidth=2, zorder=2)
        below.scatter([at] * len(rows), rows, s=46, color=INK, zorder=3)
    sizes = [subset.count("+") for subset in subsets]
    for at in range(1, len(subsets)):
        if sizes[at] != sizes[at - 1]:
            for axes in (above, below):
                axes.axvline(at - 0.5, color=_RULE, linewidth=1, zorder=0)
    return save_canvas(canvas, path)


def _draw_points(axes: Axes, at: np.ndarray, figures: Sequence[Figure], number: int, label: str) -> None:
    """Draw values with their intervals; missing ones are left out."""
    points = [
        (
            x,
            figure[0],
            figure[1] if figure[1] is not None else figure[0],
            figure[2] if figure[2] is not None else figure[0],
        )
        for x, figure in zip(at, figures, strict=True)
        if figure[0] is not None
    ]
    if not points:
        return
    x, value, low, high = (np.array(column, float) for column in zip(*points, strict=True))
    bars = np.clip([value - low, high - value], 0, None)
    axes.errorbar(
        *(x, value, bars),
        fmt=MARKERS[number % len(MARKERS)],
        color=COLOURS[number % len(COLOURS)],
        markersize=5.5,
        elinewidth=1.2,
        markeredgecolor="white",
        markeredgewidth=0.6,
        label=label,
        zorder=3,
    )


def _choose_lower_limit(methods: Sequence[Mapping[str, Figure]], keys: Sequence[str]) -> float:
    """Choose the start of the axis: 0.02 below the lowest value or interval, at most 0.5."""
    lows = [
        figures[key][1] if figures[key][1] is not None else figures[key][0]
        for figures in methods
        for key in keys
    ]
    return min([0.5, *(low - 0.02 for low in lows if low is not None)])


def style_axes(axes: Axes) -> None:
    """Give axes the style of all charts: a light grid, no frame."""
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)


def save_canvas(canvas: Canvas, path: Path) -> Path:
    """Save a chart atomically, without the version of the drawing program."""
    with write_atomically(path) as temporary:
        canvas.savefig(temporary, metadata={"Software": None})
    return path
