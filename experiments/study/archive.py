"""Store the small results of every finished run in the archive from which the pages are made.

    RUN/budget.json                             steps, CPU seconds, seed, command, hashes
    RUN/internal/, RUN/external/                metrics.json, patients.csv.gz, lesions.csv.gz, job.json
    RUN/phases/SUBSET/                          the same
    RUN/rounds/NN/                              patients.csv.gz, job.json of a validation
    RUN/cases/                                  pictures of a few patients, job.json
    oracle/internal/, oracle/external/          difficulty.json, patients.csv.gz, job.json

A row in the archive whose hash agrees is not run again, so another machine can run the remaining rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from experiments.study.case_pictures import draw_cases
from experiments.study.compact_tables import compress_table, copy_json
from experiments.study.jobs import Job, StudyPaths
from experiments.study.systems import Run
from scripts.lidia.atomic import write_json

_EPOCH = re.compile(r"Epoch\[(\d+)\] Metrics -- .*?cpu_seconds: ([0-9.]+)")


def is_kept(archive: Path, job: Job, trusted: Collection[str] = ()) -> bool:
    """Whether the archive holds the result of a job.

    Args:
        archive: folder of the archive.
        job: the job.
        trusted: systems whose rows are valid although configs have changed.
    """
    path = archive / job.name.removesuffix("/training") / _RECORD_NAMES.get(job.kind, "job.json")
    if not path.is_file():
        return False
    record = json.loads(path.read_text(encoding="utf-8"))
    return record["key"] == job.key or job.name.split("/")[0] in trusted


def store_result(archive: Path, job: Job, paths: StudyPaths, run: Run | None, steps: int) -> None:
    """Store the result of a finished job in the archive; the record with the hash is written last.

    Args:
        archive: folder of the archive.
        job: the finished job.
        paths: of the study.
        run: the run of the job; None for oracle and floor.
        steps: of that training.
    """
    if job.kind == "training" and run is not None:
        store_budget(archive, job, paths, run, steps, read_cpu_seconds(job.folder / "training.log"))
        return
    folder = archive / job.name
    record = _make_record(job, paths)
    if job.kind == "evaluation":
        copy_json(job.folder / "metrics.json", folder)
        for name in ("patients.csv", "lesions.csv"):
            compress_table(job.folder / name, folder)
    elif job.kind == "round":
        compress_table(job.folder / "patients.csv", folder)
    elif job.kind == "difficulty":
        copy_json(job.folder / "difficulty.json", folder)
        compress_table(job.folder / "patients.csv", folder)
    elif job.kind == "cases":
        record["cases"] = draw_cases(job.folder, paths.cohorts["internal"].folder, folder)
    write_json(folder / _RECORD_NAMES.get(job.kind, "job.json"), record)


def store_budget(
    archive: Path, job: Job, paths: StudyPaths, run: Run, steps: int, cpu_seconds: float | None
) -> None:
    """Store the cost of a training in the archive.

    Args:
        archive: folder of the archive.
        job: the training.
        paths: of the study.
        run: the run of the job.
        steps: of the training.
        cpu_seconds: of its steps; None if unknown.
    """
    folder = archive / job.name.removesuffix("/training")
    budget = {"steps": steps, "cpu_seconds": cpu_seconds, "seed": run.seed}
    write_json(folder / _RECORD_NAMES["training"], _make_record(job, paths) | budget)


def _make_record(job: Job, paths: StudyPaths) -> dict[str, Any]:
    phantom = {name: cohort.recipe for name, cohort in paths.cohorts.items()}
    return {"key": job.key, "command": job.portable_command, "phantom": phantom}


def read_cpu_seconds(log: Path, last_epoch: int | None = None) -> float | None:
    """Read the CPU seconds of all epochs from a training's log; None if it has none.

    An epoch that was interrupted and repeated counts once.

    Args:
        log: file of the training.
        last_epoch: epochs after it do not count; None counts all.
    """
    if not log.is_file():
        return None
    epochs = {int(number): float(value) for number, value in _EPOCH.findall(log.read_text(encoding="utf-8"))}
    counted = [value for number, value in epochs.items() if last_epoch is None or number <= last_epoch]
    return round(sum(counted), 1) if counted else None


_RECORD_NAMES = {"training": "budget.json"}
