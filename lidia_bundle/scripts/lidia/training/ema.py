"""Average the weights exponentially (EMA); the averaged weights are validated and released."""

from __future__ import annotations

from ignite.engine import Engine, Events
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class AverageWeights:
    """Handler that updates the exponential moving average of a network's weights.

    The decay rises with the step t as (1 + t) / (10 + t) up to `decay`, so that the random initial weights do
    not dominate a short training. It depends on the step only, so a resumed training continues exactly
    (Ignite's handler restarts its warm-up).

    Args:
        network: network to average; buffers that are not floating point are copied.
        average: deep copy of the network, changed in place.
        decay: weight of the old average at each step; 0 copies the network.
    """

    def __init__(self, *, network: nn.Module, average: nn.Module, decay: float = 0.999) -> None:
        self.network, self.average, self.decay = network, average, decay
        average.requires_grad_(False)

    def attach(self, engine: Engine) -> None:
        """Update the average after every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Update the average with the network's present weights."""
        step = engine.state.iteration
        update = get_ema_multi_avg_fn(min(self.decay, (1 + step) / (10 + step)))
        averages, values = self.average.state_dict(), self.network.state_dict()
        floating = [name for name, value in averages.items() if value.is_floating_point()]
        update([averages[name] for name in floating], [values[name] for name in floating], step)
        for name in averages.keys() - set(floating):
            averages[name].copy_(values[name])
        if hasattr(self.network, "decoding"):
            self.average.decoding = self.network.decoding
