"""Show the progress of a training and run its validations."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import ProgressBar
from monai.engines import Evaluator
from monai.handlers import ValidationHandler
from torch import nn


class Progress(ProgressBar):
    """Ignite's bar over the steps of each epoch, with the loss of the step.

    It takes the options of `ignite.handlers.ProgressBar`. The bar has no running mean of the loss: Ignite's
    mean waits for all processes, but only the first process has a bar.
    """

    def attach(self, engine: Engine) -> None:
        """Update the bar after every step."""
        super().attach(engine, output_transform=_read_loss)


def _read_loss(output: list[dict[str, Any]]) -> dict[str, float]:
    return {"loss": float(output[0]["loss"])}


class Validate(ValidationHandler):
    """Validation every `interval` epochs and after the last epoch, so that every training saves weights.

    During the warm-up, when the decoder is untrained, validation is skipped.

    Args:
        interval: epochs between validations.
        validator: evaluator to run.
        network: network whose attribute `decoding` is False during the warm-up.
    """

    def __init__(self, *, interval: int, validator: Evaluator, network: nn.Module | None = None) -> None:
        super().__init__(interval=interval, validator=validator)
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Validate on EPOCH_COMPLETED."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Run the validator if a validation is due."""
        due = engine.state.epoch % self.interval == 0 or engine.state.epoch == engine.state.max_epochs
        if due and getattr(self.network, "decoding", True):
            super().__call__(engine)
