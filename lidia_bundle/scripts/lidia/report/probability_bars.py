"""Probabilities as bars in a table: the number beside its bar, the interval as a line over it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from scripts.lidia.report.palette import TYPE_COLOURS
from scripts.lidia.report.tables import table

GROUPS = ("malignant", "benign")
_GROUP_COLOUR = "#8a94a3"
_CHIPS = {"ruled in": "in", "open": "open", "ruled out": "out"}


def number(value: Any, digits: int) -> str:
    """A number with so many decimals; a dash where it is none."""
    known = finite(value)
    return "–" if known is None else f"{known:.{digits}f}"


def finite(value: Any) -> float | None:
    """The value as a float, None where it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def table_of(result: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What a key of `ID.json` holds by name; nothing where it is missing or of another shape."""
    told = result.get(key)
    return told if isinstance(told, Mapping) else {}


def limits(result: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """The interval of a name, None where there is none."""
    pair = table_of(result, "intervals").get(name)
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return None
    low, high = finite(pair[0]), finite(pair[1])
    return None if low is None or high is None else (low, high)


def chance_words(result: Mapping[str, Any], name: str) -> str:
    """`0.93 (0.85 to 0.97)`: a patient's probability with its interval where it is known."""
    value = result[name] if name in GROUPS else result["probabilities"][name]
    pair = limits(result, name)
    return number(value, 2) + (f" ({pair[0]:.2f} to {pair[1]:.2f})" if pair else "")


def patient_chances(result: Mapping[str, Any], truth: Mapping[str, bool] | None) -> str:
    """A patient's probabilities: the groups first, then the types, the likeliest on top.

    Args:
        result: content of `ID.json`; `intervals` and `triage` are shown where they are there.
        truth: the same names -> whether the patient has it; None where nobody knows.

    Returns:
        An HTML table.
    """
    chances = result["probabilities"]
    names = [*GROUPS, *sorted(chances, key=lambda name: -(finite(chances[name]) or 0.0))]
    told = table_of(result, "triage")
    head, rows = ["", '<span class="ends"><span>0</span><span>1</span></span>', "probability"], []
    if table_of(result, "intervals"):
        head[2] += " (95 % interval)"
    head += ["triage"] if told else []
    head += ["truth"] if truth is not None else []
    for name in names:
        value = result[name] if name in GROUPS else chances[name]
        row = [tag(name), bar(value, name, limits(result, name)), chance_words(result, name)]
        if told:
            word = str(told.get(name, ""))
            row.append(f'<span class="chip {_CHIPS.get(word, "open")}">{escape(word)}</span>' if word else "")
        if truth is not None:
            row.append('<span class="truth">yes</span>' if truth.get(name) else "no")
        rows.append(row)
    return table(head, rows, words="Probabilities of the patient", style="chances")


def lesion_chances(probabilities: Mapping[str, Any]) -> str:
    """Type probabilities of a lesion, the likeliest on top."""
    names = sorted(probabilities, key=lambda name: -(finite(probabilities[name]) or 0.0))
    rows = [(tag(name), bar(probabilities[name], name), number(probabilities[name], 2)) for name in names]
    head = ("", '<span class="ends"><span>0</span><span>1</span></span>', "probability")
    return table(head, rows, words="Type probabilities", style="chances")


def tag(name: str) -> str:
    """A type or group by name, with its colour."""
    colour = TYPE_COLOURS.get(name, _GROUP_COLOUR)
    return f'<span class="swatch" style="background:{colour}"></span>{escape(name)}'


def bar(value: Any, name: str, interval: tuple[float, float] | None = None) -> str:
    """A bar from 0 to 1, with a line for the interval; its number stands beside it, so readers pass it."""
    width = 100 * min(max(finite(value) or 0.0, 0.0), 1.0)
    colour = TYPE_COLOURS.get(name, _GROUP_COLOUR)
    line = ""
    if interval is not None:
        low, high = (100 * min(max(end, 0.0), 1.0) for end in interval)
        line = f'<span class="reach" style="left:{low:.1f}%;width:{high - low:.1f}%"></span>'
    return (
        '<span class="track" aria-hidden="true">'
        f'<span class="fill" style="width:{width:.1f}%;background:{colour}"></span>{line}</span>'
    )
