"""Prepare the batch of a training step."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor


def prepare_batch(
    batchdata: dict[str, Any],
    device: torch.device | str | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor], dict[str, Any]]:
    """Convert a batch to the inputs that MONAI's trainers expect (`prepare_batch`).

    MetaTensors become plain tensors, because metadata would be copied by every layer. The target is also an
    argument of the network, because mask-piloted queries start from true masks.

    Args:
        batchdata: `image` (B, 4, X, Y, Z) and `label` (B, 2, X, Y, Z).
        device: device of the step.
        non_blocking: copy asynchronously.
        **kwargs: further arguments of `Tensor.to`.

    Returns:
        image, label, positional arguments of the network after the image, its keyword arguments.
    """
    image, label = (
        (value.as_tensor() if isinstance(value, MetaTensor) else value).to(
            device=device, non_blocking=non_blocking, **kwargs
        )
        for value in (batchdata["image"], batchdata["label"])
    )
    label = label.long()
    return image.float(), label, (label,), {}
