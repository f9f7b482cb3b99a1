"""Gather rows and strings from all ranks, including ranks without data.

MONAI's `Cumulative` skips the exchange on a rank without patients, and the other ranks then wait forever.
"""

from __future__ import annotations

import json

import torch
from monai.utils import evenly_divisible_all_gather


def gather_rows(rows: torch.Tensor) -> list[torch.Tensor]:
    """Gather the rows of all ranks, one tensor per rank.

    Args:
        rows: `(n, W)` of this rank; n may be 0, W is equal on all ranks.
    """
    gathered = evenly_divisible_all_gather(rows, concat=False)
    return [gathered] if isinstance(gathered, torch.Tensor) else list(gathered)


def gather_strings(strings: list[str]) -> list[list[str]]:
    """Gather the strings of all ranks, one list per rank; a list may be empty."""
    text = bytearray(json.dumps(strings), "utf-8")
    return [json.loads(bytes(row.tolist())) for row in gather_rows(torch.tensor(text, dtype=torch.long))]
