"""Exponential moving average of the weights: what is validated, shipped and used."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn


class AverageWeights:
    """Handler that lets a copy of the network follow it.

    The decay rises as (1 + t) / (10 + t) up to `decay`, a function of the step: a short training is not stuck
    at its random start, and a resumed one goes on exactly (Ignite's own handler counts its warm-up anew).

    Args:
        network: what is averaged; buffers that are no floats are copied.
        average: a deep copy of it, changed in place.
        decay: share of the old average that stays at each step; 0 follows the network itself.
    """

    def __init__(self, *, network: nn.Module, average: nn.Module, decay: float = 0.998) -> None:
        self.network, self.average, self.decay = network, average, decay
        average.requires_grad_(False)

    def attach(self, engine: Engine) -> None:
        """Averages after every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        """Takes one step towards the network's weights."""
        step = engine.state.iteration
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        theirs = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1.0 - decay)
            else:
                value.copy_(theirs[name])
        if hasattr(self.network, "decoding"):
            self.average.decoding = self.network.decoding
