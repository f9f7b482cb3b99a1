"""What a watcher sees of a training: a bar over all steps with loss and time left; and its validations."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Evaluator
from monai.handlers import ValidationHandler
from torch import nn
from tqdm import tqdm


class Progress:
    """One bar for the whole training: steps done, running mean of the loss, time left.

    A resumed training starts where it was.

    Args:
        title: stands before the bar.
        every: seconds between redraws; logs of a batch queue want more than a terminal does.
    """

    def __init__(self, *, title: str = "training", every: float = 1.0) -> None:
        self.title, self.every = title, every
        self.bar: tqdm | None = None
        self.mean: float | None = None

    def attach(self, engine: Engine) -> None:
        """Follows a trainer from its first epoch to its end."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.COMPLETED, self.close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.fail)

    def open(self, engine: Engine) -> None:
        """Draws the bar once the length is known."""
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
        """Moves the bar by one step."""
        loss = float(engine.state.output[0]["loss"])
        self.mean = loss if self.mean is None else 0.98 * self.mean + 0.02 * loss
        if self.bar is not None:
            self.bar.set_postfix({"epoch": engine.state.epoch, "loss": f"{self.mean:.3f}"}, refresh=False)
            self.bar.update()

    def close(self, engine: Engine) -> None:
        """Leaves the full bar standing."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None

    def fail(self, engine: Engine, problem: Exception) -> None:
        """Leaves the bar where it stopped.

        Raises:
            Exception: `problem` itself, on its way up.
        """
        self.close(engine)
        raise problem


class Validate(ValidationHandler):
    """Validation every `interval` epochs and after the last: no training ends without a `model.pt`.

    In the warm-up, when the decoder is not yet trained, there is nothing to validate.

    Args:
        interval: epochs from one validation to the next.
        validator: the evaluator to run.
        network: asked whether it is `decoding`.
    """

    def __init__(self, *, interval: int, validator: Evaluator, network: nn.Module | None = None) -> None:
        super().__init__(interval=interval, validator=validator)
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Validates on EPOCH_COMPLETED."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Runs the validator if this epoch wants it."""
        due = engine.state.epoch % self.interval == 0 or engine.state.epoch == engine.state.max_epochs
        if due and getattr(self.network, "decoding", True):
            super().__call__(engine)
