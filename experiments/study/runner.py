"""Train and evaluate many systems through the bundle's own configs, each in its own process.

A system is a list of overlays and options. Finished work is not repeated: an interrupted training resumes, an
interrupted evaluation starts again, and rows in the archive are not run.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from experiments.study.archive import is_kept, store_result
from experiments.study.costs import format_budget, probe_cost, read_cost, write_probe_datalist
from experiments.study.jobs import (
    Job,
    StudyPaths,
    Weights,
    count_steps,
    find_given_weights,
    locate_overlay,
    locate_trained_weights,
    make_cases_job,
    make_difficulty_jobs,
    make_evaluation_jobs,
    make_phase_jobs,
    make_training_job,
)
from experiments.study.process import StudyError, is_done, run_job
from experiments.study.schedule import run_jobs, select_required
from experiments.study.systems import Run, System, list_runs, read_systems

logger = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Result of a study."""

    archive: Path
    failed: list[str]

    def finish(self) -> None:
        """Raise an error if a process failed.

        Raises:
            StudyError: a process failed; all others were finished first.
        """
        if self.failed:
            raise StudyError("\n".join(self.failed))


def run_study(
    *,
    systems: Mapping[str, Mapping[str, Any]],
    dataset_dir: str,
    external_dir: str,
    output_dir: str,
    bundle_root: str,
    archive: str | None = None,
    options: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    phases: Mapping[str, Any] | None = None,
    cases: Mapping[str, Any] | None = None,
    difficulty: bool = True,
    workers: int = 2,
    probe_steps: int = 30,
    seconds_per_step: float = 0.4,
    seconds_per_patient: float = 1.5,
    trusted: Collection[str] = (),
) -> Outcome:
    """Run every system: training, then both cohorts; then further seeds, phase subsets and pictures.

    Args:
        systems: see `read_systems`.
        dataset_dir: cohort to train on, and whose `test` section is the internal cohort.
        external_dir: cohort whose `test` section is the external one.
        output_dir: one folder per run: weights, logs, `internal/` and `external/` with their metrics.
        bundle_root: the bundle.
        archive: folder of the small results; by default, and if empty, `study` in `output_dir`.
        options: given to every training.
        evaluation: options given to every evaluation.
        phases: `{systems, patients, subsets}` of the evaluations with phase subsets; None for none.
        cases: `{system, patients}` of the pictures; None for none.
        difficulty: whether to measure oracle and floor.
        workers: number of parallel processes, one thread each.
        probe_steps: steps of the trainings that measure the cost of a step; 0 uses `seconds_per_step`.
        seconds_per_step: CPU seconds if nothing better is known.
        seconds_per_patient: CPU seconds of an evaluation.
        trusted: systems whose archived rows are valid although configs have changed.

    Returns:
        The archive, and messages of what failed.
    """
    paths = StudyPaths.read(bundle_root, output_dir, dataset_dir, external_dir)
    training_options = dict(options or {})
    archive_folder = Path(archive).absolute() if archive else paths.output / "study"
    system_list = read_systems(systems)
    check_overlays(paths, system_list)
    plan = partial(
        _plan_jobs,
        paths,
        system_list,
        training_options,
        dict(evaluation or {}),
        phases,
        cases,
        difficulty,
        seconds_per_patient,
    )
    finished = partial(is_kept, archive_folder, trusted=trusted)

    # Keys do not depend on costs: the first plan gives the systems whose cost is to be measured
    ahead = select_required(plan({}), finished)
    to_train = [
        run for run in list_runs(system_list) if any(job.name == f"{run.name}/training" for job in ahead)
    ]
    costs = {run.system.name: read_cost(archive_folder, run) for run in to_train}
    unknown = [Run(system, 0) for system in system_list if costs.get(system.name, 0.0) is None]
    if probe_steps and unknown:
        logger.info("Measuring a step of %s", ", ".join(run.name for run in unknown))
        probe_datalist = write_probe_datalist(paths)
        with ThreadPoolExecutor(workers) as pool:
            measured = list(
                pool.map(
                    lambda run: probe_cost(paths, run, probe_datalist, training_options, probe_steps), unknown
                )
            )
        costs |= {run.system.name: seconds for run, seconds in zip(unknown, measured, strict=True)}
    jobs = plan({name: seconds_per_step if cost is None else cost for name, cost in costs.items()})
    ahead = [job._replace(cost=0.0) if is_done(job) else job for job in select_required(jobs, finished)]
    logger.info(format_budget(ahead, workers))

    by_name = {run.name: run for run in list_runs(system_list)}

    def run_and_store(job: Job) -> None:
        if not is_done(job):
            run_job(job)
        run = by_name.get(job.name.split("/")[0])
        store_result(archive_folder, job, paths, run, count_steps(paths, run, training_options) if run else 0)

    return Outcome(archive_folder, run_jobs(ahead, workers, run_and_store, len(jobs)))


def _plan_jobs(
    paths: StudyPaths,
    systems: list[System],
    options: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    phases: Mapping[str, Any] | None,
    cases: Mapping[str, Any] | None,
    difficulty: bool,
    patient: float,
    step: Mapping[str, float],
) -> list[Job]:
    """Plan all jobs in order: first seeds, further seeds, oracle and floor, then phases and pictures."""
    jobs: list[Job] = []
    weights_by_run: dict[str, tuple[Run, Weights]] = {}
    for run in list_runs(systems):
        weights = find_given_weights(paths, run)
        if weights is None:
            cost = step.get(run.system.name, 0.0) * count_steps(paths, run, options)
            training = make_training_job(paths, run, options, cost)
            jobs.append(training)
            weights = locate_trained_weights(training)
        jobs += make_evaluation_jobs(paths, run, weights, evaluation, patient)
        weights_by_run[run.name] = (run, weights)
    if difficulty:
        jobs += make_difficulty_jobs(paths, patient)
    if cases and cases["system"] in weights_by_run:
        run, weights = weights_by_run[cases["system"]]
        jobs.append(make_cases_job(paths, run, weights, evaluation, patient, int(cases["patients"])))
    for name in phases["systems"] if phases else ():
        if phases and name in weights_by_run:
            run, weights = weights_by_run[name]
            count, subsets = int(phases["patients"]), phases.get("subsets")
            jobs += make_phase_jobs(paths, run, weights, evaluation, patient, patients=count, subsets=subsets)
    return jobs


def check_overlays(paths: StudyPaths, systems: list[System]) -> None:
    """Check that all overlays exist before a job runs.

    Raises:
        FileNotFoundError: a system names an overlay that does not exist.
    """
    for system in systems:
        for overlay in system.overlays:
            path = locate_overlay(paths.bundle, overlay)
            if not path.is_file():
                raise FileNotFoundError(f"{path} is not there; the study's system '{system.name}' names it.")
