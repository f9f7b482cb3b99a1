"""Run jobs in parallel in the order of their dependencies, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from tqdm import tqdm

from experiments.study.jobs import Job

HOUR = 3600.0
LOOK = 10.0
"""Seconds between two updates of the progress bar."""
FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.2f}/{total:.2f} core-hours [{elapsed}<{remaining}] {postfix}"


def select_required(jobs: Sequence[Job], finished: Callable[[Job], bool]) -> list[Job]:
    """Select the jobs that must still run.

    A job with a stored result is left out, and so is a training whose weights no other job reads.

    Args:
        jobs: all jobs, each after the job that it reads from.
        finished: returns whether the result of a job is stored.
    """
    needed: list[Job] = []
    required_names: set[str] = set()
    for job in reversed(jobs):
        # The archive holds no weights: a job that reads them needs the training again
        if not finished(job) or job.name in required_names:
            needed.append(job)
            if job.after:
                required_names.add(job.after)
    return needed[::-1]


def run_jobs(jobs: Sequence[Job], workers: int, run_one: Callable[[Job], None], total: int) -> list[str]:
    """Run jobs; after a failure all jobs that do not depend on the failed one still run.

    Args:
        jobs: in running order, each after the job that it reads from.
        workers: number of parallel jobs.
        run_one: runs one job.
        total: jobs of the study including finished ones; for the progress bar only.

    Returns:
        Messages of the failed jobs.
    """
    waiting, running, failed = list(jobs), dict[Future[None], tuple[Job, float]](), list[str]()
    open_names, failed_names = {job.name for job in jobs}, set[str]()
    hours, spent = sum(job.cost for job in jobs) / HOUR, 0.0
    bar = tqdm(total=hours, desc="study", bar_format=FORMAT, smoothing=0)
    with bar, ThreadPoolExecutor(workers) as pool:
        while waiting or running:
            for job in [job for job in waiting if job.after in failed_names]:
                waiting.remove(job)
                open_names.discard(job.name)
                failed_names.add(job.name)
            free = [job for job in waiting if job.after not in open_names]
            for job in free[: workers - len(running)]:
                waiting.remove(job)
                running[pool.submit(run_one, job)] = (job, time.monotonic())
            for future in wait(running, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                job, _ = running.pop(future)
                open_names.discard(job.name)
                spent += job.cost
                problem = future.exception()
                if problem is not None:
                    failed_names.add(job.name)
                    failed.append(str(problem))
            # A running job counts by its time, up to 95 % of its estimated cost
            under_way = sum(min(time.monotonic() - since, 0.95 * job.cost) for job, since in running.values())
            bar.n = min((spent + under_way) / HOUR, hours)
            names = ", ".join(job.name for job, _ in running.values())
            bar.set_postfix_str(
                f"{total - len(waiting) - len(running)} of {total} jobs; {names}", refresh=False
            )
            bar.refresh()
    return failed
