"""Draw validation curves: AUC-8 and Dice by CPU hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure as Canvas

from experiments.study.charts import COLOURS, DPI, GREY, INK, MARKERS, save_canvas, style_axes

TITLES = {"auc8": "AUC-8", "dice": "Dice of all lesions"}


class Line(NamedTuple):
    """One training in the chart."""

    label: str
    system: str
    """Trainings of one system have one colour."""
    seed: int
    """Further seeds are dashed."""
    hours: dict[str, list[float]]
    """CPU hours of the evaluations, by metric."""
    values: dict[str, list[float]]
    """Values of the evaluations, by metric."""


def draw_curves(path: Path, lines: Sequence[Line], levels: Mapping[str, Sequence[float]], title: str) -> Path:
    """Draw one panel for each metric.

    Args:
        path: a PNG file.
        lines: the trainings.
        levels: values by metric that are drawn as dotted lines.
        title: describes the patients.
    """
    canvas = Canvas(figsize=(12, 5.2), dpi=DPI, layout="constrained")
    systems = list(dict.fromkeys(line.system for line in lines))
    for axes, metric in zip(canvas.subplots(1, len(TITLES)), TITLES, strict=True):
        style_axes(axes)
        for level in levels.get(metric, ()):
            axes.axhline(level, color=GREY, linestyle=":", linewidth=1)
        for line in lines:
            number = systems.index(line.system)
            axes.plot(
                *(line.hours[metric], line.values[metric]),
                color=COLOURS[number % len(COLOURS)],
                linestyle="--" if line.seed else "-",
                linewidth=1.6,
                marker=MARKERS[number % len(MARKERS)],
                markersize=4.5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                label=line.label if metric == "auc8" else None,
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("CPU hours of training (one core)")
        axes.set_ylabel(TITLES[metric])
    canvas.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    canvas.legend(loc="outside lower center", ncols=min(5, max(1, len(lines))), frameon=False)
    return save_canvas(canvas, path)
