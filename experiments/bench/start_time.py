"""Measure row `start`: new process to first output, against the imports of MONAI and torch alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, BenchError, summarise_spread

ANSWER = """
import sys, torch, monai.bundle
options = {"bundle_dir": sys.argv[1], "device": "cpu", "workflow_type": "inference"}
network = monai.bundle.load("lidia_bundle", **options).eval()
with torch.no_grad():
    network(torch.rand(1, 4, *map(int, sys.argv[2:])))
"""
IMPORTS = "import torch, monai"


def time_python(context: BenchContext, code: str, *arguments: str) -> float:
    """Measure the seconds of a new Python process that runs `code`.

    Raises:
        BenchError: the process failed.
    """
    start = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    process = subprocess.run(command, env=context.environment(), capture_output=True, text=True, check=False)
    if process.returncode:
        raise BenchError(f"start failed: {process.stderr.strip().splitlines()[-1:]}")
    return time.perf_counter() - start


def measure_start(context: BenchContext, *, size: Sequence[int], pairs: int) -> dict[str, BenchmarkRow]:
    """Measure load() and the first output on a small input."""
    arguments = [str(context.bundle.parent), *map(str, size)]
    times = [
        (time_python(context, ANSWER, *arguments), time_python(context, IMPORTS)) for _ in range(pairs + 1)
    ][1:]
    mine, theirs = zip(*times, strict=True)
    return {
        "start": make_row(
            [answer_seconds / import_seconds for answer_seconds, import_seconds in times],
            what=f"load() in a new process, to the first answer on {'x'.join(map(str, size))}",
            against="import of monai and torch alone",
            unit="time",
            wanted=1.5,
            better="less",
            figures={"lidia_s": summarise_spread(mine)[0], "imports_s": summarise_spread(theirs)[0]},
        )
    }
