"""Draw curves as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640.0, 240.0, 46.0, 34.0


def draw_curve(points: Sequence[tuple[float, float]], label: str) -> Markup:
    """Draw a training curve: all values in a pale colour, their moving mean in a strong one.

    Args:
        points: (step, value), with increasing step; non-finite values are left out.
        label: name of the value.

    Returns:
        An SVG element; a sentence if there are fewer than two points.
    """
    data = np.asarray([point for point in points if np.isfinite(point).all()], dtype=float).reshape(-1, 2)
    if len(data) < 2:
        return Markup('<p class="soft">{}: fewer than two values were logged.</p>').format(label)
    x, y = data.T
    low, high = float(y.min()), float(y.max())
    padding = (high - low) * 0.05 or 1.0
    low, high = low - padding, high + padding
    across = _LEFT + (x - x[0]) / ((x[-1] - x[0]) or 1.0) * (_WIDTH - _LEFT - 10)
    smooth = _average_neighbours(y, len(y) // 20)

    def to_y(values: np.ndarray) -> np.ndarray:
        return (_HEIGHT - _BOTTOM) - (values - low) / (high - low) * (_HEIGHT - _BOTTOM - 8)

    parts = []
    for value in np.linspace(low + padding, high - padding, 4):
        at = float(to_y(np.asarray(value)))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for step, at in ((x[0], across[0]), (x[-1], across[-1])):
        anchor = "start" if at == across[0] else "end"
        parts.append(f'<text x="{at:.1f}" y="{_HEIGHT - 14}" text-anchor="{anchor}">step {step:.0f}</text>')
    for name, values in (("raw", to_y(y)), ("smooth", to_y(smooth))):
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, values, strict=True))
        parts.append(f'<polyline class="{name}" points="{line}"/>')
    title = f"{label}: {smooth[0]:.3g} at the start, {smooth[-1]:.3g} at the end"
    return Markup(
        f'<figure><svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg><figcaption>{escape(title)}.</figcaption></figure>"
    )


def _average_neighbours(values: np.ndarray, reach: int) -> np.ndarray:
    """Average `reach` neighbours on either side, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)
