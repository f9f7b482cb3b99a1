"""Runs a job in a child that is killed after a while, as a power cut or the kernel's memory guard would."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

Job = Callable[[Path], Callable[[], Any]]
"""What runs into a folder."""
MOMENTS = int(os.environ.get("LIDIA_KILLS", "2"))
"""Kills a job."""


def run(job: Callable[[], object], *, after: float | None = None) -> int:
    """Runs a job in a child process.

    Args:
        job: what to run.
        after: seconds until it is killed; None lets it end.

    Returns:
        Its exit status: 0 done, 1 an error, -9 killed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        status = 1
        try:
            job()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if after is not None:
        time.sleep(after)
        with suppress(ProcessLookupError):  # it was faster
            os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_to_end(job: Callable[[], object], *, largest: int | None = None) -> tuple[int, str]:
    """Runs a job in a child process to its end; gives its exit status and what it said.

    Args:
        job: what to run.
        largest: bytes that no file may exceed, which is how a full disk looks.
    """
    reading, writing = os.pipe()

    def limited() -> None:
        for stream in (1, 2):
            os.dup2(writing, stream)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(writing), "w", buffering=1) for _ in range(2))
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        job()

    with ThreadPoolExecutor(1) as pool:  # somebody has to empty the pipe meanwhile
        text = pool.submit(_all_of, reading)
        status = run(limited)
        os.close(writing)
        return status, text.result()


def _all_of(pipe: int) -> str:
    with os.fdopen(pipe, errors="replace") as stream:
        return stream.read()


def seconds(job: Callable[[], object]) -> float:
    """How long a job takes when nobody stops it."""
    start = time.monotonic()
    assert run(job) == 0, "the job does not even end by itself"
    return time.monotonic() - start


def files(folder: Path, hidden: bool = False) -> dict[str, str]:
    """SHA-256 of every file by its path in the folder; hidden ones, which nobody reads, are left out."""
    collected = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if hidden or not any(part.startswith(".") for part in name.parts):
            collected[str(name)] = sha256(path.read_bytes()).hexdigest()
    return collected


def times(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {name: (folder / name).stat().st_mtime_ns for name in files(folder)}


def moments(job: Job, folder: Path, name: str) -> tuple[Path, list[tuple[Path, float]]]:
    """Folder of an unbroken run, and folders with the moments at which a run into them is to be killed."""
    complete = folder / "whole"
    lasted = seconds(job(complete))
    rng = random.Random(name)
    return complete, [(folder / f"broken{number}", rng.uniform(0.02, lasted)) for number in range(MOMENTS)]


def all_readable(folder: Path, complete: dict[str, str]) -> None:
    """Every file under its final name is whole: it has the bytes of the unbroken run."""
    for name, digest in files(folder).items():
        assert complete.get(name) == digest, f"{name} stands there and is not whole"
