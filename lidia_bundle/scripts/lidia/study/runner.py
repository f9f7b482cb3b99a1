"""Trains and evaluates many systems through the bundle's own configs, each in its own process.

A system is a list of overlays and a few options. What is finished is not done again: a training goes on from
its last state, an evaluation that was cut off starts anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from scripts.lidia.engine.atomic import replacing

COHORTS = ("internal", "external")


class Job(NamedTuple):
    """One process of a study."""

    name: str
    """`system/training`, `system/internal` or `system/external`."""
    command: list[str]
    folder: Path


class StudyError(RuntimeError):
    """A process of a study failed; its log says why."""


def run_study(
    *,
    systems: Mapping[str, Mapping[str, Any]],
    dataset_dir: str,
    external_dir: str,
    output_dir: str,
    bundle_root: str,
    options: Mapping[str, Any] | None = None,
    workers: int = 2,
) -> Path:
    """Runs every system: training, then both cohorts.

    Args:
        systems: by name `{"overlays": [file names], "training": {option: value}, "evaluation": {...}}`, each
            part optional.
        dataset_dir: cohort to train on, and whose `test` section is the internal cohort.
        external_dir: cohort whose `test` section is the external one.
        output_dir: one folder a system: weights, logs, `internal/` and `external/` with their metrics.
        bundle_root: the bundle.
        options: given to every training.
        workers: systems at a time, one thread each.

    Returns:
        `output_dir`.

    Raises:
        StudyError: a process failed. The other systems are finished first.
    """
    folder = Path(output_dir).absolute()
    cohorts = dict(zip(COHORTS, (dataset_dir, external_dir), strict=True))
    plans = {
        name: list(jobs(name, system, folder / name, Path(bundle_root), cohorts, options or {}))
        for name, system in systems.items()
    }
    failed = []
    count = sum(map(len, plans.values()))
    with tqdm(total=count, desc="study", unit="job") as bar, ThreadPoolExecutor(workers) as pool:
        chains = [pool.submit(_chain, plan, bar) for plan in plans.values()]
        for chain in as_completed(chains):
            if chain.exception() is not None:
                failed.append(str(chain.exception()))
    if failed:
        raise StudyError("\n".join(failed))
    return folder


def jobs(
    name: str,
    system: Mapping[str, Any],
    folder: Path,
    bundle_root: Path,
    cohorts: Mapping[str, str],
    options: Mapping[str, Any],
) -> Iterator[Job]:
    """The processes of one system, in order."""
    configs, overlays = bundle_root / "configs", system.get("overlays", ())
    laid = [str(configs / "overlays" / overlay) for overlay in overlays]
    training = {"dataset_dir": cohorts["internal"], "output_dir": folder}
    training |= {"cache_dir": folder.parent / "cache", **options, **system.get("training", {})}
    yield Job(f"{name}/training", _command("training", [configs / "train.json", *laid], training), folder)
    files: list[str | Path] = [configs / "train.json", configs / "evaluate.json", *laid]
    for cohort, place in cohorts.items():
        evaluation = {"dataset_dir": place, "output_dir": folder / cohort, "model_file": folder / "model.pt"}
        evaluation |= {"calibration": None, **system.get("evaluation", {})}
        yield Job(f"{name}/{cohort}", _command("evaluating", files, evaluation), folder / cohort)


def _command(run: str, files: Sequence[str | Path], options: Mapping[str, Any]) -> list[str]:
    command = [sys.executable, "-m", "monai.bundle", "run", run]
    command += ["--config_file", str([str(f) for f in files])]
    for key, value in options.items():
        command += [f"--{key}", str(value)]
    return command


def _chain(plan: Sequence[Job], bar: tqdm[Any]) -> None:
    """Runs the jobs of one system one after another, those finished left out."""
    for job in plan:
        stamp = job.folder / f"{job.name.rpartition('/')[2]}.done"
        if not stamp.is_file() or json.loads(stamp.read_text(encoding="utf-8")) != job.command[1:]:
            _run(job)
            with replacing(stamp) as beside:
                beside.write_text(json.dumps(job.command[1:]), encoding="utf-8")
        bar.set_postfix_str(job.name, refresh=False)
        bar.update()


def _run(job: Job) -> None:
    job.folder.mkdir(parents=True, exist_ok=True)
    path = job.folder / "output.log"
    with path.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            job.command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
    if done.returncode:
        last = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise StudyError(f"{job.name} failed: {''.join(last)} ({path})")
