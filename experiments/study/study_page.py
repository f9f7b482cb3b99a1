"""The page of a study: the paper's tables with ours above theirs, and every method by every rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.cohorts import COHORTS
from experiments.study.compare import LESION_METRICS, Method
from experiments.study.markdown import (
    DASH,
    bullets,
    difference_cell,
    figure_cell,
    printed_cell,
    seeds_cell,
    table,
)
from experiments.study.paper_tables import COLUMNS, ROWS, printed
from experiments.study.rank_remarks import WORDS, Placed, order_words
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
    """All that a page tells."""

    systems: list[System]
    found: dict[str, dict[str, Method]]
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
    """By table ("1"): sentences on why our order differs from the paper's."""


def paper_table(study: Study, number: int, cohort: str) -> list[str]:
    """One of the paper's tables: ours, its difference to the reference, its seeds, the paper's own row.

    Args:
        study: the figures.
        number: of the table.
        cohort: whose figures; the paper's own, of its internal one, stand beside the internal ones. The
            external cohort has rows of the systems that are judged on it, and no table without any.
    """
    columns = COLUMNS[number]
    lines: list[list[str]] = []
    placed: list[Placed] = []
    judged = [(system, row) for system, row in rows_of(study, number) if cohort in system.cohorts]
    if cohort != "internal" and not judged:
        return []
    for system, row in judged:
        rules = [row.rule, *(["livermax"] if number == 2 and row.rule != "livermax" else [])]
        for rule in rules:
            lines += _ours(study, cohort, system, row, rule, columns)
        theirs = printed(number, row.paper)
        if theirs and cohort == "internal":
            cells = [printed_cell(theirs.get(key)) for key in columns]
            lines.append(["", f"*paper: {row.paper}*", *cells])
        method = study.found[cohort].get(f"{system.name}+{row.rule}")
        if method is not None:
            placed.append(Placed(row.label, method, theirs))
    for name in ("oracle", "floor"):
        if name in study.found[cohort]:
            figures = study.found[cohort][name].figures
            lines.append([name, "true masks", *(figure_cell(figures[key]) for key in columns)])
    count = max((method.patients for method in study.found[cohort].values()), default=0)
    page = [f"### {TITLES[number]}, {cohort} cohort", "", _caption(cohort, count, study.reference), ""]
    page += table(["method", "", *(_title(key) for key in columns)], lines)
    if cohort == "internal":
        said = [w for key in (columns if number == 1 else ("auc8",)) for w in order_words(placed, key)]
        page += ["Our order beside the paper's:", "", *bullets(said)] if said else []
        why = study.remarks.get(str(number), ()) if said else ()
        page += ["Why, as far as we know:", "", *bullets(why)] if why else []
        page += _without(study, number)
    return page


def fair_rows(study: Study, cohort: str) -> list[str]:
    """Every finished method by every rule, with the paired difference to the reference."""
    found, gaps = study.found[cohort], study.differences.get(cohort, {})
    lines, types = [], []
    for name, method in found.items():
        cells = [figure_cell(method.figures[key]) for key in FAIR]
        gap = [difference_cell(gaps.get(name, {}).get(key, {})) for key in ("auc8", "auc2")]
        lines.append([name, *cells, *gap])
        figures = [method.figures[f"auc_{kind}"] for kind in LESION_TYPES]
        spread = study.seeds[cohort].get(name, {}).get("auc8")
        types.append([name, *map(figure_cell, [*figures, method.figures["auc8"]]), seeds_cell(spread)])
    count = max((method.patients for method in found.values()), default=0)
    head = ["method", *(_title(key) for key in FAIR)]
    page = [f"### Every method by every rule, {cohort} cohort", ""]
    page += [_caption(cohort, count, study.reference), ""]
    page += table([*head, f"{study.reference} minus it: AUC-8", "AUC-2"], lines)
    page += [f"Areas under the curve of each type, {cohort} cohort, synthetic patients:", ""]
    return page + table(["method", *LESION_TYPES, "mean", "mean ± SD of seeds"], types)


def budget_rows(study: Study) -> list[str]:
    """What each training cost and on what it was trained."""
    lines = []
    for name, said in study.budget.items():
        system = name.partition("+")[0]
        if name in (f"{system}+livermax", "oracle"):
            hours = DASH if said["seconds"] is None else f"{said['seconds'] / 3600:.2f}"
            seeds = ", ".join(map(str, said["seeds"])) or DASH
            lines.append([system, str(said["steps"] or DASH), hours, seeds, said["phantom"] or DASH])
    page = [
        "### What each method was given",
        "",
        "Budgets were fixed beforehand, as steps. CPU hours are those of one seed's steps, on the machine "
        "that ran it. Synthetic patients.",
        "",
    ]
    return page + table(["method", "steps", "CPU hours", "seeds", "phantom"], lines)


def whole_page(study: Study, pictures: Sequence[str]) -> str:
    """The page.

    Args:
        study: the figures.
        pictures: lines that show the figures.
    """
    page = ["# The study", "", *_introduction(study), *budget_rows(study)]
    for cohort in COHORTS:
        page += [f"## {cohort.capitalize()} cohort (synthetic)", ""]
        for number in TITLES:
            page += paper_table(study, number, cohort)
        page += fair_rows(study, cohort)
    return "\n".join([*page, *pictures]).rstrip() + "\n"


def _introduction(study: Study) -> list[str]:
    done = sorted({name for found in study.found.values() for name in found})
    said = [
        "**All patients here are synthetic** (the phantom). The paper's numbers, in italics, are of real "
        "patients: only the order of methods can be compared. Intervals are 95 % percentiles of a bootstrap "
        "over patients. A paired test takes the same patients for both methods. Its p says nothing of the "
        "luck of a training, which the SD over seeds shows where there are several, and is not corrected for "
        "the number of comparisons. Differences below 0.03 in AUC-8 on some 300 patients are noise.",
        "",
        "Patients are scored by LiverMax, by pixel count, or by a patient branch; lesions do not depend on "
        "it. Oracle and floor read the true masks and no network's output: a random forest on rich features, "
        "a logistic regression on four mean differences.",
        "",
        f"Finished: {len(done)} methods." if done else "Nothing is finished yet.",
        "",
    ]
    return said + ([f"Missing so far: {', '.join(study.missing)}.", ""] if study.missing else [])


def rows_of(study: Study, number: int) -> list[tuple[System, Row]]:
    """Our rows of one of the paper's tables in the paper's order, those that it does not have behind."""
    rows = [(system, row) for system in study.systems for row in system.rows if row.table == number]
    order = list(ROWS[number])
    return sorted(rows, key=lambda one: order.index(one[1].paper) if one[1].paper in order else len(order))


def _ours(
    study: Study, cohort: str, system: System, row: Row, rule: str, columns: Sequence[str]
) -> list[list[str]]:
    name = f"{system.name}+{rule}"
    method = study.found[cohort].get(name)
    if method is None:
        return [[row.label, f"{RULE_TITLES[rule]}: missing", *(DASH for _ in columns)]]
    lines = [[row.label, RULE_TITLES[rule], *(figure_cell(method.figures[key]) for key in columns)]]
    gaps: Mapping[str, Any] = study.differences.get(cohort, {}).get(name, {})
    if gaps:
        cells = [difference_cell(gaps.get(key, {})) for key in columns]
        lines.append(["", f"{study.reference} minus it", *cells])
    spread = study.seeds[cohort].get(name)
    if spread:
        count = next(int(values[2]) for values in spread.values())
        cells = [seeds_cell(spread.get(key)) for key in columns]
        lines.append(["", f"mean ± SD of {count} seeds", *cells])
    return lines


def _without(study: Study, number: int) -> list[str]:
    """Rows of the paper that no system stands for."""
    here = {row.paper for _, row in rows_of(study, number)}
    lost = [name for name in ROWS[number] if name not in here]
    return [f"Rows of the paper without a counterpart here: {', '.join(lost)}.", ""] if lost else []


def _caption(cohort: str, patients: int, reference: str) -> str:
    return (
        f"{patients} synthetic patients of the {cohort} cohort; differences are {reference} minus the method."
    )


def _title(metric: str) -> str:
    return WORDS.get(metric, metric.removeprefix("auc_"))
