"""Measure all rows of a benchmark one after another; an interrupted run resumes."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.bench.bench_page import render_page
from experiments.bench.benchmark_row import BenchmarkRow
from experiments.bench.crop_composition import measure_composition
from experiments.bench.forward import measure_absent_phases, measure_forward
from experiments.bench.growth import measure_growth
from experiments.bench.large_volumes import measure_lesion_metrics, measure_writing
from experiments.bench.loading import measure_data
from experiments.bench.machine import describe_machine, hash_source, measure_gpu
from experiments.bench.mask_losses import measure_mask_losses
from experiments.bench.paired_timing import BenchContext, BenchError
from experiments.bench.patient_timing import measure_cohort, measure_patient
from experiments.bench.results_cache import ResultsCache, read_previous
from experiments.bench.runtimes import measure_runtimes
from experiments.bench.start_time import measure_start
from experiments.bench.training_step import measure_training
from scripts.lidia.atomic import write_json, write_text

logger = logging.getLogger(__name__)
ROWS: dict[str, Callable[..., dict[str, BenchmarkRow]]] = {
    "patient": measure_patient,
    "cohort": measure_cohort,
    "forward": measure_forward,
    "absent": measure_absent_phases,
    "training": measure_training,
    "mask_losses": measure_mask_losses,
    "data": measure_data,
    "compose": measure_composition,
    "lesion_metrics": measure_lesion_metrics,
    "writing": measure_writing,
    "runtime": measure_runtimes,
    "start": measure_start,
    "growth": measure_growth,
    "gpu": measure_gpu,
}
PICTURE = "growth.png"


class Outcome(NamedTuple):
    """Result of a benchmark."""

    lines: dict[str, BenchmarkRow]
    failed: list[str]

    def finish(self) -> None:
        """Raise an error if a row could not be measured; whether its claim holds does not matter.

        Raises:
            BenchError: a row failed; all others were finished first.
        """
        if self.failed:
            raise BenchError("\n".join(self.failed))


def run_bench(
    *,
    rows: Mapping[str, Mapping[str, Any] | None],
    output_dir: str,
    docs_dir: str,
    bundle_root: str,
    pairs: int = 5,
    threads: int | None = None,
    previous: str | None = None,
    only: Sequence[str] | None = None,
    inline: bool = False,
    command: str = "make bench",
) -> Outcome:
    """Measure all rows that are not finished yet and write the page.

    Args:
        rows: options of each row, see the functions in `ROWS`; None leaves the row out.
        output_dir: phantoms, logs, finished rows, and the page as it grows.
        docs_dir: where the page, `performance.json` and the picture go at the end.
        bundle_root: the bundle.
        pairs: default number of rounds of a row.
        threads: of every process; None uses one per core.
        previous: an older `performance.json` to compare with; None uses the one in `docs_dir`.
        only: rows to measure now; None is all.
        inline: run the sides in this process, for quick trials; memory is not meaningful then.
        command: the command that the page names.

    Returns:
        All finished lines, and messages of what failed.

    Raises:
        ValueError: a row has an unknown name.
    """
    plan = {name: {"pairs": pairs, **options} for name, options in rows.items() if options is not None}
    unknown = [name for name in (*plan, *(only or ())) if name not in ROWS]
    if unknown:
        raise ValueError(f"no row is called {', '.join(unknown)}; there are {', '.join(ROWS)}")
    output, docs = Path(output_dir).absolute(), Path(docs_dir).absolute()
    context = BenchContext(Path(bundle_root).absolute(), output, threads or os.cpu_count() or 1, inline)
    description = {
        **describe_machine(),
        "threads": context.threads,
        "inline": inline,
        "source": hash_source(context.bundle),
    }
    cache = ResultsCache(output / "rows", description)
    previous_rows = read_previous(output, docs, description["source"], previous)
    failed = []
    for name, options in plan.items():
        if (only is not None and name not in only) or cache.get(name, options) is not None:
            continue
        start = time.monotonic()
        try:
            cache.put(name, options, ROWS[name](context, **options))
        except Exception as problem:  # a failed row does not stop the others
            logger.exception("%s failed", name)
            failed.append(f"{name}: {problem}")
        logger.info("%s: %.0f s", name, time.monotonic() - start)
        _publish(output, cache, plan, description, previous_rows, command)
    lines = _publish(output, cache, plan, description, previous_rows, command)
    docs.mkdir(parents=True, exist_ok=True)
    for file in (output / "performance.md", output / "performance.json"):
        shutil.copyfile(file, docs / file.name)
    if (output / "images" / PICTURE).is_file():
        (docs / "images").mkdir(exist_ok=True)
        shutil.copyfile(output / "images" / PICTURE, docs / "images" / PICTURE)
    return Outcome(lines, failed)


def _publish(
    output: Path,
    cache: ResultsCache,
    plan: Mapping[str, Mapping[str, Any]],
    description: Mapping[str, Any],
    previous_rows: Mapping[str, Any],
    command: str,
) -> dict[str, BenchmarkRow]:
    """Write the page and its JSON into the output folder; return all finished lines."""
    finished = {name: cache.get(name, options) for name, options in plan.items()}
    lines = {row: line for part in finished.values() if part for row, line in part.items()}
    write_json(output / "performance.json", {row: line.as_dict() for row, line in lines.items()})
    text = render_page(
        lines,
        machine=description,
        command=command,
        pictures=[PICTURE] if (output / "images" / PICTURE).is_file() else [],
        missing=[name for name, part in finished.items() if part is None],
        previous=previous_rows,
    )
    write_text(output / "performance.md", text)
    return lines
