"""Render tables: the lesions of a patient, and the metrics of a cohort with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from scripts.lidia.report.palette import COLOURS
from scripts.lidia.report.read_results import Patient, match_true_lesions
from scripts.lidia.vocabulary import CLASSES, LESION_CLASSES


def render_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    *,
    words: str = "",
    style: str = "",
) -> str:
    """Render an HTML table; the first cell of a row is its heading.

    Args:
        head: headings of the columns, HTML.
        rows: cells, HTML.
        numbers: right-aligned columns.
        words: label for screen readers.
        style: CSS class of the table.

    Returns:
        The table in a box that scrolls (also by keyboard) on a narrow page.
    """

    def line(cells: Sequence[str], *kinds: str) -> str:
        marked = []
        for column, cell in enumerate(cells):
            kind = kinds[min(column, len(kinds) - 1)]
            right = ' class="number"' if column in numbers else ""
            scope = {"row": ' scope="row"', "col": ' scope="col"'}.get(kind, "")
            # Screen readers announce an empty heading
            name = "td" if kind == "td" or not cell else "th"
            marked.append(f"<{name}{right}{scope if name == 'th' else ''}>{cell}</{name}>")
        return f"<tr>{''.join(marked)}</tr>"

    body = "".join(line(row, "row", "td") for row in rows)
    name = f' role="group" aria-label="{escape(words)}" tabindex="0"' if words else ""
    mark = f' class="{style}"' if style else ""
    return (
        f'<div class="scroll"{name}><table{mark}><thead>{line(head, "col")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def render_class_name(kind: int) -> str:
    """Render the colour and name of a class."""
    return f'<span class="swatch" style="background:{COLOURS[kind]}"></span>{CLASSES[kind]}'


def render_legend() -> str:
    """Render the eight types with their colours."""
    return (
        '<ul class="legend">'
        + "".join(f"<li>{render_class_name(kind)}</li>" for kind in LESION_CLASSES)
        + "</ul>"
    )


def render_lesion_table(patient: Patient) -> str:
    """Render the predicted lesions with their true counterparts, then the missed true lesions."""
    pairs, rows = match_true_lesions(patient), []
    true_lesions = (
        {} if patient.truth is None else {lesion.number: lesion for lesion in patient.truth.lesions}
    )
    for row in patient.result["lesions"]:
        other = true_lesions.get(pairs.get(int(row["instance"]), 0))
        truth = "" if patient.truth is None else "nothing" if other is None else render_class_name(other.kind)
        share = float(row["probabilities"][row["type"]])
        cells = (str(row["instance"]), render_class_name(CLASSES.index(row["type"])), f"{share:.2f}")
        rows.append((*cells, f"{row['volume_mm3'] / 1000:.2f}", f"{row['diameter_mm']:.0f}", truth))
    for number, lesion in true_lesions.items():
        if number not in pairs.values():
            volume = f"{lesion.component.volume_mm3 / 1000:.2f}"
            rows.append(("", "not found", "", volume, "", render_class_name(lesion.kind)))
    if not rows:
        return '<p class="soft">No lesion.</p>'
    head = ("no.", "found", "probability", "ml", "mm", "truth" if patient.truth is not None else "")
    return render_table(head, rows, numbers=(2, 3, 4), words="Lesions")


def format_interval(metric: Mapping[str, Any]) -> str:
    """Format a metric as `0.912 (0.87 to 0.95)`; a dash if it is undefined for the cohort."""
    if metric["value"] is None:
        return "-"
    text = f"{metric['value']:.3f}"
    if metric.get("low") is not None and metric.get("high") is not None:
        text += f" ({metric['low']:.2f} to {metric['high']:.2f})"
    return text


def render_metric_table(names: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Render one row for each metric that is present.

    Args:
        names: key in `metrics.json` -> title.
        metrics: content of `metrics.json`.

    Returns:
        The table: value with 95 % interval, sample size, and note.
    """
    rows = [
        (
            escape(words),
            format_interval(metrics[key]),
            str(metrics[key]["n"]),
            escape(metrics[key].get("note", "")),
        )
        for key, words in names.items()
        if key in metrics
    ]
    return render_table(("metric", "value (95 % interval)", "of", ""), rows, numbers=(1, 2), words="Metrics")
