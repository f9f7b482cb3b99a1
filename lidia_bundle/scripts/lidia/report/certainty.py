"""Render the section on certainty: absent phases, warnings, effect of each phase, registration, files.

All text comes from headers and from JSON and is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scripts.lidia.report.probability_bars import GROUPS, format_number, get_mapping, to_finite
from scripts.lidia.report.tables import render_table
from scripts.lidia.vocabulary import PHASES

NOTABLE_CHANGE = 0.05
"""Smallest change of a probability that is written out."""


def render_certainty(result: Mapping[str, Any]) -> str:
    """Render the blocks on certainty; a block whose key is missing is left out.

    Args:
        result: content of `ID.json`.
    """
    blocks = [
        _render_phases(result),
        _render_warnings(result),
        _render_ablation(result),
        _render_registration(result),
        _render_series(result),
    ]
    blocks.append(_render_files(result))
    return "".join(blocks)


def _render_phases(result: Mapping[str, Any]) -> str:
    used = [str(phase) for phase in result.get("phases_used") or ()]
    absent = [phase for phase in PHASES if phase not in used]
    if not absent:
        sentences = ["All four phases were scanned and used."]
    else:
        sentences = [f"Used: {_join_names(used)}. Not scanned: {_join_names(absent)}."]
    missing = get_mapping(result, "missing")
    auc8, auc8_all = to_finite(missing.get("auc8")), to_finite(missing.get("auc8_all"))
    if auc8 is not None and auc8_all is not None and absent:
        sentences.append(
            f"On synthetic validation patients the mean AUC of the eight types is {auc8:.3f} with these "
            f"phases, {auc8_all:.3f} with all four ({auc8 - auc8_all:+.3f})."
        )
    if result.get("grid_phase") and result["grid_phase"] != "venous":
        sentences.append(
            f"Without the venous phase, the grid is that of the {escape(str(result['grid_phase']))} one."
        )
    if not result.get("calibrated"):
        sentences.append(
            "The probabilities are as the network gives them: there is no calibration for its weights."
        )
    return f"<p>{' '.join(sentences)}</p>"


def _join_names(names: Sequence[str]) -> str:
    return escape(", ".join(names)) or "none"


def _render_warnings(result: Mapping[str, Any]) -> str:
    warnings = [str(warning) for warning in result.get("warnings") or ()]
    if not warnings:
        return ""
    lines = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<h3>Warnings</h3><ul class="warn">{lines}</ul>'


def _render_ablation(result: Mapping[str, Any]) -> str:
    ablation = get_mapping(result, "without")
    if not ablation:
        return ""
    names = [*GROUPS, *result["probabilities"]]
    unchanged = {**result["probabilities"], **{name: result[name] for name in GROUPS}}
    head = ["", *(escape(name) for name in names)]
    rows = [["as scanned", *(format_number(unchanged[name], 2) for name in names)]]
    for phase in [
        *(one for one in PHASES if one in ablation),
        *(one for one in ablation if one not in PHASES),
    ]:
        one = get_mapping(ablation, phase)
        scores = {**get_mapping(one, "probabilities"), **{name: one.get(name) for name in GROUPS}}
        cells = [_format_change(scores.get(name), unchanged[name]) for name in names]
        rows.append([f"without {escape(str(phase))}", *cells])
    words = f"As if a phase had not been scanned; changes of {NOTABLE_CHANGE} or more in brackets."
    grid = render_table(
        head, rows, numbers=range(1, len(head)), words="Probabilities without each phase", style="tight"
    )
    return f'<h3>What each phase changed</h3><p class="soft">{words}</p>{grid}'


def _format_change(value: Any, unchanged: Any) -> str:
    now, before = to_finite(value), to_finite(unchanged)
    if now is None or before is None or abs(now - before) < NOTABLE_CHANGE:
        return format_number(value, 2)
    return f"{now:.2f} <strong>({now - before:+.2f})</strong>"


def _render_registration(result: Mapping[str, Any]) -> str:
    registration = get_mapping(result, "registration")
    if not registration:
        return ""
    rows = []
    for phase in registration:
        record = get_mapping(registration, phase)
        rows.append((
            escape(str(phase)),
            escape(str(record.get("method") or "–")),
            " to ".join(format_number(record.get(f"quality_{time}"), 2) for time in ("before", "after")),
            "yes" if record.get("accepted") is True else "<strong>no</strong>",
            escape(str(record.get("said") or "")),
        ))
    head = ("phase", "method", "quality", "accepted", "")
    grid = render_table(head, rows, words="Registration of the phases", style="tight told")
    return f"<h3>Registration of the phases</h3>{grid}"


def _render_series(result: Mapping[str, Any]) -> str:
    records = result.get("series")
    if not isinstance(records, list | tuple) or not records:
        return ""
    rows = []
    for record in records:
        record = record if isinstance(record, Mapping) else {}
        spacing = record.get("spacing_mm")
        spacing = spacing if isinstance(spacing, list | tuple) else [spacing]
        size = " x ".join(format_number(step, 2) for step in spacing)
        rows.append((
            escape(str(record.get("description") or "–")),
            escape(str(record.get("phase") or "–")),
            "yes" if record.get("taken") is True else "no",
            escape(str(record.get("number") if record.get("number") is not None else "–")),
            escape(str(record.get("slices") if record.get("slices") is not None else "–")),
            size,
            escape(str(record.get("time") or "–")),
            format_number(record.get("confidence"), 2),
            escape(str(record.get("why") or "")),
        ))
    head = ("series", "phase", "taken", "no.", "slices", "mm", "time", "sure", "why")
    grid = render_table(head, rows, words="Series of the study", style="tight told")
    return f"<h3>Series of the study</h3>{grid}"


def _render_files(result: Mapping[str, Any]) -> str:
    account = get_mapping(result, "files")
    if not account:
        return ""
    rows = []
    for entry in [*_select_mappings(account.get("uses")), *_select_mappings(account.get("reasons"))]:
        series = entry.get("series") or []
        series = series if isinstance(series, list | tuple) else [series]
        is_left_out = "what" in entry
        words = str(entry["what"] if is_left_out else f"used: {entry.get('use')}")
        rows.append((
            f"<strong>{escape(words)}</strong>" if entry.get("warning") is True else escape(words),
            escape(str(entry.get("files"))),
            escape(", ".join(map(str, series))) or "–",
            escape("; ".join(map(str, entry.get("details") or ()))),
        ))
    counts = (escape(str(account.get(key))) for key in ("total", "used", "left_out"))
    words = "{} files were given: {} were used, {} left out.".format(*counts)
    grid = render_table(
        ("", "files", "series", ""), rows, (1,), words="Files of the study", style="tight told"
    )
    return f"<h3>Files of the study</h3><p>{words}</p>{grid}"


def _select_mappings(entries: Any) -> list[Mapping[str, Any]]:
    return (
        [entry for entry in entries if isinstance(entry, Mapping)]
        if isinstance(entries, list | tuple)
        else []
    )
