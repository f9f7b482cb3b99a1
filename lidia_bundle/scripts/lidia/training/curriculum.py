"""Change crop size, batch size and decoding by stages of the training (not in the paper).

In a short training masks are learned quickly and classes slowly. The semantic head therefore trains alone
first, and large crops, which contain the surroundings of a lesion, are used last. The stage depends on
`engine.state.epoch` only, so that a resumed training is in the right stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from scripts.lidia.training.sampling import CaseBatchSampler

KEYS = frozenset({"start", "decoding", "crop", "samples", "cases"})
"""Keys of a stage."""


class Curriculum:
    """Handler that sets crop size, batch size and decoding at the start of each epoch.

    Args:
        network: network with an attribute `decoding` (optional for plain semantic networks).
        crop: crop transform with attributes `size` (voxels of the network's grid) and `samples` (per case).
        batches: batch sampler with an attribute `size` (cases per batch).
        stages: one dict per stage by name: `start` (fraction of all epochs, first 0), and any of `decoding`,
            `crop`, `samples`, `cases`. Values that a stage omits are kept from the previous one. The order
            is that of `start`; a stage that is null is left out.

    Raises:
        ValueError: the stages have no names, no stage starts at 0, two start together, or a stage has an
            unknown key.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        crop: Any,
        batches: CaseBatchSampler,
        stages: Mapping[str, Mapping[str, Any] | None],
    ) -> None:
        if not isinstance(stages, Mapping):
            raise ValueError(
                "train#stages is a list: since release 2.0.0 each stage has a name, as in "
                "{full: {start: 0.0, decoding: true}}."
            )
        plan = [stage for stage in stages.values() if stage is not None]
        starts = sorted(float(stage.get("start", -1.0)) for stage in plan)
        if not starts or starts[0] != 0 or starts[-1] >= 1 or len(set(starts)) < len(starts):
            raise ValueError(
                f"Stages start at 0 and at different fractions below 1; these start at {starts}."
            )
        unknown = {key for stage in plan for key in stage} - KEYS
        if unknown:
            raise ValueError(f"A stage sets {', '.join(sorted(KEYS))}; not {', '.join(sorted(unknown))}.")
        self.network, self.crop, self.batches = network, crop, batches
        self.stages = sorted(plan, key=lambda stage: stage["start"])

    def attach(self, engine: Engine) -> None:
        """Set the stage on every EPOCH_STARTED."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def collect_settings(self, epoch: int, epochs: int) -> dict[str, Any]:
        """Collect the settings of an epoch.

        Args:
            epoch: counted from 1; 0 has no settings.
            epochs: number of epochs of the training.
        """
        settings: dict[str, Any] = {}
        for stage in self.stages:
            if epoch - 1 >= round(stage["start"] * epochs):
                settings.update(stage)
        return settings

    def __call__(self, engine: Engine) -> None:
        """Apply the settings of the present epoch to network, crop and batch sampler."""
        settings = self.collect_settings(engine.state.epoch, engine.state.max_epochs)
        if "decoding" in settings and hasattr(self.network, "decoding"):
            self.network.decoding = settings["decoding"]
        if "crop" in settings:
            self.crop.size = tuple(settings["crop"])
        self.crop.samples = settings.get("samples", self.crop.samples)
        self.batches.size = settings.get("cases", self.batches.size)
        if settings != self.collect_settings(engine.state.epoch - 1, engine.state.max_epochs):
            engine.logger.info(f"Stage from epoch {engine.state.epoch}: {settings}")
