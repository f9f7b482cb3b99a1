"""Time the sides of a comparison in rounds: every side runs once per round, each in its own process.

The speed of a machine changes over minutes. Interleaving the sides exposes all of them to the same machine
load, so the ratio within a round is fair although the times are not. Results are medians over rounds, with
the smallest and the largest as spread.
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
    """A measurement failed; the message names the log."""


class BenchContext(NamedTuple):
    """Where a benchmark runs."""

    bundle: Path
    """The bundle."""
    output: Path
    """Folder of logs, data and finished rows."""
    threads: int
    """Of every process, unless a row says otherwise."""
    inline: bool = False
    """Run the sides in this process, for quick trials: it saves imports, but memory is not meaningful."""

    def environment(self, threads: int | None = None) -> dict[str, str]:
        """Return the environment of a process: threads and the path of the bundle's code."""
        count = str(threads or self.threads)
        paths = [str(self.bundle), str(self.bundle.parent)]
        paths += filter(None, [os.environ.get("PYTHONPATH")])
        threaded = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count)
        return {**os.environ, **threaded, "PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "Agg"}


class Side(NamedTuple):
    """One side: a function that prepares and returns the timed call (see `worker`), and its options."""

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
    """Figures that the run returned."""


Rounds = dict[str, list[Trial]]


class Worker:
    """A process of `worker` that runs its side on request."""

    def __init__(self, context: BenchContext, name: str, side: Side) -> None:
        self.name = name
        self.log = context.output / "logs" / f"{name.replace('/', '_')}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=context.environment(side.threads),
                text=True,
            )
        try:
            call = f"{side.call.__module__}.{side.call.__qualname__}"
            self._send({"call": call, "options": dict(side.options)})
            self._receive()
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
        self._send("go")
        return Trial(**json.loads(self._receive()))

    def _send(self, word: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(word) + "\n")
        self.process.stdin.flush()

    def _receive(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"{self.name} failed: {''.join(last)} ({self.log})")
        return line


class InlineWorker:
    """Runs a side on request in this process."""

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
    context: BenchContext,
    row: str,
    sides: Mapping[str, Side],
    *,
    pairs: int,
    warm: int = 1,
    fresh: bool = False,
) -> Rounds:
    """Run all sides in turn.

    Args:
        context: folders and threads.
        row: name of the row, for logs.
        sides: by name.
        pairs: number of timed rounds.
        warm: number of rounds before them that are not timed.
        fresh: start a new process for every run, its setup is not timed; else one process per side.

    Returns:
        The trials of each side, in the order of the rounds.

    Raises:
        BenchError: a side failed.
    """
    trials: Rounds = {name: [] for name in sides}

    def open_worker(name: str) -> Worker | InlineWorker:
        return InlineWorker(sides[name]) if context.inline else Worker(context, f"{row}/{name}", sides[name])

    if fresh:
        for _ in range(pairs):
            for name in sides:
                with open_worker(name) as worker:
                    trials[name].append(worker.run())
        return trials
    with ExitStack() as stack:
        workers: dict[str, Any] = {name: stack.enter_context(open_worker(name)) for name in sides}
        for number in range(warm + pairs):
            for name, worker in workers.items():
                trial = worker.run()
                if number >= warm:
                    trials[name].append(trial)
    return trials


def summarise_spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return median, smallest and largest value."""
    return median(values), min(values), max(values)


def compute_ratios(over: Sequence[Trial], under: Sequence[Trial], what: str = "seconds") -> list[float]:
    """Compute the ratio of a field of `Trial` within each round."""
    return [getattr(a, what) / getattr(b, what) for a, b in zip(over, under, strict=True)]


def compute_median(trials: Sequence[Trial], what: str = "seconds") -> float:
    """Compute the median of a field of `Trial`."""
    return median(getattr(trial, what) for trial in trials)
