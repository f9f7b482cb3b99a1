"""Runs jobs a few at a time, the first that may run first, and shows the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from tqdm import tqdm

from experiments.study.jobs import Job

HOUR = 3600.0
LOOK = 10.0
"""Seconds between two looks at what runs."""
FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.2f}/{total:.2f} core-hours [{elapsed}<{remaining}] {postfix}"


def select_required(jobs: Sequence[Job], finished: Callable[[Job], bool]) -> list[Job]:
    """The jobs that are still to be run.

    One whose result is kept is not, nor is a training whose weights nobody asks for any more.

    Args:
        jobs: all, each behind what it reads from.
        finished: whether the result of a job is kept.
    """
    needed: list[Job] = []
    asked: set[str] = set()
    for job in reversed(jobs):
        # Weights are not kept beside the pages: who needs them trains again, unless they lie here
        if not finished(job) or job.name in asked:
            needed.append(job)
            if job.after:
                asked.add(job.after)
    return needed[::-1]


def run_jobs(jobs: Sequence[Job], workers: int, do: Callable[[Job], None], total: int) -> list[str]:
    """Runs jobs; after a failure the others go on, without those that would read its result.

    Args:
        jobs: in the order in which they shall run, each behind what it reads from.
        workers: how many at a time.
        do: runs one job.
        total: jobs of the study, those finished earlier included; for the bar alone.

    Returns:
        What failed, in words.
    """
    waiting, running, failed = list(jobs), dict[Future[None], tuple[Job, float]](), list[str]()
    open_names, lost = {job.name for job in jobs}, set[str]()
    hours, spent = sum(job.cost for job in jobs) / HOUR, 0.0
    bar = tqdm(total=hours, desc="study", bar_format=FORMAT, smoothing=0)
    with bar, ThreadPoolExecutor(workers) as pool:
        while waiting or running:
            for job in [job for job in waiting if job.after in lost]:
                waiting.remove(job)
                open_names.discard(job.name)
                lost.add(job.name)
            free = [job for job in waiting if job.after not in open_names]
            for job in free[: workers - len(running)]:
                waiting.remove(job)
                running[pool.submit(do, job)] = (job, time.monotonic())
            for future in wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                job, _ = running.pop(future)
                open_names.discard(job.name)
                spent += job.cost
                problem = future.exception()
                if problem is not None:
                    lost.add(job.name)
                    failed.append(str(problem))
            # What runs counts by its time, but is never called finished before it is
            under_way = sum(min(time.monotonic() - since, 0.95 * job.cost) for job, since in running.values())
            bar.n = min((spent + under_way) / HOUR, hours)
            names = ", ".join(job.name for job, _ in running.values())
            bar.set_postfix_str(
                f"{total - len(waiting) - len(running)} of {total} jobs; {names}", refresh=False
            )
            bar.refresh()
    return failed
