"""Serialises a preprocessed case to plain types loadable with `weights_only=True`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import TraceKeys

from scripts.lidia.data.lesion_crop import find_crop_centres

CASE_KEYS = ("id", "grid_phase", "phases_used", "warnings", "malignant")


def to_cache(item: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a training case to the cached form.

    Args:
        item: `image` (4, X, Y, Z) and `label` (2, X, Y, Z) on the network's grid.

    Returns:
        `image` float16, `label` int16, `landmarks` (crop centres), and the id.
    """
    label = item["label"].as_tensor().to(torch.int16).contiguous()
    image = item["image"].as_tensor().to(torch.float16).contiguous()
    return {"image": image, "label": label, "landmarks": find_crop_centres(label), "id": str(item["id"])}


def to_cache_with_affine(item: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a case for evaluation to the cached form, with its affines and the trace for inversion.

    Args:
        item: `image` (4, X, Y, Z) with its trace, and `label` (2, ...) on the reference phase's own grid.

    Returns:
        `image` float16, `label` int16, their metadata and trace in plain types, and CASE_KEYS of the item.
    """
    image, label = item["image"], item["label"]
    place = {"image": image.meta, "trace": image.applied_operations, "label": label.meta}
    case_values = {key: item[key] for key in CASE_KEYS if key in item}
    tensors = {
        "image": image.as_tensor().to(torch.float16).contiguous(),
        "label": label.as_tensor().to(torch.int16).contiguous(),
    }
    return {**tensors, "place": _to_plain(place), **case_values}


def from_cache(cached: Mapping[str, Any]) -> dict[str, Any]:
    """Restores a cached case: image float32; MetaTensors if the metadata is stored.

    Args:
        cached: result of `to_cache` or `to_cache_with_affine`.

    Returns:
        `image`, `label` and the other keys of the case.
    """
    item = {key: value for key, value in cached.items() if key not in ("landmarks", "place")}
    item["image"] = item["image"].float()
    place = cached.get("place")
    if place is not None:
        item["image"] = MetaTensor(item["image"], meta=place["image"], applied_operations=place["trace"])
        item["label"] = MetaTensor(item["label"], meta=place["label"])
    return item


def _to_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        # a stored trace belongs to no existing transform: MONAI's TraceKeys.NONE skips the comparison of ids
        by_name = {str(k.value if isinstance(k, Enum) else k): v for k, v in value.items()}
        return {
            k: str(TraceKeys.NONE.value) if k == TraceKeys.ID else _to_plain(v) for k, v in by_name.items()
        }
    if isinstance(value, list | tuple):
        return [_to_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    if isinstance(value, np.generic):
        return value.item()
    return value.value if isinstance(value, Enum) else value
