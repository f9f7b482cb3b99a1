"""Processes of a study that are killed, that fail, and that an earlier study left running."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from experiments.study.jobs import Job
from experiments.study.process import StudyError, is_done, run_job
from experiments.study.schedule import run_jobs

# Counts in a file, as a training does in its states: a step is never done twice
COUNTING = """
import os, sys, time
from pathlib import Path
file, last, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
file.with_name("pid").write_text(str(os.getpid()))
for step in range(len(file.read_text().split()) if file.is_file() else 0, last):
    with file.open("a") as out:
        out.write(f"{step} ")
    time.sleep(pause)
"""


def job(
    folder: Path, name: str = "lidia/training", code: str = COUNTING, after: str | None = None, **options
) -> Job:
    options = {"last": 5, "pause": 0.0, "key": "one", **options}
    arguments = [str(folder / "steps"), str(options["last"]), str(options["pause"])]
    return Job(
        name, "training", [sys.executable, "-c", code, *arguments], folder, "", options["key"], after, 1.0
    )


def wait_for(path: Path, text: int = 1) -> list[str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.is_file() and len(path.read_text().split()) >= text:
            return path.read_text().split()
        time.sleep(0.01)
    raise AssertionError(f"{path} never came")


def test_a_killed_training_is_logged_and_resumed(tmp_path: Path) -> None:
    slow, quick = job(tmp_path, pause=30.0), job(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_job, slow)
        wait_for(tmp_path / "steps")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        with pytest.raises(StudyError, match="lidia/training.* 9"):
            running.result()
    assert not is_done(slow) and (tmp_path / "steps").read_text() == "0 "
    run_job(quick)
    assert is_done(quick) and (tmp_path / "steps").read_text() == "0 1 2 3 4 "


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_that_outlived_its_study_is_waited_for(tmp_path: Path) -> None:
    """The study alone is killed, its training runs on: the next study starts no second one beside it."""
    study = get_context("fork").Process(target=run_job, args=(job(tmp_path, pause=1.0),))
    study.start()
    wait_for(tmp_path / "steps")
    study.kill()
    study.join()
    assert len((tmp_path / "steps").read_text().split()) < 5, "the training was to outlive its study"
    run_job(job(tmp_path))
    assert (tmp_path / "steps").read_text() == "0 1 2 3 4 ", "two processes counted at the same time"


def test_a_training_begun_with_other_configs_is_set_aside(tmp_path: Path) -> None:
    run_job(job(tmp_path / "lidia"))
    run_job(job(tmp_path / "lidia", key="two"))
    assert (tmp_path / "lidia/steps").read_text() == (tmp_path / "lidia.old1/steps").read_text()
    assert is_done(job(tmp_path / "lidia", key="two"))


def test_after_a_failure_the_others_go_on(tmp_path: Path) -> None:
    broken = "import sys; sys.exit('no such thing')"
    jobs = [
        job(tmp_path / "a", "a/training", broken),
        job(tmp_path / "a/internal", "a/internal", after="a/training"),
        job(tmp_path / "b", "b/training"),
        job(tmp_path / "b/internal", "b/internal", after="b/training"),
    ]
    finished: list[str] = []

    def do(entry: Job) -> None:
        run_job(entry)
        finished.append(entry.name)

    (failed,) = run_jobs(jobs, 2, do, 4)
    assert failed.startswith("a/training failed: no such thing")
    assert finished == ["b/training", "b/internal"]


def test_a_job_waits_for_what_it_reads(tmp_path: Path) -> None:
    order: list[str] = []
    jobs = [
        job(tmp_path, "a/training"),
        job(tmp_path, "a/internal", after="a/training"),
        job(tmp_path, "b/training"),
    ]

    def do(entry: Job) -> None:
        time.sleep(0.2 if entry.name == "a/training" else 0.0)
        order.append(entry.name)

    assert run_jobs(jobs, 2, do, 3) == []
    assert order == ["b/training", "a/training", "a/internal"]
