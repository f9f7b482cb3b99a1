"""Clip gradients between the last backward pass and the update, for plain and SAM steps."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents


class ClipGradients:
    """Handler that limits the joint L2 norm of the gradients of all weights.

    Args:
        max_norm: maximum norm.
    """

    def __init__(self, *, max_norm: float) -> None:
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Clip on every BACKWARD_COMPLETED of a MONAI trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Clip the gradients; with a loss scaler they are unscaled first, once per update."""
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        weights = [p for group in engine.optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(weights, self.max_norm)
        engine.state.gradient_norm = float(norm)
