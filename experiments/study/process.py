"""One process of a study: started once, its result stamped, never two at a time in one folder."""

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
    """A process of a study failed; its log says why."""


def is_done(job: Job) -> bool:
    """Whether the job was finished here, with these configs, options and cohorts."""
    return _read_key(_get_stamp_path(job, "done")) == job.key


def run_job(job: Job) -> None:
    """Runs a job to its end and stamps it.

    A training that was cut off goes on from its last state. One that was begun with other configs does not:
    its folder is set aside under another name, so that nothing is mixed and nothing is lost.

    Args:
        job: the job.

    Raises:
        StudyError: the process failed.
    """
    begun = _read_key(_get_stamp_path(job, "begun"))
    if job.kind == "training" and begun not in (None, job.key):
        aside = next(p for n in range(1, 1000) if not (p := job.folder.with_suffix(f".old{n}")).exists())
        job.folder.rename(aside)
        logger.warning("%s was begun with other configs and is now %s", job.name, aside)
    write_json(_get_stamp_path(job, "begun"), {"key": job.key})
    with _lock_folder(job) as lock:
        path = job.folder / "output.log"
        with path.open("w", encoding="utf-8") as log:
            done = subprocess.run(
                job.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                pass_fds=(lock,),
                check=False,
            )
    if done.returncode:
        last = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        end = f"was killed by signal {-done.returncode}" if done.returncode < 0 else "failed"
        raise StudyError(f"{job.name} {end}: {''.join(last)} ({path})")
    write_json(_get_stamp_path(job, "done"), {"key": job.key, "command": job.command[1:]})


@contextmanager
def _lock_folder(job: Job) -> Iterator[int]:
    """Holds the folder; the process holds it too, so that it stays held when the study alone was killed."""
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
