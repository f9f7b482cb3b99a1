"""Measure row `data`: an epoch from the cache against one from files, and the time spent waiting for data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.bundle import create_workflow

from experiments.bench.bench_cohorts import write_phantoms
from experiments.bench.benchmark_row import BenchmarkRow, make_row
from experiments.bench.paired_timing import BenchContext, Side, compute_median, compute_ratios, run_rounds
from experiments.bench.training_step import read_training_config


def prepare_epoch(*, bundle: str, dataset: str, cache: str | None) -> Callable[[], None]:
    """Prepare an epoch: every training case once, cropped and augmented; a cache is filled before."""
    parser = read_training_config(bundle, "compact", dataset_dir=dataset, cache_dir=cache)
    cases = parser.get_parsed_content("train#dataset")

    def run() -> None:
        for index in range(len(cases)):
            cases[index]

    if cache is not None:
        run()
    return run


def prepare_training_loop(
    *, bundle: str, dataset: str, cache: str, output: str, steps: int, crop: Sequence[int]
) -> Callable[[], Any]:
    """Prepare an epoch of train.json at its last stage; return the share of time spent waiting for data."""
    flow = create_workflow(
        config_file=str(Path(bundle) / "configs/train.json"),
        workflow_type="train",
        logging_file=False,
        dataset_dir=dataset,
        cache_dir=cache,
        output_dir=output,
        max_epochs=1,
        steps_per_epoch=steps,
        val_interval=1000,
        resume=False,
        precision="fp32",
        **{
            "train#stages": {"full": {"start": 0.0, "decoding": True, "crop": list(crop), "cases": 2}},
            # The phantoms have no section for validation, and nothing is validated here.
            "validate#dataset#data#section": "training",
        },
    )
    flow.initialize()
    trainer: Any = flow.trainer
    waiting, started = [0.0], [0.0]

    @trainer.on(Events.GET_BATCH_STARTED)
    def begin(_: Engine) -> None:
        started[0] = time.perf_counter()

    @trainer.on(Events.GET_BATCH_COMPLETED)
    def end(_: Engine) -> None:
        waiting[0] += time.perf_counter() - started[0]

    def run() -> dict[str, float]:
        waiting[0] = 0.0
        start = time.perf_counter()
        flow.run()
        return {"share": waiting[0] / (time.perf_counter() - start)}

    return run


def measure_data(
    context: BenchContext,
    *,
    cases: int,
    spacing: Sequence[float] | None,
    steps: int,
    crop: Sequence[int],
    pairs: int,
) -> dict[str, BenchmarkRow]:
    """Measure the second epoch, and the share of time that the loop waits."""
    folder = write_phantoms(context, cases=cases, spacing=spacing)
    options = {"bundle": str(context.bundle), "dataset": str(folder)}
    cache = str(context.output / "data" / "cache")
    sides = {
        "cached": Side(prepare_epoch, {**options, "cache": cache}),
        "uncached": Side(prepare_epoch, {**options, "cache": None}),
    }
    times = run_rounds(context, "data", sides, pairs=pairs, warm=0)
    loop = {
        **options,
        "cache": cache,
        "output": str(context.output / "data" / "training"),
        "steps": steps,
        "crop": list(crop),
    }
    waits = run_rounds(context, "data_waiting", {"loop": Side(prepare_training_loop, loop)}, pairs=pairs)[
        "loop"
    ]
    grids = "own" if spacing is None else "coarse"
    return {
        "data": make_row(
            compute_ratios(times["uncached"], times["cached"]),
            what=f"the second epoch of {cases} patients, phases on {grids} grids",
            against="the same without a cache",
            unit="speed",
            wanted=20.0,
            figures={f"{name}_s": compute_median(trials) for name, trials in times.items()},
        ),
        "data_waiting": make_row(
            [trial.figures["share"] for trial in waits],
            what="the training loop waits for data",
            against="the whole epoch",
            unit="time",
            wanted=0.05,
            better="less",
        ),
    }
