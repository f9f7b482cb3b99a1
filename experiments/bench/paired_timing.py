"""Rounds of a comparison: every side once a round, one after another, each in its own process.

A machine slows down and speeds up over minutes; sides that take turns share its moods, and the ratio within a
round is fair where times are not. Medians over rounds, with the smallest and the largest as spread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from experiments.bench.worker import time_run


class BenchError(RuntimeError):
    """A measurement failed; the log that is named says why."""


class BenchContext(NamedTuple):
    """Where a benchmark runs."""

    bundle: Path
    """The bundle."""
    output: Path
    """Folder of logs, data and finished rows."""
    threads: int
    """Of every process, unless a row says otherwise."""
    inline: bool = False
    """Sides run in this process, for trying: no time for imports, but memory then means nothing."""

    def environment(self, threads: int | None = None) -> dict[str, str]:
        """Variables of a process: threads, and where the bundle's code lies."""
        count = str(threads or self.threads)
        paths = [str(self.bundle), str(self.bundle.parent)]
        paths += filter(None, [os.environ.get("PYTHONPATH")])
        threaded = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count)
        return {**os.environ, **threaded, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"}


class Side(NamedTuple):
    """One side: a function that sets up and returns what is timed (see `worker`), and its options."""

    call: Callable[..., Any]
    options: Mapping[str, Any]
    threads: int | None = None


class Trial(NamedTuple):
    """One run of a side."""

    seconds: float
    cpu: float
    """CPU seconds of all threads."""
    peak_mb: float
    """Peak resident memory of the whole process."""
    rise_mb: float
    """The peak over what was resident before the run."""
    figures: dict[str, float]
    """What the run itself returned."""


Rounds = dict[str, list[Trial]]


class Worker:
    """A process of `worker` that waits for its turn."""

    def __init__(self, place: BenchContext, name: str, side: Side) -> None:
        self.name = name
        self.log = place.output / "logs" / f"{name.replace('/', '_')}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=place.environment(side.threads),
                text=True,
            )
        try:
            call = f"{side.call.__module__}.{side.call.__qualname__}"
            self._say({"call": call, "options": dict(side.options)})
            self._hear()
        except BenchError:
            self.__exit__()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *problem: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.terminate()
        self.process.wait()

    def run(self) -> Trial:
        """Runs the side once."""
        self._say("go")
        return Trial(**json.loads(self._hear()))

    def _say(self, word: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(word) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"{self.name} failed: {''.join(last)} ({self.log})")
        return line


class InlineWorker:
    """The same in this process."""

    def __init__(self, side: Side) -> None:
        self.go = side.call(**side.options)

    def __enter__(self) -> InlineWorker:
        return self

    def __exit__(self, *problem: object) -> None:
        del self.go

    def run(self) -> Trial:
        """Runs the side once."""
        return Trial(**time_run(self.go))


def run_rounds(
    place: BenchContext,
    row: str,
    sides: Mapping[str, Side],
    *,
    pairs: int,
    warm: int = 1,
    fresh: bool = False,
) -> Rounds:
    """Runs all sides in turn.

    Args:
        place: where.
        row: name of the row, for logs.
        sides: by name.
        pairs: rounds that count.
        warm: rounds before them that do not.
        fresh: a new process for every run, set up outside the time; else one process a side.

    Returns:
        The trials of each side, in the order of the rounds.

    Raises:
        BenchError: a side failed.
    """
    found: Rounds = {name: [] for name in sides}

    def opened(name: str) -> Worker | InlineWorker:
        return InlineWorker(sides[name]) if place.inline else Worker(place, f"{row}/{name}", sides[name])

    if fresh:
        for _ in range(pairs):
            for name in sides:
                with opened(name) as worker:
                    found[name].append(worker.run())
        return found
    with ExitStack() as stack:
        workers: dict[str, Any] = {name: stack.enter_context(opened(name)) for name in sides}
        for number in range(warm + pairs):
            for name, one in workers.items():
                trial = one.run()
                if number >= warm:
                    found[name].append(trial)
    return found


def summarise_spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, smallest and largest."""
    return median(values), min(values), max(values)


def compute_ratios(over: Sequence[Trial], under: Sequence[Trial], what: str = "seconds") -> list[float]:
    """Ratio within each round of a field of `Trial`."""
    return [getattr(a, what) / getattr(b, what) for a, b in zip(over, under, strict=True)]


def compute_median(trials: Sequence[Trial], what: str = "seconds") -> float:
    """Median of a field of `Trial`."""
    return median(getattr(trial, what) for trial in trials)
