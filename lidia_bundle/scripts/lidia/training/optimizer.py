"""Build parameter groups and the learning-rate schedule of the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import nn


def weight_groups(*, network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Group parameters: weight decay for matrices and kernels, none for biases, norms and other vectors.

    Args:
        network: network to train.
        weight_decay: weight decay of matrices and kernels.
    """
    weights = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in weights if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.dim() <= 1], "weight_decay": 0.0},
    ]


def warm_up_then_decay(
    *, steps: int, warm_up: int = 200, power: float | None = None, min_lr_factor: float = 0.02
) -> Callable[[int], float]:
    """Return the factor on the base learning rate by step, for `torch.optim.lr_scheduler.LambdaLR`.

    This is a function and not a callable object, because LambdaLR saves the attributes of an object in its
    state: a training resumed with more epochs would keep the old length.

    Args:
        steps: length of the whole training in steps.
        warm_up: steps of linear warm-up, at most a tenth of all steps.
        power: exponent of polynomial decay to zero (0.9 in nnU-Net and the paper); None is a half cosine to
            `min_lr_factor`.
        min_lr_factor: smallest factor of the cosine.

    Returns:
        Function from step to factor.
    """
    warm_up = min(warm_up, steps // 10)

    def factor(step: int) -> float:
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        done = min((step - warm_up) / max(1, steps - warm_up), 1.0)
        if power is not None:
            return float((1.0 - done) ** power)
        return min_lr_factor + (1.0 - min_lr_factor) * 0.5 * (1.0 + math.cos(math.pi * done))

    return factor
