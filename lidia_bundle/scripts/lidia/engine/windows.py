"""Inference over a whole volume: overlapping windows, and an average over mirrored volumes if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer


class WindowInferer(SlidingWindowInferer):
    """MONAI's sliding window with this bundle's padding: air, in units of the window.

    MONAI pads with 0, which is 100 HU under our window and looks like liver.

    Args:
        roi_size: voxels of a window along X, Y, Z.
        overlap: share of a window that the next one covers again.
        sw_batch_size: windows a forward pass.
        tta: averages over mirror images along all subsets of the three axes, eight times the work.
    """

    def __init__(
        self, *, roi_size: Sequence[int], overlap: float = 0.25, sw_batch_size: int = 1, tta: bool = False
    ) -> None:
        super().__init__(
            roi_size=tuple(roi_size),
            sw_batch_size=sw_batch_size,
            overlap=overlap,
            mode="gaussian",
            padding_mode="constant",
            cval=-1.0,
        )
        self.tta = tta

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """Probabilities (B, C, X, Y, Z) for an image (B, 4, X, Y, Z); a MetaTensor stays one.

        A network with a patient branch is asked for its scores too: they follow the C classes as channels.
        """
        network = getattr(network, "with_branch", network)
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        total = super().__call__(image, network, *args, **kwargs)
        if self.tta:
            for axes in (axes for count in (1, 2, 3) for axes in combinations((2, 3, 4), count)):
                total = total + super().__call__(image.flip(axes), network, *args, **kwargs).flip(axes)
            total = total / 8.0
        return MetaTensor(total, meta=inputs.meta) if isinstance(inputs, MetaTensor) else total
