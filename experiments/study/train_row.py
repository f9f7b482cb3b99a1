"""Train one row of the study at convergence: round by round, each evaluated and stored in the archive."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.study.archive import is_kept, read_cpu_seconds, store_budget, store_result
from experiments.study.cohorts import hash_content
from experiments.study.curve import (
    ENDINGS,
    SECONDS,
    Curve,
    Round,
    cut_curve,
    find_end,
    read_curve,
    select_metrics,
    write_curve,
)
from experiments.study.flatness import FlatnessRule
from experiments.study.jobs import Job, StudyPaths, Weights, count_steps, make_validation_job
from experiments.study.process import StudyError, is_done, run_job
from experiments.study.rounds import fill_cache, locate_round_weights, make_round_job, train_round
from experiments.study.row_plan import PlannedRow, RoundLength
from experiments.study.systems import Run

logger = logging.getLogger(__name__)


class Settings(NamedTuple):
    """What all rows share."""

    paths: StudyPaths
    archive: Path
    options: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    lengths: Mapping[str, RoundLength]
    patients: int
    """Validation patients of a round."""
    score: str
    rule: FlatnessRule


def train_row(
    settings: Settings, row: PlannedRow, run: Run, base: str | None, hours_left: float
) -> Curve | None:
    """Train a row to its end and store its curve.

    Args:
        settings: of all rows.
        row: the row.
        run: its system and seed.
        base: run of the same training whose first rounds are this row; None to train it.
        hours_left: CPU hours of the budget; a row that is begun is finished.

    Returns:
        The curve; None if no budget is left to begin.

    Raises:
        StudyError: a process failed, or `base` did not finish.
    """
    curve = _begin_curve(settings, row, run)
    if base is not None:
        longer = read_curve(settings.archive, base)
        if longer is None or longer.ended is None:
            raise StudyError(f"{run.name} is the beginning of {base}, which did not finish.")
        cut = cut_curve(longer, row.cap_hours)
        ended = longer.ended if len(cut.rounds) == len(longer.rounds) else "cap"
        curve = curve._replace(rounds=cut.rounds, ended=ended, shared_with=base, command=cut.command)
        write_curve(settings.archive, run.name, curve)
        return curve
    length = settings.lengths[run.system.name]
    while True:
        number = len(curve.rounds) + 1
        epochs = length.count_epochs(number)
        end = find_end(
            curve,
            cap_hours=row.cap_hours,
            next_epochs=epochs,
            schedule_epochs=length.schedule_epochs,
            score=settings.score,
            rule=settings.rule,
        )
        if end is not None:
            curve = curve._replace(ended=end)
            write_curve(settings.archive, run.name, curve)
            logger.info("%s ended by %s after %.2f CPU hours", run.name, ENDINGS[end], curve.cpu_hours)
            return curve
        if not curve.rounds and hours_left <= 0:
            return None
        curve = _run_round(settings, run, curve, number, epochs)
        write_curve(settings.archive, run.name, curve)


def _compute_key(settings: Settings, run: Run) -> str:
    """Compute the key of a row from the configs as they are now."""
    training = make_round_job(settings.paths, run, settings.options, 1)
    validation = _make_validation_job(settings, run, Weights(Path(), "", None), 1)
    return hash_content([training.key, validation.key, settings.lengths[run.system.name]])


def _check_unchanged(settings: Settings, run: Run, curve: Curve) -> None:
    """Check that no config has changed since the row began in this process.

    Raises:
        StudyError: one has; later rounds would belong to another training.
    """
    if _compute_key(settings, run) != curve.key:
        raise StudyError(
            f"{run.name}: a config or an overlay has changed while the study runs. Restore it and start the "
            "study again to continue this row, or start it again to train the row with the new config."
        )


def _begin_curve(settings: Settings, row: PlannedRow, run: Run) -> Curve:
    """Return the stored curve of a row if its key agrees, else a curve without rounds."""
    key = _compute_key(settings, run)
    phantom = settings.paths.cohorts["internal"].recipe
    empty = Curve(key, "", phantom, row.part, row.cap_hours, None, None, ())
    stored = read_curve(settings.archive, run.name)
    if stored is None or stored.key != key:
        return empty
    return empty._replace(rounds=stored.rounds, command=stored.command)


def _run_round(settings: Settings, run: Run, curve: Curve, number: int, epochs: int) -> Curve:
    """Train and evaluate a round; return the curve with it.

    Raises:
        StudyError: a process failed, a config has changed, or the log states no CPU seconds.
    """
    _check_unchanged(settings, run, curve)
    training = make_round_job(settings.paths, run, settings.options, epochs)
    weights = locate_round_weights(training, number, epochs)
    if number == 1 and not weights.file.is_file():
        fill_cache(settings.paths, run, settings.options)
    train_round(training, weights, epochs)
    validation = _make_validation_job(settings, run, weights, number)
    if not is_done(validation):
        run_job(validation)
    steps = count_steps(settings.paths, run, {**settings.options, "max_epochs": epochs})
    store_result(settings.archive, validation, settings.paths, run, steps)
    seconds = read_cpu_seconds(training.folder / "training.log", epochs)
    if seconds is None:
        raise StudyError(f"{run.name}: {training.folder / 'training.log'} states no CPU seconds.")
    content = json.loads((validation.folder / "metrics.json").read_text(encoding="utf-8"))
    metrics = select_metrics(content)
    logger.info(
        "%s: %d steps, %.2f CPU hours: AUC-8 %s, Dice %s",
        *(run.name, steps, seconds / SECONDS, metrics["auc8"], metrics["dice"]),
    )
    record = Round(number, epochs, steps, seconds, metrics)
    return curve._replace(rounds=(*curve.rounds, record), command=training.portable_command)


def _make_validation_job(settings: Settings, run: Run, weights: Weights, number: int) -> Job:
    return make_validation_job(
        settings.paths, run, weights, settings.evaluation, number=number, patients=settings.patients
    )


def locate_last_weights(settings: Settings, run: Run, curve: Curve) -> Weights:
    """Return the weights after the last round of a curve.

    They do not exist yet if the archive comes from another machine.
    """
    training, last = _make_last_round_job(settings, run, curve), curve.rounds[-1]
    return locate_round_weights(training, last.number, last.epochs)


def _make_last_round_job(settings: Settings, run: Run, curve: Curve) -> Job:
    """Make the training job of the last round, in the folder of the run that was trained."""
    job = make_round_job(settings.paths, run, settings.options, curve.rounds[-1].epochs)
    if curve.shared_with is None:
        return job
    folder = settings.paths.output / curve.shared_with
    command = [str(folder) if part == str(job.folder) else part for part in job.command]
    return job._replace(folder=folder, command=command)


def evaluate_row(settings: Settings, run: Run, curve: Curve, jobs: Sequence[Job]) -> None:
    """Run the evaluations that the archive lacks, and store the cost of the training.

    Args:
        settings: of all rows.
        run: the run.
        curve: of the run, ended.
        jobs: evaluations of the weights after the last round.
    """
    _check_unchanged(settings, run, curve)
    training, last = _make_last_round_job(settings, run, curve), curve.rounds[-1]
    store_budget(settings.archive, training, settings.paths, run, last.step, last.cpu_seconds)
    needed = [job for job in jobs if not is_kept(settings.archive, job)]
    if needed:
        train_round(training, locate_last_weights(settings, run, curve), last.epochs)
    for job in needed:
        if not is_done(job):
            run_job(job)
        store_result(settings.archive, job, settings.paths, run, last.step)
