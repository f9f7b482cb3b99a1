"""Row `data`: an epoch out of the cache beside one from the files, and what the training loop waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.bundle import create_workflow

from scripts.lidia.bench.cohorts import phantoms
from scripts.lidia.bench.line import Line, line
from scripts.lidia.bench.pairs import Place, Side, ratios, rounds, typical
from scripts.lidia.bench.training import training_config


def epoch(*, bundle: str, dataset: str, cache: str | None) -> Callable[[], None]:
    """Every case of the training's data set once, cropped and augmented; a cache is filled before."""
    parser = training_config(bundle, "compact", dataset_dir=dataset, cache_dir=cache)
    cases = parser.get_parsed_content("train#dataset")

    def go() -> None:
        for index in range(len(cases)):
            cases[index]

    if cache is not None:
        go()
    return go


def waiting(
    *, bundle: str, dataset: str, cache: str, output: str, steps: int, crop: Sequence[int]
) -> Callable[[], Any]:
    """Share of an epoch of train.json, at its last stage, in which the loop waits for data."""
    flow = create_workflow(
        config_file=str(Path(bundle) / "configs/train.json"),
        workflow_type="train",
        logging_file=False,
        dataset_dir=dataset,
        cache_dir=cache,
        output_dir=output,
        max_epochs=1,
        steps=steps,
        val_interval=1000,
        resume=False,
        bf16=False,
        **{
            "train#stages": [{"start": 0.0, "decoding": True, "crop": list(crop), "cases": 2}],
            # The phantoms have no section for validation, and nothing is validated here.
            "validate#dataset#data#section": "training",
        },
    )
    flow.initialize()
    trainer: Any = flow.trainer
    spent, started = [0.0], [0.0]

    @trainer.on(Events.GET_BATCH_STARTED)
    def begin(_: Engine) -> None:
        started[0] = time.perf_counter()

    @trainer.on(Events.GET_BATCH_COMPLETED)
    def end(_: Engine) -> None:
        spent[0] += time.perf_counter() - started[0]

    def go() -> dict[str, float]:
        spent[0] = 0.0
        start = time.perf_counter()
        flow.run()
        return {"share": spent[0] / (time.perf_counter() - start)}

    return go


def data(
    place: Place, *, cases: int, spacing: Sequence[float] | None, steps: int, crop: Sequence[int], pairs: int
) -> dict[str, Line]:
    """The second epoch, and the share of the loop that waits."""
    folder = phantoms(place, cases=cases, spacing=spacing)
    options = {"bundle": str(place.bundle), "dataset": str(folder)}
    cache = str(place.output / "data" / "cache")
    sides = {
        "cached": Side(epoch, {**options, "cache": cache}),
        "uncached": Side(epoch, {**options, "cache": None}),
    }
    times = rounds(place, "data", sides, pairs=pairs, warm=0)
    loop = {
        **options,
        "cache": cache,
        "output": str(place.output / "data" / "training"),
        "steps": steps,
        "crop": list(crop),
    }
    waits = rounds(place, "data_waiting", {"loop": Side(waiting, loop)}, pairs=pairs)["loop"]
    grids = "own" if spacing is None else "coarse"
    return {
        "data": line(
            ratios(times["uncached"], times["cached"]),
            what=f"the second epoch of {cases} patients, phases on {grids} grids",
            against="the same without a cache",
            unit="speed",
            wanted=20.0,
            figures={f"{name}_s": typical(trials) for name, trials in times.items()},
        ),
        "data_waiting": line(
            [one.figures["share"] for one in waits],
            what="the training loop waits for data",
            against="the whole epoch",
            unit="time",
            wanted=0.05,
            better="less",
        ),
    }
