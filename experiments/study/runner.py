"""Trains and evaluates many systems through the bundle's own configs, each in its own process.

A system is a list of overlays and a few options. What is finished is not done again: a training goes on from
its last state, an evaluation that was cut off starts anew, a row that the archive holds is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from experiments.study.archive import is_kept, store_result
from experiments.study.cohorts import COHORTS, read_cohort
from experiments.study.costs import format_budget, probe_cost, read_cost, write_probe_datalist
from experiments.study.jobs import (
    Job,
    StudyPaths,
    Weights,
    count_steps,
    find_given_weights,
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
    """What a study came to."""

    archive: Path
    failed: list[str]

    def finish(self) -> None:
        """Ends the command: silent if nothing failed.

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
    """Runs every system: training, then both cohorts; then further seeds, subsets of phases and pictures.

    Args:
        systems: as `read_systems` takes them.
        dataset_dir: cohort to train on, and whose `test` section is the internal cohort.
        external_dir: cohort whose `test` section is the external one.
        output_dir: one folder a run: weights, logs, `internal/` and `external/` with their metrics.
        bundle_root: the bundle.
        archive: folder where the small evidence is kept; by default, and if empty, `study` in `output_dir`.
        options: given to every training.
        evaluation: options given to every evaluation.
        phases: `{systems, patients, subsets}` of the evaluations with some of the phases; none without it.
        cases: `{system, patients}` to draw; none without it.
        difficulty: measure oracle and floor as well.
        workers: processes at a time, one thread each.
        probe_steps: of the short trainings that measure what a step costs; 0 takes `seconds_per_step`.
        seconds_per_step: CPU seconds, where nothing better is known.
        seconds_per_patient: CPU seconds of an evaluation.
        trusted: systems whose archived rows stand although configs have changed since.

    Returns:
        The archive, and what failed.
    """
    output, chosen = Path(output_dir).absolute(), dict(options or {})
    kept = Path(archive).absolute() if archive else output / "study"
    folders = dict(zip(COHORTS, (dataset_dir, external_dir), strict=True))
    cohorts = {name: read_cohort(str(Path(folder).absolute())) for name, folder in folders.items()}
    places = StudyPaths(Path(bundle_root).absolute(), output, cohorts)
    known = read_systems(systems)
    _check_overlays(places, known)
    plan = partial(
        _plan_jobs,
        places,
        known,
        chosen,
        dict(evaluation or {}),
        phases,
        cases,
        difficulty,
        seconds_per_patient,
    )
    finished = partial(is_kept, kept, trusted=trusted)

    # Keys do not depend on costs: the first plan says which systems are to be measured
    ahead = select_required(plan({}), finished)
    unsure = [run for run in list_runs(known) if any(job.name == f"{run.name}/training" for job in ahead)]
    costs = {run.system.name: read_cost(kept, run) for run in unsure}
    unknown = [Run(system, 0) for system in known if costs.get(system.name, 0.0) is None]
    if probe_steps and unknown:
        logger.info("Measuring a step of %s", ", ".join(run.name for run in unknown))
        few = write_probe_datalist(places)
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(lambda run: probe_cost(places, run, few, chosen, probe_steps), unknown))
        costs |= {run.system.name: seconds for run, seconds in zip(unknown, found, strict=True)}
    jobs = plan({name: seconds_per_step if cost is None else cost for name, cost in costs.items()})
    ahead = [job._replace(cost=0.0) if is_done(job) else job for job in select_required(jobs, finished)]
    logger.info(format_budget(ahead, workers))

    by_name = {run.name: run for run in list_runs(known)}

    def do(job: Job) -> None:
        if not is_done(job):
            run_job(job)
        run = by_name.get(job.name.split("/")[0])
        store_result(kept, job, places, run, count_steps(places, run, chosen) if run else 0)

    return Outcome(kept, run_jobs(ahead, workers, do, len(jobs)))


def _plan_jobs(
    places: StudyPaths,
    systems: list[System],
    options: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    phases: Mapping[str, Any] | None,
    cases: Mapping[str, Any] | None,
    difficulty: bool,
    patient: float,
    step: Mapping[str, float],
) -> list[Job]:
    """All jobs in their order: first seeds, further seeds, oracle and floor, then phases and pictures."""
    jobs: list[Job] = []
    known: dict[str, tuple[Run, Weights]] = {}
    for run in list_runs(systems):
        weights = find_given_weights(places, run)
        if weights is None:
            cost = step.get(run.system.name, 0.0) * count_steps(places, run, options)
            training = make_training_job(places, run, options, cost)
            jobs.append(training)
            weights = locate_trained_weights(training)
        jobs += make_evaluation_jobs(places, run, weights, evaluation, patient)
        known[run.name] = (run, weights)
    if difficulty:
        jobs += make_difficulty_jobs(places, patient)
    if cases and cases["system"] in known:
        run, weights = known[cases["system"]]
        jobs.append(make_cases_job(places, run, weights, evaluation, patient, int(cases["patients"])))
    for name in phases["systems"] if phases else ():
        if phases and name in known:
            run, weights = known[name]
            count, subsets = int(phases["patients"]), phases.get("subsets")
            jobs += make_phase_jobs(
                places, run, weights, evaluation, patient, patients=count, subsets=subsets
            )
    return jobs


def _check_overlays(places: StudyPaths, systems: list[System]) -> None:
    """Looks for all overlays before anything runs.

    Raises:
        FileNotFoundError: a system names one that is not there.
    """
    for system in systems:
        for overlay in system.overlays:
            path = places.bundle / "configs/overlays" / overlay
            if not path.is_file():
                raise FileNotFoundError(f"{path} is not there; the study's system '{system.name}' names it.")
