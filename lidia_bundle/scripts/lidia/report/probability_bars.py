"""Render probabilities as bars in a table, with the number beside the bar and the interval as a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scripts.lidia.report.palette import GROUP_COLOUR, TYPE_COLOURS
from scripts.lidia.report.tables import render_name, render_table

GROUPS = ("malignant", "benign")
_ENDS = Markup('<span class="ends"><span>0</span><span>1</span></span>')
_CHIPS = {"ruled in": "in", "open": "open", "ruled out": "out"}


def format_number(value: Any, digits: int) -> str:
    """Format a number with `digits` decimals; a dash if it is not a finite number."""
    number = to_finite(value)
    return "–" if number is None else f"{number:.{digits}f}"


def to_finite(value: Any) -> float | None:
    """Convert a value to float; None if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def get_mapping(result: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Get the mapping at a key of `ID.json`; empty if it is missing or not a mapping."""
    content = result.get(key)
    return content if isinstance(content, Mapping) else {}


def get_interval(result: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """Get the interval of a type or group; None without one."""
    pair = get_mapping(result, "intervals").get(name)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return None
    low, high = to_finite(pair[0]), to_finite(pair[1])
    return None if low is None or high is None else (low, high)


def format_probability(result: Mapping[str, Any], name: str) -> str:
    """Format a patient's probability with its interval if known: `0.93 (0.85 to 0.97)`."""
    value = result[name] if name in GROUPS else result["probabilities"][name]
    pair = get_interval(result, name)
    return format_number(value, 2) + (f" ({pair[0]:.2f} to {pair[1]:.2f})" if pair else "")


def render_patient_probabilities(result: Mapping[str, Any], truth: Mapping[str, bool] | None) -> Markup:
    """Render a patient's probabilities: the groups first, then the types in decreasing order.

    Args:
        result: content of `ID.json`; `intervals` and `triage` are shown if present.
        truth: type or group -> whether the patient has it; None if unknown.
    """
    probabilities = result["probabilities"]
    names = [*GROUPS, *sorted(probabilities, key=lambda name: -(to_finite(probabilities[name]) or 0.0))]
    triage = get_mapping(result, "triage")
    head, rows = ["", _ENDS, "probability"], []
    if get_mapping(result, "intervals"):
        head[2] += " (95 % interval)"
    head += ["triage"] if triage else []
    head += ["truth"] if truth is not None else []
    for name in names:
        value = result[name] if name in GROUPS else probabilities[name]
        bar = render_bar(value, name, get_interval(result, name))
        row = [render_name(name), bar, format_probability(result, name)]
        if triage:
            verdict = str(triage.get(name, ""))
            chip = Markup('<span class="chip {}">{}</span>').format(_CHIPS.get(verdict, "open"), verdict)
            row.append(chip if verdict else "")
        if truth is not None:
            row.append(Markup('<span class="truth">yes</span>') if truth.get(name) else "no")
        rows.append(row)
    return render_table(head, rows, label="Probabilities of the patient", style="chances")


def render_lesion_probabilities(probabilities: Mapping[str, Any]) -> Markup:
    """Render the type probabilities of a lesion in decreasing order."""
    names = sorted(probabilities, key=lambda name: -(to_finite(probabilities[name]) or 0.0))
    rows = [
        (render_name(name), render_bar(probabilities[name], name), format_number(probabilities[name], 2))
        for name in names
    ]
    head = ("", _ENDS, "probability")
    return render_table(head, rows, label="Type probabilities", style="chances")


def render_bar(value: Any, name: str, interval: tuple[float, float] | None = None) -> Markup:
    """Render a bar from 0 to 1 with a line for the interval; screen readers skip it and read the number."""
    width = 100 * min(max(to_finite(value) or 0.0, 0.0), 1.0)
    line = Markup("")
    if interval is not None:
        low, high = (100 * min(max(end, 0.0), 1.0) for end in interval)
        form = Markup('<span class="reach" style="left:{:.1f}%;width:{:.1f}%"></span>')
        line = form.format(low, high - low)
    return Markup(
        '<span class="track" aria-hidden="true">'
        '<span class="fill" style="width:{:.1f}%;background:{}"></span>{}</span>'
    ).format(width, TYPE_COLOURS.get(name, GROUP_COLOUR), line)
