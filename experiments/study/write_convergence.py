"""Write `convergence.md`, `convergence.json` and the pictures from the stored rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.study.cohorts import COHORTS
from experiments.study.compare import Method, compare_to_reference, evaluate_methods
from experiments.study.convergence_page import Convergence, PlannedCurve, render_convergence
from experiments.study.curve import Curve, list_points, read_curve
from experiments.study.curve_chart import Line, draw_curves
from experiments.study.figures import draw_pictures
from experiments.study.flatness import FlatnessRule, judge_flatness, read_rule
from experiments.study.row_plan import BEST_RIVAL, find_best_rival, read_plan, resolve_run
from experiments.study.seed_differences import compare_steps
from experiments.study.study_page import TITLES, Study
from experiments.study.systems import System, list_runs, read_systems
from experiments.study.time_to_accuracy import compare_with_rival, list_values, tabulate_arrivals
from experiments.study.write_study import collect_study, read_evaluations
from scripts.lidia.atomic import write_json, write_text
from scripts.lidia.metrics.intervals import DRAWS


def write_convergence(
    *,
    archive: str | None,
    output_dir: str,
    systems: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Any]],
    reference: str = "lidia",
    score: str = "livermax",
    rule: Mapping[str, Any] | None = None,
    levels: Mapping[str, Sequence[float]] | None = None,
    plotted_parts: Sequence[str] = (),
    table_references: Mapping[str, str] | None = None,
    ablation_steps: Mapping[str, Sequence[str]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Path:
    """Write the page and its data into the parent folder of the archive.

    Args:
        archive: folder of the archive; `convergence` in `output_dir` if None or empty.
        output_dir: of the study.
        systems: see `read_systems`.
        parts: see `run_convergence`.
        reference: system that is compared with its best rival.
        score: rule of the patient scores of curves and rule of flatness.
        rule: see `read_rule`.
        levels: values of `auc8` and `dice` whose time is tabulated.
        plotted_parts: parts whose curves are drawn together; the others have a chart of their own.
        table_references: method that the others are compared with, by number of the paper's table; by default
            the reference by LiverMax.
        ablation_steps: parts of the method by name: the method with the part, and the method without it; in
            a name `best_rival` stands for the best rival.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        The page.
    """
    folder = Path(archive).absolute() if archive else Path(output_dir).absolute() / "convergence"
    system_list, constants = read_systems(systems), read_rule(dict(rule or {}))
    planned, rival = _read_rows(folder, system_list, parts, reference, score, constants)
    curves = {row.name: row.curve for row in planned if row.curve is not None}
    system_list = _count_seeds(system_list, curves)
    methods = _evaluate(folder, system_list, draws, seed)
    studies = _collect_studies(folder, system_list, methods, f"{reference}+livermax", table_references or {})
    runs = {system.name: [run.name for run in list_runs([system])] for system in system_list}
    pairs = {
        name: [method.replace(BEST_RIVAL, rival or BEST_RIVAL) for method in pair]
        for name, pair in (ablation_steps or {}).items()
    }
    comparison = None
    if rival is not None and reference in curves:
        comparison = compare_with_rival(
            curves[reference], curves[rival], rival, score=score, window=constants.window
        )
    content = Convergence(
        rows=planned,
        rule=constants,
        score=score,
        levels={metric: list(values) for metric, values in (levels or {}).items()},
        arrivals=tabulate_arrivals(curves, levels or {}, score),
        reference=reference,
        comparison=comparison,
        steps=compare_steps(pairs, methods["internal"], runs, seed),
        studies=studies,
    )
    write_json(folder.with_name("convergence.json"), _to_json(content, methods))
    curve_charts = _draw_charts(folder, content, plotted_parts)
    evaluation = read_evaluations(folder, system_list, "internal").get(reference)
    pictures = draw_pictures(folder, studies[1], evaluation, draws, seed)
    page = folder.with_name("convergence.md")
    write_text(page, render_convergence(content, curve_charts, pictures))
    return page


def _read_rows(
    folder: Path,
    systems: list[System],
    parts: Mapping[str, Mapping[str, Any]],
    reference: str,
    score: str,
    rule: FlatnessRule,
) -> tuple[list[PlannedCurve], str | None]:
    """Read the curve of every planned row, and find the best rival."""
    plan = read_plan(systems, parts)
    names = [run.name for row in plan if (run := resolve_run(row, systems, None)) is not None]
    stored = {name: curve for name in names if (curve := read_curve(folder, name)) is not None}
    rival = find_best_rival(plan, stored, reference, score, rule.window)
    rows = []
    for row in plan:
        run = resolve_run(row, systems, rival)
        curve = None if run is None else read_curve(folder, run.name)
        verdict = None if curve is None else judge_flatness(list_points(curve, score), rule)
        name = f"{BEST_RIVAL}_seed{row.seed}" if run is None else run.name
        label = "best rival" if run is None else run.system.label
        rows.append(PlannedCurve(row, name, label, curve, verdict))
    return rows, rival


def _count_seeds(systems: list[System], curves: Mapping[str, Curve]) -> list[System]:
    """Set the number of seeds of each system to that of its trainings."""
    return [
        system._replace(
            seeds=max(
                1, sum(name == system.name or name.startswith(f"{system.name}_seed") for name in curves)
            )
        )
        for system in systems
    ]


def _evaluate(folder: Path, systems: list[System], draws: int, seed: int) -> dict[str, dict[str, Method]]:
    return {
        cohort: evaluate_methods(read_evaluations(folder, systems, cohort), draws, seed) for cohort in COHORTS
    }


def _collect_studies(
    folder: Path,
    systems: list[System],
    methods: Mapping[str, Mapping[str, Method]],
    reference: str,
    table_references: Mapping[str, str],
) -> dict[int, Study]:
    """Collect the figures of each of the paper's tables, with differences to the reference of the table."""
    study = collect_study(folder, systems, methods, reference, {})
    studies = {}
    for number in TITLES:
        other = table_references.get(str(number), reference)
        gaps = {cohort: compare_to_reference(study.methods[cohort], other) for cohort in study.methods}
        studies[number] = study._replace(reference=other, differences=gaps)
    return studies


def _to_json(content: Convergence, methods: Mapping[str, Mapping[str, Method]]) -> dict[str, Any]:
    """Build the data of the page: the points of every chart, the tables and the verdicts."""
    rows = {}
    for row in content.rows:
        record: dict[str, Any] = {
            "part": row.planned.part,
            "label": row.label,
            "cap_hours": row.planned.cap_hours,
        }
        if row.curve is not None and row.verdict is not None:
            record |= {"ended": row.curve.ended, "cpu_hours": row.curve.cpu_hours, **row.verdict._asdict()}
            record["curves"] = {
                metric: [list(point) for point in list_values(row.curve, metric, content.score)]
                for metric in ("auc8", "dice")
            }
        rows[row.name] = record
    comparison = content.comparison
    return {
        "rule": content.rule._asdict(),
        "score": content.score,
        "curve_columns": ["step", "cpu_hours", "value"],
        "rows": rows,
        "time_to_accuracy": content.arrivals,
        "best_rival": None if comparison is None else comparison._asdict(),
        "steps": content.steps,
        **{cohort: {name: m.figures for name, m in methods[cohort].items()} for cohort in COHORTS},
        "differences": {number: study.differences for number, study in content.studies.items()},
    }


def _draw_charts(folder: Path, content: Convergence, plotted_parts: Sequence[str]) -> list[str]:
    """Draw the curves of the plotted parts and those of the others; return the lines that show them."""
    lines = []
    for name, is_main in (("curves", True), ("curves_short", False)):
        rows = [
            row
            for row in content.rows
            if row.curve is not None and row.curve.rounds and (row.planned.part in plotted_parts) == is_main
        ]
        if not rows:
            continue
        title = "Validation patients (synthetic) after each round"
        path = draw_curves(
            folder / f"figures/{name}.png",
            [_make_line(row, content.score) for row in rows],
            content.levels,
            title,
        )
        where = path.relative_to(folder.parent).as_posix()
        lines += [f"![AUC-8 and Dice of the validation patients by CPU hours, synthetic]({where})", ""]
    return lines


def _make_line(row: PlannedCurve, score: str) -> Line:
    assert row.curve is not None
    values = {metric: list_values(row.curve, metric, score) for metric in ("auc8", "dice")}
    seed = row.planned.seed
    return Line(
        f"{row.label}, seed {seed}" if seed else row.label,
        row.name.partition("_seed")[0],
        seed,
        {metric: [hours for _, hours, _ in points] for metric, points in values.items()},
        {metric: [value for _, _, value in points] for metric, points in values.items()},
    )
