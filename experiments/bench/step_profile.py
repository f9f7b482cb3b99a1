"""Profile a training step: CPU seconds of its parts, of its kinds of operators, and its slowest operators.

The step is that of train.json: network, losses, optimizer, precision, average of the weights. CPU seconds are
counted, because other processes change the wall time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader
from monai.engines import SupervisedTrainer
from monai.utils import set_determinism
from torch.profiler import ProfilerActivity, profile

from experiments.bench.bench_cohorts import write_phantoms
from experiments.bench.paired_timing import BenchContext
from experiments.bench.training_step import read_batch, read_training_config
from scripts.lidia.atomic import write_json
from scripts.lidia.runtime.weights import load_weights

KINDS = {
    "convolution": ("convolution", "mkldnn", "conv3d"),
    "instance norm": ("batch_norm", "instance_norm"),
    "activation": ("leaky_relu", "relu", "sigmoid", "softplus"),
    "upsampling": ("upsample", "interpolate"),
    "attention and linear": ("bmm", "addmm", "mm", "scaled_dot", "softmax", "linear", "matmul", "baddbmm"),
    "copies and casts": (
        "copy_",
        "_to_copy",
        "cat",
        "clone",
        "contiguous",
        "fill_",
        "zero_",
        "index",
        "gather",
    ),
}
"""Kinds of operators by parts of their names; the first that fits counts."""


def build_trainer(parser: Any, batch: Sequence[dict[str, Any]]) -> SupervisedTrainer:
    """Build a trainer of one step from the parts of a training config.

    Args:
        parser: the config, see `read_training_config`.
        batch: crops of the step.
    """
    network = parser.get_parsed_content("network")
    load_weights(network, Path(parser["bundle_root"]) / "models/model.pt")
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=DataLoader(batch, batch_size=len(batch)),
        network=network,
        optimizer=parser.get_parsed_content("train#optimizer"),
        loss_function=parser.get_parsed_content("train#criterion"),
        prepare_batch=parser.get_parsed_content("train#trainer#prepare_batch"),
        iteration_update=parser.get_parsed_content("train#iteration"),
        train_handlers=[
            parser.get_parsed_content(f"train#{name}") for name in ("clip_gradients", "average_weights")
        ],
        decollate=False,
    )


class PartTimes:
    """CPU seconds of named calls; a call within another one counts for both."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, owner: Any, method: str, name: str) -> None:
        """Count the calls of a method of an object."""
        call: Callable[..., Any] = getattr(owner, method)

        @wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start

        setattr(owner, method, timed)


@contextmanager
def time_backward(times: PartTimes) -> Iterator[None]:
    """Count the backward passes within the context."""
    original = torch.Tensor.backward
    times.wrap(torch.Tensor, "backward", "backward")
    try:
        yield
    finally:
        torch.Tensor.backward = original  # type: ignore[method-assign]


def watch_parts(trainer: SupervisedTrainer) -> PartTimes:
    """Count the parts of LIDIA's step: network, losses, optimizer, average."""
    times = PartTimes()
    network: Any = trainer.network
    criterion: Any = trainer.loss_function
    times.wrap(network, "forward", "forward")
    for name, part in network.named_children():
        times.wrap(part, "forward", f"forward: {name}")
    times.wrap(criterion, "forward", "loss")
    for owner, method, name in (
        (criterion.semantic, "draw", "semantic loss"),
        (criterion.semantic, "forward", "semantic loss"),
        (criterion.masks, "draw", "points of the mask loss"),
        (criterion.masks, "read", "points of the mask loss"),
        (criterion, "match", "matching"),
        (criterion, "compute_layer_losses", "mask and class loss"),
        (criterion, "compute_contrastive_loss", "contrastive loss"),
    ):
        times.wrap(owner, method, f"loss: {name}")
    times.wrap(trainer.optimizer, "step", "optimizer")
    return times


def sum_kinds(profiler: Any) -> dict[str, float]:
    """Sum the own CPU seconds of operators by `KINDS`, forward and backward; the rest is `other`."""
    sums = dict.fromkeys([*KINDS, "other"], 0.0)
    for event in profiler.key_averages():
        kind = next((kind for kind, parts in KINDS.items() if any(p in event.key for p in parts)), "other")
        sums[kind] += event.self_cpu_time_total / 1e6
    return sums


def profile_step(
    *,
    bundle_root: str,
    output_dir: str,
    crop: Sequence[int] = (64, 64, 48),
    steps: int = 8,
    cases: int = 4,
    threads: int = 1,
) -> dict[str, Any]:
    """Profile a step on two fixed crops of phantoms and write `step_profile_XxYxZ.json`.

    Args:
        bundle_root: the bundle.
        output_dir: folder of the phantoms and of the profile.
        crop: voxels of a crop.
        steps: number of steps.
        cases: number of phantoms.
        threads: of this process.

    Returns:
        Mean CPU seconds of a step: `parts`, `kinds`, and `operators`, the ten slowest.
    """
    torch.set_num_threads(threads)
    context = BenchContext(Path(bundle_root).absolute(), Path(output_dir).absolute(), threads, inline=True)
    folder = write_phantoms(context, cases=cases)
    set_determinism(0)
    parser = read_training_config(
        str(context.bundle),
        "compact",
        dataset_dir=str(folder),
        cache_dir=str(context.output / "data/cache"),
        **{"train#crop#size": list(crop), "device": "$torch.device('cpu')"},
    )
    batch = read_batch(parser)
    trainer = build_trainer(parser, batch)
    read_batch(parser)  # from the cache
    start = time.process_time()
    for _ in range(steps):
        read_batch(parser)
    data = (time.process_time() - start) / steps
    trainer.run()
    times = watch_parts(trainer)
    span = {"step": 0.0, "update": 0.0}

    @trainer.on(Events.ITERATION_STARTED)
    def begin(_: Engine) -> None:
        span["begin"] = time.process_time()

    @trainer.on(Events.ITERATION_COMPLETED)
    def end(_: Engine) -> None:
        span["step"] += time.process_time() - span["begin"]

    with time_backward(times):
        for _ in range(steps):
            trainer.run()
    parts = {"data": data, "step": span["step"] / steps}
    parts |= {name: seconds / steps for name, seconds in times.seconds.items()}
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        trainer.run()
    averages = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    record = {
        "crop": list(crop),
        "parts": parts,
        "kinds": sum_kinds(profiler),
        "operators": {event.key: event.self_cpu_time_total / 1e6 for event in averages[:10]},
    }
    write_json(context.output / f"step_profile_{'x'.join(map(str, crop))}.json", record)
    return record
