"""Render tables: the lesions of a patient, and the metrics of a cohort with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from scripts.lidia.report.palette import GROUP_COLOUR, TYPE_COLOURS
from scripts.lidia.report.read_results import Patient, match_true_lesions
from scripts.lidia.report.render_template import render_template
from scripts.lidia.vocabulary import CLASSES


def render_table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    numbers: Sequence[int] = (),
    *,
    label: str = "",
    style: str = "",
) -> Markup:
    """Render an HTML table in a box that scrolls (also by keyboard) on a narrow page.

    Args:
        head: headings of the columns, text or `Markup`.
        rows: cells, text or `Markup`; the first cell of a row is its heading.
        numbers: right-aligned columns.
        label: description for screen readers.
        style: CSS class of the table.
    """
    return render_template("table", head=head, rows=rows, numbers=numbers, label=label, style=style)


def render_name(name: str) -> Markup:
    """Render the name of a type or group with its colour."""
    colour = TYPE_COLOURS.get(name, GROUP_COLOUR)
    return Markup('<span class="swatch" style="background:{}"></span>{}').format(colour, name)


def render_lesion_table(patient: Patient) -> Markup:
    """Render the predicted lesions with their true counterparts, then the missed true lesions."""
    pairs = match_true_lesions(patient)
    rows: list[tuple[str, ...]] = []
    true_lesions = {lesion.number: lesion for lesion in patient.truth.lesions} if patient.truth else {}
    for row in patient.result["lesions"]:
        other = true_lesions.get(pairs.get(int(row["instance"]), 0))
        truth = "nothing" if other is None else render_name(CLASSES[other.kind])
        share = float(row["probabilities"][row["type"]])
        cells = (str(row["instance"]), render_name(row["type"]), f"{share:.2f}")
        sizes = (f"{row['volume_mm3'] / 1000:.2f}", f"{row['diameter_mm']:.0f}")
        rows.append((*cells, *sizes, "" if patient.truth is None else truth))
    for number, lesion in true_lesions.items():
        if number not in pairs.values():
            volume = f"{lesion.component.volume_mm3 / 1000:.2f}"
            rows.append(("", "not found", "", volume, "", render_name(CLASSES[lesion.kind])))
    if not rows:
        return Markup('<p class="soft">No lesion.</p>')
    head = ("no.", "found", "probability", "ml", "mm", "truth" if patient.truth is not None else "")
    return render_table(head, rows, numbers=(2, 3, 4), label="Lesions")


def format_interval(metric: Mapping[str, Any]) -> str:
    """Format a metric as `0.912 (0.87 to 0.95)`; a dash if it is undefined for the cohort."""
    if metric["value"] is None:
        return "-"
    text = f"{metric['value']:.3f}"
    if metric.get("low") is not None and metric.get("high") is not None:
        text += f" ({metric['low']:.2f} to {metric['high']:.2f})"
    return text


def render_metric_table(names: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Render one row for each metric that is present.

    Args:
        names: key in `metrics.json` -> title.
        metrics: content of `metrics.json`.

    Returns:
        The table: value with 95 % interval, sample size, and note.
    """
    rows = [
        (words, format_interval(metrics[key]), metrics[key]["n"], metrics[key].get("note", ""))
        for key, words in names.items()
        if key in metrics
    ]
    return render_table(("metric", "value (95 % interval)", "of", ""), rows, numbers=(1, 2), label="Metrics")
