"""Run one update of the trainer: plain, or sharpness-aware (two gradients per batch).

The paper trains with SAM (section 2.2). The second pass repeats the random choices of the first (proposals,
pilots, points, matching). With a loss scaler, gradients are not unscaled before the ascent, because g / |g|
does not depend on the scale. MONAI's step hard-codes CUDA autocast; this step uses the network's device type.
A step whose gradient is not finite is skipped and counted in `engine.state.skipped`.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys as Keys

from scripts.lidia.contract import to_float32
from scripts.lidia.optim.sharpness import SharpnessAware
from scripts.lidia.recorded_randomness import record_choices, replay_choices
from scripts.lidia.runtime.precision import uses_bf16


class UpdateStep:
    """Callable for `SupervisedTrainer(iteration_update=...)`.

    `engine.state.output` is a list of one dictionary, as MONAI's handlers expect: image, label, the loss at
    the weights before the update and its named `parts`. The prediction is omitted, because it would keep the
    graph in memory.

    Args:
        sam: sharpness-aware minimisation; None is a plain step, equal to MONAI's.
        precision: `fp32`; `bf16` runs the network in bfloat16 autocast and takes the losses in float32;
            `fp16` is the trainer's `amp`, with its loss scaler.
    """

    def __init__(self, *, sam: SharpnessAware | None = None, precision: str = "bf16") -> None:
        self.sam, self.precision = sam, precision

    def __call__(self, engine: SupervisedTrainer, batchdata: dict[str, Any]) -> list[dict[str, Any]]:
        """Run one step and fire the events of MONAI's iteration."""
        inputs, targets, args, kwargs = engine.prepare_batch(
            batchdata, engine.state.device, engine.non_blocking, **engine.to_kwargs
        )
        use_bf16 = uses_bf16(self.precision, inputs.device)
        engine.network.train()
        engine.state.output = [{Keys.IMAGE: inputs, Keys.LABEL: targets}]
        criterion = engine.loss_function
        modules = [module for module in (engine.network, criterion) if isinstance(module, torch.nn.Module)]
        if self.sam is None:
            loss = compute_gradient(engine, inputs, targets, args, kwargs, bf16=use_bf16)
            parts = dict(getattr(criterion, "parts", {}))
        else:
            with record_choices(*modules):
                loss = compute_gradient(engine, inputs, targets, args, kwargs, bf16=use_bf16)
            parts = dict(getattr(criterion, "parts", {}))
            if self.sam.ascend(engine.optimizer):
                try:
                    with replay_choices(*modules):
                        compute_gradient(engine, inputs, targets, args, kwargs, bf16=use_bf16)
                finally:
                    self.sam.restore()
        engine.state.output[0].update({Keys.LOSS: loss, "parts": parts})
        for event in (
            IterationEvents.FORWARD_COMPLETED,
            IterationEvents.LOSS_COMPLETED,
            IterationEvents.BACKWARD_COMPLETED,
        ):
            engine.fire_event(event)
        update_weights(engine)
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return engine.state.output


def compute_gradient(
    engine: SupervisedTrainer,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    args: tuple[Any, ...],
    kwargs: dict,
    *,
    bf16: bool = False,
) -> torch.Tensor:
    """Compute the gradients of the loss at the network's present weights.

    Returns:
        The loss, detached, without the scaler's factor.
    """
    engine.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(inputs.device.type, **engine.amp_kwargs) if engine.amp else nullcontext():
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16) if bf16 else nullcontext():
            prediction = engine.inferer(inputs, engine.network, *args, **kwargs)
        prediction = to_float32(prediction) if bf16 else prediction
        loss = engine.loss_function(prediction, targets).mean()
    (loss if engine.scaler is None else engine.scaler.scale(loss)).backward()
    return loss.detach()


def update_weights(engine: SupervisedTrainer) -> None:
    """Update weights and memory bank once per step; skip the update if the gradient is not finite."""
    gradients = [
        p.grad for group in engine.optimizer.param_groups for p in group["params"] if p.grad is not None
    ]
    finite = bool(torch.nn.utils.get_total_norm(gradients).isfinite())
    if finite and hasattr(engine.loss_function, "fill_bank"):
        engine.loss_function.fill_bank()
    if engine.scaler is not None:
        engine.scaler.step(engine.optimizer)
        engine.scaler.update()
    elif finite:
        engine.optimizer.step()
    if not finite:
        engine.state.skipped = getattr(engine.state, "skipped", 0) + 1
        engine.logger.warning(
            f"Step {engine.state.iteration}: gradient not finite, skipped ({engine.state.skipped} so far)"
        )
