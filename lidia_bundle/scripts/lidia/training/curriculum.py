"""Stages of a training: the semantic head alone at first, small crops before large ones.

Not in the paper: in CPU-hours the masks come at once and the classes do not, so the semantic head trains
alone first, and large crops, which show what surrounds a lesion, come at the end. Everything follows from
`engine.state.epoch`, so that a resumed training is in the right stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from scripts.lidia.training.sampling import CaseBatchSampler


class Curriculum:
    """Sets crop, batch and decoding at the start of each epoch.

    Args:
        network: has an attribute `decoding`; a plain semantic network may lack it.
        crop: crop transform with attributes `size` (voxels of the network's grid) and `samples` a case.
        batches: has an attribute `size`, cases a batch.
        plan: one dict a stage: `start` (share of all epochs, the first 0), and any of `decoding`, `crop`,
            `samples`, `cases`. What a stage does not name stays as the stage before had it.

    Raises:
        ValueError: the plan does not begin at 0 or does not rise, or a stage has an unknown word.
    """

    def __init__(
        self, *, network: nn.Module, crop: Any, batches: CaseBatchSampler, plan: Sequence[dict[str, Any]]
    ) -> None:
        starts = [stage.get("start") for stage in plan]
        if (
            not starts
            or starts[0] != 0
            or any(b is None or b <= a for a, b in zip(starts, starts[1:], strict=False))
        ):
            raise ValueError(f"Stages begin at share 0 and rise below 1; the plan has {starts}.")
        unknown = {word for stage in plan for word in stage} - {
            "start",
            "decoding",
            "crop",
            "samples",
            "cases",
        }
        if unknown:
            raise ValueError(f"A stage names start, decoding, crop, samples, cases; not {sorted(unknown)}.")
        self.network, self.crop, self.batches, self.plan = network, crop, batches, list(plan)

    def attach(self, engine: Engine) -> None:
        """Sets the stage on every EPOCH_STARTED."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def at(self, epoch: int, epochs: int) -> dict[str, Any]:
        """What holds in an epoch (counted from 1) of a training of `epochs`."""
        now: dict[str, Any] = {}
        for stage in self.plan:
            if epoch - 1 >= round(stage["start"] * epochs):
                now.update(stage)
        return now

    def __call__(self, engine: Engine) -> None:
        """Brings network, crop and batches into the stage of the present epoch."""
        now = self.at(engine.state.epoch, engine.state.max_epochs)
        if "decoding" in now and hasattr(self.network, "decoding"):
            self.network.decoding = now["decoding"]
        if "crop" in now:
            self.crop.size = tuple(now["crop"])
        self.crop.samples = now.get("samples", self.crop.samples)
        self.batches.size = now.get("cases", self.batches.size)
        if now != self.at(engine.state.epoch - 1, engine.state.max_epochs):
            engine.logger.info(f"Stage from epoch {engine.state.epoch}: {now}")
