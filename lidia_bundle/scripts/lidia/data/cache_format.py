"""A prepared case as plain tensors, strings and numbers, which `torch.load` reads without trust, and back."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import TraceKeys

from scripts.lidia.data.lesion_crop import find_crop_centres

TOLD = ("id", "grid_phase", "phases_used", "warnings", "malignant")


def to_cache(item: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what is kept of a training case.

    Args:
        item: `image` (4, X, Y, Z) and `label` (2, X, Y, Z) on the network's grid.

    Returns:
        `image` float16, `label` int16, `find_crop_centres` for crops, and the id.
    """
    label = item["label"].as_tensor().to(torch.int16).contiguous()
    image = item["image"].as_tensor().to(torch.float16).contiguous()
    return {"image": image, "label": label, "landmarks": find_crop_centres(label), "id": str(item["id"])}


def to_cache_with_affine(item: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what is kept of a case for evaluation: also its place in the body and the way back.

    Args:
        item: `image` (4, X, Y, Z) with its trace, and `label` (2, ...) on the reference phase's own grid.

    Returns:
        `image` float16, `label` int16, their metadata and trace in plain types, and what is told of the case.
    """
    image, label = item["image"], item["label"]
    place = {"image": image.meta, "trace": image.applied_operations, "label": label.meta}
    told = {key: item[key] for key in TOLD if key in item}
    tensors = {
        "image": image.as_tensor().to(torch.float16).contiguous(),
        "label": label.as_tensor().to(torch.int16).contiguous(),
    }
    return {**tensors, "place": _plain(place), **told}


def from_cache(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the case that was packed: image float32; MetaTensors where its place was kept.

    Args:
        kept: what `to_cache` or `to_cache_with_affine` gave.

    Returns:
        `image`, `label` and what else is told of the case.
    """
    item = {key: value for key, value in kept.items() if key not in ("landmarks", "place")}
    item["image"] = item["image"].float()
    place = kept.get("place")
    if place is not None:
        item["image"] = MetaTensor(item["image"], meta=place["image"], applied_operations=place["trace"])
        item["label"] = MetaTensor(item["label"], meta=place["label"])
    return item


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        # a stored trace belongs to no living transform: MONAI's word for that skips the comparison of ids
        known = {str(k.value if isinstance(k, Enum) else k): v for k, v in value.items()}
        return {k: str(TraceKeys.NONE.value) if k == TraceKeys.ID else _plain(v) for k, v in known.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    if isinstance(value, np.generic):
        return value.item()
    return value.value if isinstance(value, Enum) else value
