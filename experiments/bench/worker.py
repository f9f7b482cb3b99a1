"""Run one side of a comparison in its own process: set up once, then time one run per request.

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
"""Lower limit of the memory of a run."""


def reset_peak_memory() -> None:
    """Reset the peak of the resident memory (Linux only)."""
    if (PAGES / "clear_refs").exists():
        (PAGES / "clear_refs").write_text("5", encoding="ascii")


def read_peak_mb() -> float:
    """Return the peak resident memory in MB since `reset_peak_memory` (not on Linux: since the start)."""
    if (PAGES / "status").exists():
        fields = (PAGES / "status").read_text(encoding="ascii").split()
        return int(fields[fields.index("VmHWM:") + 1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def read_resident_mb() -> float:
    """Return the resident memory of this process in MB; 0 if the system does not report it."""
    if not (PAGES / "statm").exists():
        return 0.0
    pages = int((PAGES / "statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def time_run(call: Any) -> dict[str, Any]:
    """Run `call` once and return its time and memory."""
    gc.collect()
    reset_peak_memory()
    before = read_resident_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    figures = call()
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = read_peak_mb()
    record = {"seconds": seconds, "cpu": cpu, "peak_mb": peak, "rise_mb": max(peak - before, PAGE_MB)}
    return {**record, "figures": figures if isinstance(figures, dict) else {}}


def main() -> None:
    """Answer the requests of the parent process until it closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    job = json.loads(sys.stdin.readline())
    function: Any = pydoc.locate(job["call"])
    call = function(**job["options"])
    answers.write("ready\n")
    answers.flush()
    for _ in sys.stdin:
        answers.write(json.dumps(time_run(call)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
