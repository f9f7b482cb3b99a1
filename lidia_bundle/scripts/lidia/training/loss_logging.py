"""Collect the named losses of a training per step and per epoch for logging."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from scripts.lidia.runtime.distributed import gather_strings


def collect_losses(output: list[dict[str, Any]]) -> dict[str, float]:
    """Return the loss of a step and its parts, for `TensorBoardStatsHandler` and `MLFlowHandler`.

    Args:
        output: `engine.state.output` of an `UpdateStep`.
    """
    step = output[0]
    return {"loss": float(step["loss"]), **{name: float(value) for name, value in step["parts"].items()}}


class MeanLosses:
    """Handler that puts the mean losses of an epoch into `engine.state.metrics` for MONAI's log handlers.

    The metrics also contain the learning rate, the largest gradient norm, the number of steps skipped so far
    because of gradients that were not finite, and the CPU seconds of the epoch's steps. Means and seconds
    are over all processes.
    """

    def __init__(self) -> None:
        self.sums: dict[str, list[float]] = defaultdict(list)
        self.norm = 0.0
        self.started = 0.0

    def attach(self, engine: Engine) -> None:
        """Register for steps and epochs; attach it before the handlers that log."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.end)

    def begin(self, engine: Engine) -> None:
        """Reset the sums of the last epoch."""
        self.sums.clear()
        self.norm, self.started = 0.0, time.process_time()

    def step(self, engine: Engine) -> None:
        """Add the losses of a step; parts that are not finite are excluded from their mean."""
        for name, value in collect_losses(engine.state.output).items():
            if math.isfinite(value):
                self.sums[name].append(value)
        norm = getattr(engine.state, "gradient_norm", 0.0)
        self.norm = max(self.norm, norm if math.isfinite(norm) else 0.0)

    def end(self, engine: Engine) -> None:
        """Compute the means over all processes."""
        local_sums = [json.dumps([name, sum(values), len(values)]) for name, values in self.sums.items()]
        totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for record in (record for records in gather_strings(local_sums) for record in records):
            name, total, count = json.loads(record)
            totals[name] = [totals[name][0] + total, totals[name][1] + count]
        means = {name: total / count for name, (total, count) in sorted(totals.items())}
        engine.state.metrics = {
            **means,
            "learning_rate": engine.optimizer.param_groups[0]["lr"],
            "gradient_norm": self.norm,
            "skipped": float(getattr(engine.state, "skipped", 0)),
            "cpu_seconds": idist.all_reduce(time.process_time() - self.started),
        }
