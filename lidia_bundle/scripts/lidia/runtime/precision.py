"""Whether a processor has bfloat16; one that has not emulates it, dozens of times slower than float32."""

from __future__ import annotations

import logging
from functools import cache

import torch


@cache
def supports_bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays on a device; says so once where it does not."""
    if device.type == "cpu":
        found = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    else:
        found = device.type != "cuda" or torch.cuda.is_bf16_supported()
    if not found:
        logging.getLogger("lidia").warning("bf16 is asked for, %s has none: float32 is used", device)
    return found
