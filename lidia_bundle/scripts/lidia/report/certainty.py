"""What a diagnosis rests on: phases that were not scanned, their registration, and what each phase changed.

Words and numbers come from headers and from JSON; whatever they hold is shown as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scripts.lidia.report.probability_bars import GROUPS, finite, number, table_of
from scripts.lidia.report.tables import table
from scripts.lidia.vocabulary import PHASES

NOTABLE = 0.05
"""Change of a probability from which on it is written out."""


def certainty(result: Mapping[str, Any]) -> str:
    """Blocks on certainty, each where the result tells of it.

    Args:
        result: content of `ID.json`.
    """
    blocks = [_missing(result), _warnings(result), _without(result), _registration(result), _series(result)]
    blocks.append(_files(result))
    return "".join(blocks)


def _missing(result: Mapping[str, Any]) -> str:
    used = [str(phase) for phase in result.get("phases_used") or ()]
    absent = [phase for phase in PHASES if phase not in used]
    if not absent:
        said = ["All four phases were scanned and used."]
    else:
        said = [f"Used: {_listed(used)}. Not scanned: {_listed(absent)}."]
    told = table_of(result, "missing")
    here, whole = finite(told.get("auc8")), finite(told.get("auc8_all"))
    if here is not None and whole is not None and absent:
        said.append(
            f"On synthetic validation patients the mean AUC of the eight types is {here:.3f} with these "
            f"phases, {whole:.3f} with all four ({here - whole:+.3f})."
        )
    if result.get("grid_phase") and result["grid_phase"] != "venous":
        said.append(
            f"Without the venous phase, the grid is that of the {escape(str(result['grid_phase']))} one."
        )
    if not result.get("calibrated"):
        said.append(
            "The probabilities are as the network gives them: there is no calibration for its weights."
        )
    return f"<p>{' '.join(said)}</p>"


def _listed(names: Sequence[str]) -> str:
    return escape(", ".join(names)) or "none"


def _warnings(result: Mapping[str, Any]) -> str:
    told = [str(one) for one in result.get("warnings") or ()]
    if not told:
        return ""
    lines = "".join(f"<li>{escape(one)}</li>" for one in told)
    return f'<h3>Warnings</h3><ul class="warn">{lines}</ul>'


def _without(result: Mapping[str, Any]) -> str:
    told = table_of(result, "without")
    if not told:
        return ""
    names = [*GROUPS, *result["probabilities"]]
    whole = {**result["probabilities"], **{name: result[name] for name in GROUPS}}
    head = ["", *(escape(name) for name in names)]
    rows = [["as scanned", *(number(whole[name], 2) for name in names)]]
    for phase in [*(one for one in PHASES if one in told), *(one for one in told if one not in PHASES)]:
        one = table_of(told, phase)
        there = {**table_of(one, "probabilities"), **{name: one.get(name) for name in GROUPS}}
        cells = [_changed(there.get(name), whole[name]) for name in names]
        rows.append([f"without {escape(str(phase))}", *cells])
    words = f"As if a phase had not been scanned; changes of {NOTABLE} or more in brackets."
    grid = table(
        head, rows, numbers=range(1, len(head)), words="Probabilities without each phase", style="tight"
    )
    return f'<h3>What each phase changed</h3><p class="soft">{words}</p>{grid}'


def _changed(value: Any, whole: Any) -> str:
    now, before = finite(value), finite(whole)
    if now is None or before is None or abs(now - before) < NOTABLE:
        return number(value, 2)
    return f"{now:.2f} <strong>({now - before:+.2f})</strong>"


def _registration(result: Mapping[str, Any]) -> str:
    told = table_of(result, "registration")
    if not told:
        return ""
    rows = []
    for phase in told:
        one = table_of(told, phase)
        rows.append((
            escape(str(phase)),
            escape(str(one.get("method") or "–")),
            f"{number(one.get('quality_before'), 2)} to {number(one.get('quality_after'), 2)}",
            "yes" if one.get("accepted") is True else "<strong>no</strong>",
            escape(str(one.get("said") or "")),
        ))
    head = ("phase", "method", "quality", "accepted", "")
    grid = table(head, rows, words="Registration of the phases", style="tight told")
    return f"<h3>Registration of the phases</h3>{grid}"


def _series(result: Mapping[str, Any]) -> str:
    told = result.get("series")
    if not isinstance(told, list | tuple) or not told:
        return ""
    rows = []
    for one in told:
        one = one if isinstance(one, Mapping) else {}
        spacing = one.get("spacing_mm")
        spacing = spacing if isinstance(spacing, list | tuple) else [spacing]
        size = " x ".join(number(step, 2) for step in spacing)
        rows.append((
            escape(str(one.get("description") or "–")),
            escape(str(one.get("phase") or "–")),
            "yes" if one.get("taken") is True else "no",
            escape(str(one.get("number") if one.get("number") is not None else "–")),
            escape(str(one.get("slices") if one.get("slices") is not None else "–")),
            size,
            escape(str(one.get("time") or "–")),
            number(one.get("confidence"), 2),
            escape(str(one.get("why") or "")),
        ))
    head = ("series", "phase", "taken", "no.", "slices", "mm", "time", "sure", "why")
    return f"<h3>Series of the study</h3>{table(head, rows, words='Series of the study', style='tight told')}"


def _files(result: Mapping[str, Any]) -> str:
    told = table_of(result, "files")
    if not told:
        return ""
    rows = []
    for entry in [*_mappings(told.get("uses")), *_mappings(told.get("reasons"))]:
        series = entry.get("series") or []
        series = series if isinstance(series, list | tuple) else [series]
        left = "what" in entry
        words = str(entry["what"] if left else f"used: {entry.get('use')}")
        rows.append((
            f"<strong>{escape(words)}</strong>" if entry.get("warning") is True else escape(words),
            escape(str(entry.get("files"))),
            escape(", ".join(map(str, series))) or "–",
            escape("; ".join(map(str, entry.get("details") or ()))),
        ))
    counts = (escape(str(told.get(key))) for key in ("total", "used", "left_out"))
    words = "{} files were given: {} were used, {} left out.".format(*counts)
    grid = table(("", "files", "series", ""), rows, (1,), words="Files of the study", style="tight told")
    return f"<h3>Files of the study</h3><p>{words}</p>{grid}"


def _mappings(told: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in told if isinstance(entry, Mapping)] if isinstance(told, list | tuple) else []
