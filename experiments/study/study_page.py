"""Render the page of a study: the paper's tables with our rows, and every method by every rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.cohorts import COHORTS
from experiments.study.compare import LESION_METRICS, Method
from experiments.study.markdown import (
    DASH,
    format_difference,
    format_figure,
    format_printed,
    format_seeds,
    render_list,
    render_table,
)
from experiments.study.paper_tables import COLUMNS, ROWS, get_printed_row
from experiments.study.rank_remarks import METRIC_TITLES, RankedRow, compare_order
from experiments.study.systems import Row, System
from scripts.lidia.evaluation.evaluation_files import RULE_TITLES
from scripts.lidia.vocabulary import LESION_TYPES

TITLES = {
    1: "Table 1: comparison with other methods",
    2: "Table 2: fusion of the phases",
    3: "Table 3: ablation",
}
FAIR = ("auc8", "auc2", *LESION_METRICS, "ece", "brier_skill")


class Study(NamedTuple):
    """Content of the page."""

    systems: list[System]
    methods: dict[str, dict[str, Method]]
    """By cohort and method."""
    differences: dict[str, dict[str, Any]]
    """By cohort, method and metric, to the reference."""
    seeds: dict[str, dict[str, dict[str, list[float]]]]
    """By cohort, method and metric: mean, SD, runs."""
    budget: dict[str, dict[str, Any]]
    """By method."""
    missing: list[str]
    """Runs and cohorts that are not finished."""
    reference: str
    remarks: Mapping[str, Sequence[str]]
    """By table ("1"): explanations why our order differs from the paper's."""


def render_paper_table(study: Study, number: int, cohort: str) -> list[str]:
    """Render one of the paper's tables: our rows, differences to the reference, seeds, the paper's row.

    Args:
        study: the figures.
        number: of the table.
        cohort: `internal` or `external`. The paper's rows are added for the internal cohort only. The
            external cohort has rows of the systems that are evaluated on it, and no table without any.
    """
    columns = COLUMNS[number]
    lines: list[list[str]] = []
    ranked: list[RankedRow] = []
    evaluated = [(system, row) for system, row in list_rows(study, number) if cohort in system.cohorts]
    if cohort != "internal" and not evaluated:
        return []
    for system, row in evaluated:
        rules = [row.rule, *(["livermax"] if number == 2 and row.rule != "livermax" else [])]
        for rule in rules:
            lines += _render_our_row(study, cohort, system, row, rule, columns)
        printed = get_printed_row(number, row.paper)
        if printed and cohort == "internal":
            cells = [format_printed(printed.get(key)) for key in columns]
            lines.append(["", f"*paper: {row.paper}*", *cells])
        method = study.methods[cohort].get(f"{system.name}+{row.rule}")
        if method is not None:
            ranked.append(RankedRow(row.label, method, printed))
    for name in ("oracle", "floor"):
        if name in study.methods[cohort]:
            figures = study.methods[cohort][name].figures
            lines.append([name, "true masks", *(format_figure(figures[key]) for key in columns)])
    count = max((method.patients for method in study.methods[cohort].values()), default=0)
    page = [f"### {TITLES[number]}, {cohort} cohort", "", _format_caption(cohort, count, study.reference), ""]
    page += render_table(["method", "", *(_get_title(key) for key in columns)], lines)
    if cohort == "internal":
        remarks = [w for key in (columns if number == 1 else ("auc8",)) for w in compare_order(ranked, key)]
        page += (
            ["Comparison of our order with the paper's order:", "", *render_list(remarks)] if remarks else []
        )
        why = study.remarks.get(str(number), ()) if remarks else ()
        page += ["Possible reasons:", "", *render_list(why)] if why else []
        page += _list_missing_rows(study, number)
    return page


def render_all_methods(study: Study, cohort: str) -> list[str]:
    """Render every finished method by every rule, with the paired difference to the reference."""
    methods, gaps = study.methods[cohort], study.differences.get(cohort, {})
    lines, types = [], []
    for name, method in methods.items():
        cells = [format_figure(method.figures[key]) for key in FAIR]
        gap = [format_difference(gaps.get(name, {}).get(key, {})) for key in ("auc8", "auc2")]
        lines.append([name, *cells, *gap])
        figures = [method.figures[f"auc_{kind}"] for kind in LESION_TYPES]
        spread = study.seeds[cohort].get(name, {}).get("auc8")
        types.append([name, *map(format_figure, [*figures, method.figures["auc8"]]), format_seeds(spread)])
    count = max((method.patients for method in methods.values()), default=0)
    head = ["method", *(_get_title(key) for key in FAIR)]
    page = [f"### Every method by every rule, {cohort} cohort", ""]
    page += [_format_caption(cohort, count, study.reference), ""]
    page += render_table([*head, f"{study.reference} minus it: AUC-8", "AUC-2"], lines)
    page += [f"Areas under the curve of each type, {cohort} cohort, synthetic patients:", ""]
    return page + render_table(["method", *LESION_TYPES, "mean", "mean ± SD of seeds"], types)


def render_budget(study: Study) -> list[str]:
    """Render the cost and the data of each training."""
    lines = []
    for name, budget in study.budget.items():
        system = name.partition("+")[0]
        if name in (f"{system}+livermax", "oracle"):
            hours = DASH if budget["seconds"] is None else f"{budget['seconds'] / 3600:.2f}"
            seeds = ", ".join(map(str, budget["seeds"])) or DASH
            lines.append([system, str(budget["steps"] or DASH), hours, seeds, budget["phantom"] or DASH])
    page = [
        "### The budget of each method",
        "",
        "Budgets were fixed before the study, as a number of steps. CPU hours are those of the steps of one "
        "seed, on the machine that ran them. Synthetic patients.",
        "",
    ]
    return page + render_table(["method", "steps", "CPU hours", "seeds", "phantom"], lines)


def render_page(study: Study, pictures: Sequence[str]) -> str:
    """Render the page.

    Args:
        study: the figures.
        pictures: lines that show the figures.
    """
    page = ["# The study", "", *_render_introduction(study), *render_budget(study)]
    for cohort in COHORTS:
        page += [f"## {cohort.capitalize()} cohort (synthetic)", ""]
        for number in TITLES:
            page += render_paper_table(study, number, cohort)
        page += render_all_methods(study, cohort)
    return "\n".join([*page, *pictures]).rstrip() + "\n"


def _render_introduction(study: Study) -> list[str]:
    names = sorted({name for methods in study.methods.values() for name in methods})
    lines = [
        "**All patients here are synthetic** (the phantom). The paper's numbers, in italics, are from real "
        "patients. Only the order of methods can be compared. Intervals are 95 % percentiles of a bootstrap "
        "over patients. A paired test uses the same patients for both methods. Its p does not include the "
        "variation between trainings, which the SD over seeds shows if there are several seeds. It is not "
        "corrected for the number of comparisons. Differences below 0.03 in AUC-8 on some 300 patients are "
        "noise.",
        "",
        "Patients are scored by LiverMax, by pixel count, or by a patient branch. The lesions do not depend "
        "on this choice. Oracle and floor use the true masks and no output of a network: the oracle is a "
        "random forest on many features, the floor is a logistic regression on four mean differences.",
        "",
        f"Finished: {len(names)} methods." if names else "Nothing is finished yet.",
        "",
    ]
    return lines + ([f"Missing so far: {', '.join(study.missing)}.", ""] if study.missing else [])


def list_rows(study: Study, number: int) -> list[tuple[System, Row]]:
    """List our rows of one of the paper's tables in the paper's order, rows that it lacks last."""
    rows = [(system, row) for system in study.systems for row in system.rows if row.table == number]
    order = list(ROWS[number])
    return sorted(rows, key=lambda pair: order.index(pair[1].paper) if pair[1].paper in order else len(order))


def _render_our_row(
    study: Study, cohort: str, system: System, row: Row, rule: str, columns: Sequence[str]
) -> list[list[str]]:
    name = f"{system.name}+{rule}"
    method = study.methods[cohort].get(name)
    if method is None:
        return [[row.label, f"{RULE_TITLES[rule]}: missing", *(DASH for _ in columns)]]
    lines = [[row.label, RULE_TITLES[rule], *(format_figure(method.figures[key]) for key in columns)]]
    gaps: Mapping[str, Any] = study.differences.get(cohort, {}).get(name, {})
    if gaps:
        cells = [format_difference(gaps.get(key, {})) for key in columns]
        lines.append(["", f"{study.reference} minus it", *cells])
    spread = study.seeds[cohort].get(name)
    if spread:
        count = next(int(values[2]) for values in spread.values())
        cells = [format_seeds(spread.get(key)) for key in columns]
        lines.append(["", f"mean ± SD of {count} seeds", *cells])
    return lines


def _list_missing_rows(study: Study, number: int) -> list[str]:
    """Name the rows of the paper without a system."""
    present = {row.paper for _, row in list_rows(study, number)}
    missing = [name for name in ROWS[number] if name not in present]
    return [f"Rows of the paper without a counterpart here: {', '.join(missing)}.", ""] if missing else []


def _format_caption(cohort: str, patients: int, reference: str) -> str:
    return (
        f"{patients} synthetic patients of the {cohort} cohort; differences are {reference} minus the method."
    )


def _get_title(metric: str) -> str:
    return METRIC_TITLES.get(metric, metric.removeprefix("auc_"))
