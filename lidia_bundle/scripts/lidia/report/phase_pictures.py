"""Draw PNG pictures of CT with contours, encoded as data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scripts.lidia.report.palette import COLOURS, SHORT_NAMES
from scripts.lidia.report.slice_choice import Plane

WINDOW = (-60.0, 240.0)
"""HU of black and of white: the usual window for the abdomen."""

_INK, _PAPER = "#f2f2f2", "#101214"
_INCHES, _DPI = 2.6, 100


class Outlines(NamedTuple):
    """Lesions on one plane.

    Attributes:
        instances: (X, Y) instance numbers on the plane, 0 is background.
        classes: instance number -> class 2-9.
    """

    instances: np.ndarray
    classes: Mapping[int, int]


def draw_phases(plane: Plane, rows: Mapping[str, Outlines | None]) -> str:
    """Draw all phases of a plane, once for each row, with the contours of that row.

    Args:
        plane: from `sample_plane`.
        rows: row title (`truth`, `LIDIA`) -> contours, None for the bare image.

    Returns:
        PNG as a `data:` URI; the patient's right is on the viewer's left.
    """
    shape = next(image.shape for image in plane.phases.values() if image is not None)
    extent = [size * n for size, n in zip(plane.spacing, shape, strict=True)]
    height = _INCHES * extent[1] / extent[0]
    figure = Figure(figsize=(_INCHES * len(plane.phases), height * len(rows)), dpi=_DPI, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(plane.phases), squeeze=False)
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.01, hspace=0.01)
    for line, (title, outlines) in zip(axes, rows.items(), strict=True):
        for ax, (phase, image) in zip(line, plane.phases.items(), strict=True):
            _draw_phase(ax, image, plane.spacing, outlines)
            _write_title(ax, f"{phase}\n{title}" if ax is line[0] else phase)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=_PAPER)
    return encode_png(buffer.getvalue())


def _draw_phase(
    ax: Axes, image: np.ndarray | None, spacing: tuple[float, float], lines: Outlines | None
) -> None:
    ax.set_axis_off()
    if image is None:
        ax.text(0.5, 0.5, "absent", color=_INK, ha="center", va="center", transform=ax.transAxes, fontsize=11)
        return
    (low, high), aspect = WINDOW, spacing[1] / spacing[0]
    ax.imshow(_orient_for_plot(image), cmap="gray", vmin=low, vmax=high, origin="lower", aspect=aspect)
    if lines is not None:
        for number, kind in lines.classes.items():
            _draw_outline(ax, _orient_for_plot(lines.instances == number), kind)


def _draw_outline(ax: Axes, mask: np.ndarray, kind: int) -> None:
    if not mask.any():
        return
    contours = ax.contour(mask.astype(float), levels=[0.5], colors=[COLOURS[kind]], linewidths=1.6)
    contours.set_path_effects([effects.withStroke(linewidth=2.6, foreground="black")])
    rows, columns = np.nonzero(mask)
    spot = (columns.mean(), min(rows.max() + 1.5, mask.shape[0] - 6))
    label = ax.text(*spot, SHORT_NAMES[kind], color=COLOURS[kind], fontsize=8.5, ha="center", va="bottom")
    label.set_path_effects([effects.withStroke(linewidth=1.5, foreground="black")])


def _write_title(ax: Axes, title: str) -> None:
    text = ax.text(0.02, 0.98, title, color=_INK, fontsize=9, va="top", transform=ax.transAxes)
    text.set_path_effects([effects.withStroke(linewidth=2, foreground="black")])


def _orient_for_plot(image: np.ndarray) -> np.ndarray:
    """Turn (X, Y) in RAS into rows from posterior to anterior and columns from right to left."""
    return image[::-1].T


def encode_png(png: bytes) -> str:
    """Encode a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
