"""What the engines hand to the network."""

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
    """Batch of a training step, as MONAI's trainers want it.

    Plain tensors: metadata would only be copied from layer to layer. The target is an argument of the network
    too, since mask-piloted queries start from true masks.

    Args:
        batchdata: `image` (B, 4, X, Y, Z) and `label` (B, 2, X, Y, Z).
        device: where the step runs.
        non_blocking: whether the copy may overlap.
        **kwargs: more arguments of `Tensor.to`.

    Returns:
        image, label, positional arguments of the network after the image, its keyword arguments.
    """
    image, label = (
        (value.as_tensor() if isinstance(value, MetaTensor) else value).to(
            device=device, non_blocking=non_blocking, **kwargs
        )
        for value in (batchdata["image"], batchdata["label"])
    )
    return image.float(), label.long(), (label.long(),), {}
