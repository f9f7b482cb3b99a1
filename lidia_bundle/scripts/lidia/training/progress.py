"""Show the progress of a training and run its validations."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Evaluator
from monai.handlers import ValidationHandler
from torch import nn
from tqdm import tqdm


class Progress:
    """Progress bar of the whole training: steps, running mean of the loss, remaining time.

    A resumed training starts at its present step.

    Args:
        title: label of the bar.
        every: minimum seconds between updates; use a larger value for log files than for a terminal.
    """

    def __init__(self, *, title: str = "training", every: float = 1.0) -> None:
        self.title, self.every = title, every
        self.bar: tqdm | None = None
        self.mean: float | None = None

    def attach(self, engine: Engine) -> None:
        """Register for the events of a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.COMPLETED, self.close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.fail)

    def open(self, engine: Engine) -> None:
        """Create the bar once the length is known."""
        if self.bar is None:
            total = engine.state.max_epochs * engine.state.epoch_length
            self.bar = tqdm(
                total=total,
                initial=engine.state.iteration,
                desc=self.title,
                mininterval=self.every,
                dynamic_ncols=True,
            )

    def step(self, engine: Engine) -> None:
        """Advance the bar by one step."""
        loss = float(engine.state.output[0]["loss"])
        self.mean = loss if self.mean is None else 0.98 * self.mean + 0.02 * loss
        if self.bar is not None:
            self.bar.set_postfix({"epoch": engine.state.epoch, "loss": f"{self.mean:.3f}"}, refresh=False)
            self.bar.update()

    def close(self, engine: Engine) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None

    def fail(self, engine: Engine, problem: Exception) -> None:
        """Close the bar and raise the error again.

        Raises:
            Exception: `problem`.
        """
        self.close(engine)
        raise problem


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
