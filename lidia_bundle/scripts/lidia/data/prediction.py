"""Copies the affine and the transform trace of an image to a prediction, as Invertd needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Transform


class RequireMeta(Transform):
    """Copies metadata and trace of the image to the prediction; use it before Invertd.

    Args:
        key: the prediction, (C, X, Y, Z) on the grid of the image.
        image: the network's input, a MetaTensor.
    """

    def __init__(self, key: str = "pred", image: str = "image") -> None:
        self.key = key
        self.image = image

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Copies the metadata.

        Raises:
            ValueError: if the image has no trace, or the prediction is not on its grid.
        """
        item = dict(data)
        pred, image = item[self.key], item[self.image]
        if not isinstance(image, MetaTensor) or not image.applied_operations:
            raise ValueError(f"`{self.image}` has no trace: it must be the MetaTensor from `preprocessing`")
        if not isinstance(pred, torch.Tensor) or pred.shape[1:] != image.shape[1:]:
            raise ValueError(f"`{self.key}` must be on the grid of `{self.image}`, {tuple(image.shape[1:])}")
        plain = pred.as_tensor() if isinstance(pred, MetaTensor) else pred
        item[self.key] = MetaTensor(plain, meta=image.meta, applied_operations=image.applied_operations)
        return item
