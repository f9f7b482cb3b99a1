"""Estimate the cost of a study: CPU seconds per step from the config, an earlier run, or a probe."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.study.archive import read_cpu_seconds
from experiments.study.jobs import Job, StudyPaths, make_training_job
from experiments.study.process import StudyError, is_done, run_job
from experiments.study.systems import Run
from scripts.lidia.datalist.read_datalist import read_sections
from scripts.lidia.datalist.write_datalist import write_datalist

logger = logging.getLogger(__name__)
PROBE_EPOCHS = 10
"""Enough epochs to cover all stages of a training, which begin at fractions of its length."""


def read_cost(archive: Path, run: Run) -> float | None:
    """Read the CPU seconds per step from the config or from an archived run; None if unknown."""
    if run.system.seconds_per_step is not None:
        return float(run.system.seconds_per_step)
    for path in sorted(archive.glob(f"{run.system.name}*/budget.json")):
        budget = json.loads(path.read_text(encoding="utf-8"))
        is_own = path.parent.name in (run.system.name, f"{run.system.name}_seed{budget['seed']}")
        if is_own and budget["cpu_seconds"] and budget["steps"]:
            return budget["cpu_seconds"] / budget["steps"]
    return None


def probe_cost(
    paths: StudyPaths, run: Run, datalist: str, options: Mapping[str, Any], steps: int
) -> float | None:
    """Measure the CPU seconds per step in a short training on four patients; None if it fails.

    Args:
        paths: of the study.
        run: the first run of the system.
        datalist: datalist of these patients.
        options: given to every training.
        steps: of the probe, spread over all stages.
    """
    probe_paths = paths._replace(output=paths.output / "probe")
    steps_per_epoch = max(1, round(steps / PROBE_EPOCHS))
    limits = {
        "steps_per_epoch": steps_per_epoch,
        "max_epochs": PROBE_EPOCHS,
        "val_interval": 1000,
        "datalist": datalist,
    }
    system = run.system._replace(training={**run.system.training, **limits})
    job = make_training_job(probe_paths, Run(system, 0), options, 0.0)
    try:
        if not is_done(job):
            run_job(job)
    except StudyError as problem:
        logger.warning("The probe of %s failed, its cost is a guess: %s", run.name, problem)
        return None
    seconds = read_cpu_seconds(job.folder / "training.log")
    return None if seconds is None else seconds / (steps_per_epoch * PROBE_EPOCHS)


def format_budget(jobs: Sequence[Job], workers: int) -> str:
    """Format the core-hours of the jobs, by system and in total."""
    systems: dict[str, float] = {}
    for job in jobs:
        name = job.name.split("/")[0]
        systems[name] = systems.get(name, 0.0) + job.cost / 3600
    total = sum(systems.values())
    lines = [f"{name:28}{hours:8.2f}" for name, hours in systems.items()]
    lines.append(f"{'in all':28}{total:8.2f}")
    head = f"{len(jobs)} jobs ahead; {total / max(workers, 1):.1f} hours with {workers} workers; core-hours:"
    return "\n".join([head, *lines])


def write_probe_datalist(paths: StudyPaths) -> str:
    """Write a datalist of four training patients and one for validation, with absolute paths."""
    sections = read_sections(Path(paths.cohorts["internal"].folder) / "dataset.json")
    sections_of_probe = {"training": sections["training"][:4], "validation": sections["validation"][:1]}
    return str(write_datalist(paths.output / "probe/few.json", sections_of_probe))
