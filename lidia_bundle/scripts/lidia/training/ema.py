"""Average the weights exponentially (EMA); the averaged weights are validated and released."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn


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

    def __init__(self, *, network: nn.Module, average: nn.Module, decay: float = 0.998) -> None:
        self.network, self.average, self.decay = network, average, decay
        average.requires_grad_(False)

    def attach(self, engine: Engine) -> None:
        """Update the average after every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        """Update the average with the network's present weights."""
        step = engine.state.iteration
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        network_state = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(network_state[name], 1.0 - decay)
            else:
                value.copy_(network_state[name])
        if hasattr(self.network, "decoding"):
            self.average.decoding = self.network.decoding
