"""Render the page of the study at convergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.study.cohorts import COHORTS
from experiments.study.curve import ENDINGS, SECONDS, Curve
from experiments.study.flatness import FlatnessRule, Verdict
from experiments.study.markdown import DASH, format_difference, render_table
from experiments.study.rank_remarks import METRIC_TITLES
from experiments.study.row_plan import PlannedRow
from experiments.study.seed_differences import COMPARED
from experiments.study.study_page import TITLES, Study, render_all_methods, render_paper_table
from experiments.study.time_to_accuracy import RivalComparison
from scripts.lidia.evaluation.evaluation_files import RULE_TITLES

GOAL = 0.5
"""Largest share of the best rival's hours that the reference should need."""


class PlannedCurve(NamedTuple):
    """A planned row and what is stored of it."""

    planned: PlannedRow
    name: str
    """Of the run."""
    label: str
    curve: Curve | None
    """None if the row was not run."""
    verdict: Verdict | None


class Convergence(NamedTuple):
    """Content of the page."""

    rows: list[PlannedCurve]
    rule: FlatnessRule
    score: str
    levels: dict[str, list[float]]
    arrivals: dict[str, dict[str, dict[str, Any]]]
    """By run, metric and level."""
    reference: str
    comparison: RivalComparison | None
    steps: dict[str, dict[str, Any] | None]
    """By name of the step; None if it is not measured."""
    studies: dict[int, Study]
    """By number of the paper's table."""


def render_convergence(content: Convergence, charts: Sequence[str], pictures: Sequence[str]) -> str:
    """Render the page.

    Args:
        content: the figures.
        charts: lines that show the curves.
        pictures: lines that show the other figures.
    """
    page = ["# The study at convergence", "", *_render_introduction(content)]
    page += ["## How each training ended", "", *_render_endings(content)]
    page += ["## Validation curves", "", *(charts or ["No training has an evaluation yet.", ""])]
    page += ["## Time to accuracy", "", *_render_arrivals(content), *render_comparison(content), ""]
    page += ["## What each part of the method is worth", "", *_render_steps(content)]
    for cohort in COHORTS:
        page += [f"## {cohort.capitalize()} cohort (synthetic)", ""]
        for number in TITLES:
            page += render_paper_table(content.studies[number], number, cohort)
        page += render_all_methods(content.studies[1], cohort)
    return "\n".join([*page, *pictures]).rstrip() + "\n"


def _render_introduction(content: Convergence) -> list[str]:
    rule = content.rule
    return [
        "**All patients here are synthetic** (the phantom). Each system trains in rounds. After each round "
        "its averaged weights are evaluated on the same validation patients. A training ends when its curve "
        "is flat or at a cap of CPU hours, which count the steps of the training and not the evaluations. "
        f"The curve is flat when AUC-8 ({RULE_TITLES[content.score]}) and the Dice of all lesions, each the "
        f"mean of the last {rule.window} evaluations, gain less than {rule.gain:g} over the last "
        f"{rule.share:.0%} of the steps. The two means of a gain share no evaluation.",
        "",
        "All systems have the same grid, crops, spatial augmentation, phase dropout, and a constant learning "
        "rate with averaged weights. nnU-Net with SGD keeps its own schedule and ends with it.",
        "",
    ]


def _render_endings(content: Convergence) -> list[str]:
    lines = []
    for row in content.rows:
        cap, seed = f"{row.planned.cap_hours:g}", str(row.planned.seed)
        if row.curve is None or row.verdict is None or not row.curve.rounds:
            lines.append([row.planned.part, row.label, seed, cap, "**not run**", *[DASH] * 6])
            continue
        last, verdict = row.curve.rounds[-1], row.verdict
        ended = ENDINGS[row.curve.ended] if row.curve.ended else "**not finished**"
        shared = f"; the first rounds of {row.curve.shared_with}" if row.curve.shared_with else ""
        figures = [
            f"{group[metric]:{form}}" if group else DASH
            for group, form in ((verdict.means, ".3f"), (verdict.gains, "+.3f"))
            for metric in ("auc8", "dice")
        ]
        hours = f"{last.cpu_seconds / SECONDS:.2f}"
        lines.append([
            row.planned.part,
            row.label,
            seed,
            cap,
            ended + shared,
            str(last.step),
            hours,
            *figures,
        ])
    head = ["part", "system", "seed", "cap (CPU h)", "ended by", "steps", "CPU hours"]
    return render_table([*head, "final AUC-8", "final Dice", "gain of AUC-8", "gain of Dice"], lines)


def _render_arrivals(content: Convergence) -> list[str]:
    columns = [(metric, f"{level:g}") for metric, levels in content.levels.items() for level in levels]
    lines = []
    for row in content.rows:
        if row.curve is None or row.curve.shared_with is not None:
            continue
        label = f"{row.label}, seed {row.planned.seed}" if row.planned.seed else row.label
        cells = [content.arrivals[row.name][metric][level] for metric, level in columns]
        lines.append([label, *(_format_arrival(cell) for cell in cells)])
    text = "CPU hours and steps until the first evaluation that reaches a value, on the validation patients. "
    head = ["system", *(f"{METRIC_TITLES[metric]} {level}" for metric, level in columns)]
    return [text + "The resolution is one round.", "", *render_table(head, lines)]


def _format_arrival(arrival: Mapping[str, Any] | None) -> str:
    return "not reached" if arrival is None else f"{arrival['cpu_hours']:.2f} h, {arrival['steps']} steps"


def render_comparison(content: Convergence) -> list[str]:
    """State the hours of the reference until the final AUC-8 of its best rival."""
    comparison, reference = content.comparison, content.reference
    if comparison is None:
        return ["The best rival is not known before all rivals of the first part have finished."]
    text = (
        f"The best rival is {comparison.rival}: its final AUC-8 is {comparison.level:.3f} after "
        f"{comparison.rival_total_hours:.2f} CPU hours"
    )
    own, other = comparison.reference_hours, comparison.rival_hours
    text += ". " if other is None else f"; it first reaches this value after {other:.2f} CPU hours. "
    if own is None:
        return [f"{text}{reference} does not reach this value: the goal is not reached."]
    if other is None:
        other = comparison.rival_total_hours
    verdict = "reached" if own <= GOAL * other else "not reached"
    return [
        f"{text}{reference} reaches it after {own:.2f} CPU hours, {own / other:.0%} of the rival's. The "
        f"goal, at most {GOAL:.0%}, is {verdict}."
    ]


def _render_steps(content: Convergence) -> list[str]:
    lines = []
    for name, step in content.steps.items():
        if step is None:
            lines.append([name, *[DASH] * 2, "**not measured**", *[DASH] * (len(COMPARED) - 1)])
            continue
        first, second = step["methods"]
        runs = " and ".join(str(count) for count in step["runs"])
        cells = [format_difference(step["differences"][metric]) for metric in COMPARED]
        lines.append([name, f"{first} minus {second}", runs, *cells])
    head = ["part", "difference", "seeds", *(METRIC_TITLES[metric] for metric in COMPARED)]
    text = (
        "Differences on the internal cohort with 95 % intervals of a paired bootstrap over patients and "
        "seeds. With one seed of each method the interval is over patients alone, without the variation "
        "between trainings."
    )
    return [text, "", *render_table(head, lines)]
