"""Train systems until their validation curves are flat, one after the other, in rounds that resume.

After each round the averaged weights are evaluated on the same validation patients, and the round is stored
in the archive. When a training ends, its weights are evaluated on the cohorts, as those of `run_study` are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.study.curve import Curve
from experiments.study.flatness import read_rule
from experiments.study.jobs import StudyPaths, make_evaluation_jobs, make_phase_jobs
from experiments.study.process import StudyError
from experiments.study.rounds import make_round_job
from experiments.study.row_plan import (
    BEST_RIVAL,
    PlannedRow,
    RoundLength,
    find_best_rival,
    read_plan,
    read_round_lengths,
    resolve_run,
)
from experiments.study.runner import Outcome, check_overlays
from experiments.study.systems import Run, read_systems
from experiments.study.train_row import Settings, evaluate_row, locate_last_weights, train_row

logger = logging.getLogger(__name__)


def run_convergence(
    *,
    systems: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Any]],
    round_lengths: Mapping[str, Mapping[str, Any]],
    dataset_dir: str,
    external_dir: str,
    output_dir: str,
    bundle_root: str,
    archive: str | None = None,
    options: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    validation_patients: int = 120,
    reference: str = "lidia",
    score: str = "livermax",
    rule: Mapping[str, Any] | None = None,
    budget_hours: float = 30.0,
    phases: Mapping[str, Any] | None = None,
) -> Outcome:
    """Train the rows of all parts in their order; finished work is not repeated.

    Args:
        systems: see `read_systems`.
        parts: by name `{systems, seed, cap_hours}`; `best_rival` stands for the system of the first part,
            other than the reference, with the largest final AUC-8.
        round_lengths: by system `{epochs, first_parts, schedule_epochs}`: epochs of a round, parts of the
            first round, and length of an own schedule.
        dataset_dir: cohort to train on; its `validation` section is evaluated after each round, its `test`
            section is the internal cohort.
        external_dir: cohort whose `test` section is the external one.
        output_dir: one folder per run: states, logs, weights and files of each round.
        bundle_root: the bundle.
        archive: folder of the small results; by default, and if empty, `convergence` in `output_dir`.
        options: given to every training.
        evaluation: options given to every evaluation.
        validation_patients: patients of the evaluation after a round, the first of the section.
        reference: system that is compared with its best rival.
        score: rule of the patient scores whose AUC-8 the rule of flatness reads, for all systems.
        rule: see `read_rule`.
        budget_hours: CPU hours of all trainings, after which no further row begins.
        phases: `{systems, patients, subsets}` of the evaluations with phase subsets; None for none.

    Returns:
        The archive, and messages of what failed.
    """
    paths = StudyPaths.read(bundle_root, output_dir, dataset_dir, external_dir)
    system_list = read_systems(systems)
    settings = Settings(
        paths,
        Path(archive).absolute() if archive else paths.output / "convergence",
        dict(options or {}),
        dict(evaluation or {}),
        read_round_lengths(system_list, round_lengths),
        validation_patients,
        score,
        read_rule(dict(rule or {})),
    )
    check_overlays(paths, system_list)
    plan, runs, failed = read_plan(system_list, parts), dict[str, Run](), list[str]()
    curves: dict[str, Curve] = {}
    done: list[tuple[PlannedRow, Run]] = []
    for row in plan:
        rival = find_best_rival(plan, curves, reference, score, settings.rule.window)
        run = resolve_run(row, system_list, rival)
        if run is None:
            logger.warning("Part %s: the best rival is not known, because a rival did not finish", row.part)
            continue
        try:
            base = find_longer_run(settings, row, run, done)
            hours = sum(curve.cpu_hours for curve in curves.values() if curve.shared_with is None)
            curve = train_row(settings, row, run, base, budget_hours - hours)
            if curve is None:
                logger.warning("%s is not run: the budget of %g CPU hours is spent", run.name, budget_hours)
                continue
            curves[run.name], runs[run.name] = curve, run
            done.append((row, run))
            weights = locate_last_weights(settings, run, curve)
            jobs = make_evaluation_jobs(settings.paths, run, weights, settings.evaluation, 0.0)
            evaluate_row(settings, run, curve, list(jobs))
        except StudyError as problem:
            failed.append(str(problem))
    rival = find_best_rival(plan, curves, reference, score, settings.rule.window)
    for name in phases["systems"] if phases else ():
        run = runs.get((rival or "") if name == BEST_RIVAL else name)
        if phases and run is not None:
            try:
                _evaluate_phases(settings, run, curves[run.name], phases)
            except StudyError as problem:
                failed.append(str(problem))
    return Outcome(settings.archive, failed)


def _evaluate_phases(settings: Settings, run: Run, curve: Curve, phases: Mapping[str, Any]) -> None:
    weights = locate_last_weights(settings, run, curve)
    count, subsets = int(phases["patients"]), phases.get("subsets")
    jobs = make_phase_jobs(
        settings.paths, run, weights, settings.evaluation, 0.0, patients=count, subsets=subsets
    )
    evaluate_row(settings, run, curve, list(jobs))


def find_longer_run(
    settings: Settings, row: PlannedRow, run: Run, done: Sequence[tuple[PlannedRow, Run]]
) -> str | None:
    """Find an earlier run of the same training with a cap that is not smaller.

    The first rounds of that run are this row, which is not trained again.
    """

    def identify(trained: Run) -> tuple[str, RoundLength]:
        key = make_round_job(settings.paths, trained, settings.options, 1).key
        return key, settings.lengths[trained.system.name]

    wanted = identify(run)
    for earlier, other in done:
        if earlier.cap_hours >= row.cap_hours and identify(other) == wanted:
            return other.name
    return None
