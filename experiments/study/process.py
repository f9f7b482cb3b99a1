"""Run one process of a study: mark its result with a key, never two at a time in one folder."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.study.jobs import Job
from scripts.lidia.atomic import write_json

logger = logging.getLogger(__name__)


class StudyError(RuntimeError):
    """A process of a study failed; the message names its log."""


def is_done(job: Job) -> bool:
    """Whether the job finished in its folder with these configs, options and cohorts."""
    return _read_key(_get_stamp_path(job, "done")) == job.key


def is_begun(job: Job) -> bool:
    """Whether the files in the folder of the job are those of a job with these configs and options."""
    return _read_key(_get_stamp_path(job, "begun")) == job.key


def run_job(job: Job) -> None:
    """Run a job and write its key.

    An interrupted training resumes from its last checkpoint. If it was begun with other configs, its folder
    is renamed and the training starts again.

    Args:
        job: the job.

    Raises:
        StudyError: the process failed.
    """
    begun_key = _read_key(_get_stamp_path(job, "begun"))
    if job.kind == "training" and begun_key not in (None, job.key):
        new_folder = next(p for n in range(1, 1000) if not (p := job.folder.with_suffix(f".old{n}")).exists())
        job.folder.rename(new_folder)
        logger.warning("%s was begun with other configs and is now %s", job.name, new_folder)
    write_json(_get_stamp_path(job, "begun"), {"key": job.key})
    with _lock_folder(job) as lock:
        path = job.folder / "output.log"
        with path.open("w", encoding="utf-8") as log:
            process = subprocess.run(
                job.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                pass_fds=(lock,),
                check=False,
            )
    if process.returncode:
        last_line = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        ending = f"was killed by signal {-process.returncode}" if process.returncode < 0 else "failed"
        raise StudyError(f"{job.name} {ending}: {''.join(last_line)} ({path})")
    write_json(_get_stamp_path(job, "done"), {"key": job.key, "command": job.command[1:]})


@contextmanager
def _lock_folder(job: Job) -> Iterator[int]:
    """Lock the folder; the process inherits the lock, which remains if only the study is killed."""
    with (job.folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("%s: waiting for the process of an earlier study to end", job.name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _get_stamp_path(job: Job, state: str) -> Path:
    return job.folder / f"{Path(job.name).name}.{state}"


def _read_key(stamp: Path) -> str | None:
    return json.loads(stamp.read_text(encoding="utf-8"))["key"] if stamp.is_file() else None
