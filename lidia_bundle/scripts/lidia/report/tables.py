"""Tables of the page: a patient's lesions, and the cohort's metrics with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from scripts.lidia.report.palette import COLOURS
from scripts.lidia.report.read_results import Patient, counterparts
from scripts.lidia.vocabulary import CLASSES, LESION_CLASSES


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
    *,
    words: str = "",
    style: str = "",
) -> str:
    """Lay out an HTML table; the first cell of a row is its heading.

    Args:
        head: headings of the columns, HTML.
        rows: cells, HTML.
        numbers: columns that stand to the right.
        words: what the table is, for those who do not see it.
        style: class of the table in the style sheet.

    Returns:
        The table in a box that scrolls, by keyboard too, where the page is narrower.
    """

    def line(cells: Sequence[str], *kinds: str) -> str:
        marked = []
        for column, cell in enumerate(cells):
            kind = kinds[min(column, len(kinds) - 1)]
            right = ' class="number"' if column in numbers else ""
            scope = {"row": ' scope="row"', "col": ' scope="col"'}.get(kind, "")
            # An empty heading would be read as one
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


def swatch(kind: int) -> str:
    """A class's colour and name."""
    return f'<span class="swatch" style="background:{COLOURS[kind]}"></span>{CLASSES[kind]}'


def legend() -> str:
    """The eight types with their colours."""
    return '<ul class="legend">' + "".join(f"<li>{swatch(kind)}</li>" for kind in LESION_CLASSES) + "</ul>"


def lesion_table(patient: Patient) -> str:
    """Every predicted lesion with its true counterpart, then the true ones that nothing was found for."""
    pairs, rows = counterparts(patient), []
    known = {} if patient.truth is None else {lesion.number: lesion for lesion in patient.truth.lesions}
    for row in patient.result["lesions"]:
        other = known.get(pairs.get(int(row["instance"]), 0))
        truth = "" if patient.truth is None else "nothing" if other is None else swatch(other.kind)
        share = float(row["probabilities"][row["type"]])
        found = (str(row["instance"]), swatch(CLASSES.index(row["type"])), f"{share:.2f}")
        rows.append((*found, f"{row['volume_mm3'] / 1000:.2f}", f"{row['diameter_mm']:.0f}", truth))
    for number, lesion in known.items():
        if number not in pairs.values():
            volume = f"{lesion.part.volume_mm3 / 1000:.2f}"
            rows.append(("", "not found", "", volume, "", swatch(lesion.kind)))
    if not rows:
        return '<p class="soft">No lesion.</p>'
    head = ("no.", "found", "probability", "ml", "mm", "truth" if patient.truth is not None else "")
    return table(head, rows, numbers=(2, 3, 4), words="Lesions")


def interval(metric: Mapping[str, Any]) -> str:
    """`0.912 (0.87 to 0.95)`; a dash where the cohort cannot give the number."""
    if metric["value"] is None:
        return "-"
    text = f"{metric['value']:.3f}"
    if metric.get("low") is not None and metric.get("high") is not None:
        text += f" ({metric['low']:.2f} to {metric['high']:.2f})"
    return text


def metric_table(names: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a metric that is there.

    Args:
        names: key in `metrics.json` -> what it is, in words.
        metrics: content of `metrics.json`.

    Returns:
        The table: value with its 95 % interval, what stands behind it, and what to know of it.
    """
    rows = [
        (escape(words), interval(metrics[key]), str(metrics[key]["n"]), escape(metrics[key].get("note", "")))
        for key, words in names.items()
        if key in metrics
    ]
    return table(("metric", "value (95 % interval)", "of", ""), rows, numbers=(1, 2), words="Metrics")
