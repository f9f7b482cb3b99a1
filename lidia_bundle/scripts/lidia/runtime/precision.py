"""Choose the precision of a network: fp32, bf16 if the processor supports it, fp16 on a GPU.

A CPU without bfloat16 instructions emulates it, slower than float32: a training step takes 1.5 times as long
with AVX-512 alone, dozens of times as long without it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from scripts.lidia.vocabulary import PRECISIONS


def has_bf16_instructions(capabilities: Mapping[str, Any]) -> bool:
    """Check whether a CPU computes in bfloat16; oneDNN's own check is also true where it only emulates it.

    Args:
        capabilities: as of `torch.cpu.get_capabilities`.
    """
    if capabilities.get("architecture") != "x86_64":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@cache
def supports_bf16(device: torch.device) -> bool:
    """Check whether a device supports bfloat16; warn once if not."""
    if device.type == "cpu":
        supported = has_bf16_instructions(torch.cpu.get_capabilities())
    else:
        supported = device.type != "cuda" or torch.cuda.is_bf16_supported()
    if not supported:
        logging.getLogger("lidia").warning(
            "precision bf16 was requested, but %s does not support it: float32 is used", device
        )
    return supported


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Check whether the network runs in bfloat16 autocast on a device.

    Args:
        precision: `fp32`, `bf16` or `fp16`.
        device: device of the network's input.

    Raises:
        ValueError: the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    return precision == "bf16" and supports_bf16(device)


def uses_amp(*, precision: str, device: torch.device | str) -> bool:
    """Check whether MONAI's engine uses automatic mixed precision (fp16 with a loss scaler on a GPU).

    Args:
        precision: `fp32`, `bf16` or `fp16`.
        device: device of the engine.

    Raises:
        ValueError: fp16 was set for a device that is not a GPU.
    """
    kind = torch.device(device).type
    if precision == "fp16" and kind != "cuda":
        raise ValueError(f"precision fp16 needs a GPU, and the device is {kind}: set precision bf16 or fp32")
    return precision == "fp16"
