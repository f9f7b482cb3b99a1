"""One side of a comparison in a process of its own: set up once, then timed whenever the other side is not.

The parent writes a line of JSON, `{"call": dotted name, "options": {...}}`: the function is called with the
options, sets up, and returns what is to be timed. Each further line runs that once and is answered by a line:
seconds of the wall and of the CPU, the process's peak memory meanwhile, and what the call returned.
"""

from __future__ import annotations

import gc
import json
import os
import pydoc
import resource
import sys
import time
from pathlib import Path
from typing import Any

PAGES = Path("/proc/self")
PAGE_MB = resource.getpagesize() / 2**20
"""The least that a run takes."""


def reset_peak_memory() -> None:
    """Makes the peak of the resident memory start anew; only Linux offers that."""
    if (PAGES / "clear_refs").exists():
        (PAGES / "clear_refs").write_text("5", encoding="ascii")


def read_peak_mb() -> float:
    """Return the peak resident memory in MB since `reset_peak_memory` (not on Linux: since the start)."""
    if (PAGES / "status").exists():
        words = (PAGES / "status").read_text(encoding="ascii").split()
        return int(words[words.index("VmHWM:") + 1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def read_resident_mb() -> float:
    """Resident memory of this process in MB, 0 where the system does not say."""
    if not (PAGES / "statm").exists():
        return 0.0
    pages = int((PAGES / "statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def time_run(go: Any) -> dict[str, Any]:
    """Runs `go` once and tells what it took."""
    gc.collect()
    reset_peak_memory()
    before = read_resident_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    figures = go()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = read_peak_mb()
    told = {"seconds": seconds, "cpu": cpu, "peak_mb": peak, "rise_mb": max(peak - before, PAGE_MB)}
    return {**told, "figures": figures if isinstance(figures, dict) else {}}


def main() -> None:
    """Serves the parent until it closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    job = json.loads(sys.stdin.readline())
    function: Any = pydoc.locate(job["call"])
    go = function(**job["options"])
    answers.write("ready\n")
    answers.flush()
    for _ in sys.stdin:
        answers.write(json.dumps(time_run(go)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
