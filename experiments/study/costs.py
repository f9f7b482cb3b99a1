"""What a study will cost: CPU seconds a step, as configured, as an earlier run had, or by a probe."""

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
"""So that all stages of a training, which begin at shares of its length, are in the probe."""


def read_cost(archive: Path, run: Run) -> float | None:
    """CPU seconds a step that the config states or a kept run of the system had."""
    if run.system.seconds_per_step is not None:
        return float(run.system.seconds_per_step)
    for path in sorted(archive.glob(f"{run.system.name}*/budget.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        own = path.parent.name in (run.system.name, f"{run.system.name}_seed{said['seed']}")
        if own and said["cpu_seconds"] and said["steps"]:
            return said["cpu_seconds"] / said["steps"]
    return None


def probe_cost(
    places: StudyPaths, run: Run, few: str, options: Mapping[str, Any], steps: int
) -> float | None:
    """CPU seconds a step of a short training on four patients; None, with a warning, where it fails.

    Args:
        places: of the study.
        run: the system's first.
        few: datalist of these patients.
        options: given to every training.
        steps: of the probe, spread over all stages.
    """
    beside = places._replace(output=places.output / "probe")
    each = max(1, round(steps / PROBE_EPOCHS))
    shorter = {"steps_per_epoch": each, "max_epochs": PROBE_EPOCHS, "val_interval": 1000, "datalist": few}
    short = run.system._replace(training={**run.system.training, **shorter})
    job = make_training_job(beside, Run(short, 0), options, 0.0)
    try:
        if not is_done(job):
            run_job(job)
    except StudyError as problem:
        logger.warning("The probe of %s failed, its cost is a guess: %s", run.name, problem)
        return None
    seconds = read_cpu_seconds(job.folder / "training.log")
    return None if seconds is None else seconds / (each * PROBE_EPOCHS)


def format_budget(jobs: Sequence[Job], workers: int) -> str:
    """What is ahead, in core-hours by system and in all."""
    systems: dict[str, float] = {}
    for job in jobs:
        name = job.name.split("/")[0]
        systems[name] = systems.get(name, 0.0) + job.cost / 3600
    total = sum(systems.values())
    lines = [f"{name:28}{hours:8.2f}" for name, hours in systems.items()]
    lines.append(f"{'in all':28}{total:8.2f}")
    head = f"{len(jobs)} jobs ahead; {total / max(workers, 1):.1f} hours with {workers} workers; core-hours:"
    return "\n".join([head, *lines])


def write_probe_datalist(places: StudyPaths) -> str:
    """A datalist of four patients to train on and one to validate on, with absolute paths."""
    sections = read_sections(Path(places.cohorts["internal"].folder) / "dataset.json")
    few = {"training": sections["training"][:4], "validation": sections["validation"][:1]}
    return str(write_datalist(places.output / "probe/few.json", few))
