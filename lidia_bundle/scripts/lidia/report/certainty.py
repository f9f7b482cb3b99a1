"""Render the section on certainty: absent phases, warnings, effect of each phase, registration, files.

All text comes from headers and from JSON; `render_template` escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from scripts.lidia.report.lesion_certainty import describe_operating_point, describe_type_sets
from scripts.lidia.report.probability_bars import GROUPS, format_number, get_mapping, to_finite
from scripts.lidia.report.render_template import render_template
from scripts.lidia.report.tables import render_table
from scripts.lidia.vocabulary import PHASES

NOTABLE_CHANGE = 0.05
"""Smallest change of a probability that is written out."""


def render_certainty(result: Mapping[str, Any]) -> Markup:
    """Render the blocks on certainty; a block whose key is missing is left out.

    Args:
        result: content of `ID.json`.
    """
    account = get_mapping(result, "files")
    return render_template(
        "certainty",
        sentences=[
            *_describe_phases(result),
            *describe_operating_point(result),
            *describe_type_sets(result),
        ],
        warnings=result.get("warnings"),
        notable=NOTABLE_CHANGE,
        ablation=_render_ablation(result),
        registration=_render_registration(result),
        series=_render_series(result),
        account={"total": None, "used": None, "left_out": None, **account},
        files=_render_files(account),
    )


def _describe_phases(result: Mapping[str, Any]) -> list[str]:
    used = [str(phase) for phase in result.get("phases_used") or ()]
    absent = [phase for phase in PHASES if phase not in used]
    sentences = ["All four phases were scanned and used."]
    if absent:
        sentences = [f"Used: {', '.join(used) or 'none'}. Not scanned: {', '.join(absent)}."]
    missing = get_mapping(result, "missing")
    auc8, auc8_all = to_finite(missing.get("auc8")), to_finite(missing.get("auc8_all"))
    if auc8 is not None and auc8_all is not None and absent:
        count = missing.get("patients") or "an unknown number of"
        sentences.append(
            f"On {count} synthetic validation patients the mean AUC of the eight types is {auc8:.2f} with "
            f"these phases, {auc8_all:.2f} with all four ({auc8 - auc8_all:+.2f})."
        )
    if result.get("grid_phase") and result["grid_phase"] != "venous":
        sentences.append(f"Without the venous phase, the grid is that of the {result['grid_phase']} one.")
    if not result.get("calibrated"):
        reason = "there is no calibration for its weights"
        sentences.append(f"The probabilities are as the network gives them: {reason}.")
    return sentences


def _render_ablation(result: Mapping[str, Any]) -> str:
    ablation = get_mapping(result, "without")
    if not ablation:
        return ""
    names = [*GROUPS, *result["probabilities"]]
    unchanged = {**result["probabilities"], **{name: result[name] for name in GROUPS}}
    head = ["", *names]
    rows = [["as scanned", *(format_number(unchanged[name], 2) for name in names)]]
    for phase in sorted(ablation, key=lambda name: PHASES.index(name) if name in PHASES else len(PHASES)):
        entry = get_mapping(ablation, phase)
        scores = {**get_mapping(entry, "probabilities"), **{name: entry.get(name) for name in GROUPS}}
        cells = [_format_change(scores.get(name), unchanged[name]) for name in names]
        rows.append([f"without {phase}", *cells])
    text = "Probabilities without each phase"
    return render_table(head, rows, numbers=range(1, len(head)), label=text, style="tight")


def _format_change(value: Any, unchanged: Any) -> str:
    now, before = to_finite(value), to_finite(unchanged)
    if now is None or before is None or abs(now - before) < NOTABLE_CHANGE:
        return format_number(value, 2)
    return Markup("{:.2f} <strong>({:+.2f})</strong>").format(now, now - before)


def _render_registration(result: Mapping[str, Any]) -> str:
    registration = get_mapping(result, "registration")
    if not registration:
        return ""
    rows = []
    for phase in registration:
        record = get_mapping(registration, phase)
        rows.append((
            phase,
            record.get("method") or "–",
            " to ".join(format_number(record.get(f"quality_{time}"), 2) for time in ("before", "after")),
            "yes" if record.get("accepted") is True else Markup("<strong>no</strong>"),
            record.get("message") or record.get("said") or "",  # `said` in older results
        ))
    head = ("phase", "method", "quality", "accepted", "")
    return render_table(head, rows, label="Registration of the phases", style="tight told")


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
            record.get("description") or "–",
            record.get("phase") or "–",
            "yes" if record.get("taken") is True else "no",
            record.get("number") if record.get("number") is not None else "–",
            record.get("slices") if record.get("slices") is not None else "–",
            size,
            record.get("time") or "–",
            format_number(record.get("confidence"), 2),
            record.get("why") or "",
        ))
    head = ("series", "phase", "taken", "no.", "slices", "mm", "time", "sure", "why")
    return render_table(head, rows, label="Series of the study", style="tight told")


def _render_files(account: Mapping[str, Any]) -> str:
    if not account:
        return ""
    rows = []
    for entry in [*_select_mappings(account.get("uses")), *_select_mappings(account.get("reasons"))]:
        series = entry.get("series") or []
        series = series if isinstance(series, list | tuple) else [series]
        is_left_out = "what" in entry
        text = str(entry["what"] if is_left_out else f"used: {entry.get('use')}")
        rows.append((
            Markup("<strong>{}</strong>").format(text) if entry.get("warning") is True else text,
            entry.get("files"),
            ", ".join(map(str, series)) or "–",
            "; ".join(map(str, entry.get("details") or ())),
        ))
    head = ("", "files", "series", "")
    return render_table(head, rows, (1,), label="Files of the study", style="tight told")


def _select_mappings(entries: Any) -> list[Mapping[str, Any]]:
    entries = entries if isinstance(entries, list | tuple) else ()
    return [entry for entry in entries if isinstance(entry, Mapping)]
