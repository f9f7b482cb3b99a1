"""Gather rows and strings from all ranks, including ranks without data.

MONAI's `Cumulative` skips the exchange where a rank saw no patient, and the other ranks then wait for ever.
"""

from __future__ import annotations

import json

import torch
from monai.utils import evenly_divisible_all_gather


def gather_rows(rows: torch.Tensor) -> list[torch.Tensor]:
    """Rows of all ranks, one tensor a rank.

    Args:
        rows: `(n, W)` of this rank; n may be 0, W is the same everywhere.
    """
    gathered = evenly_divisible_all_gather(rows, concat=False)
    return [gathered] if isinstance(gathered, torch.Tensor) else list(gathered)


def gather_strings(words: list[str]) -> list[list[str]]:
    """Lists of words of all ranks, one list a rank; a list may be empty."""
    text = bytearray(json.dumps(words), "utf-8")
    return [json.loads(bytes(row.tolist())) for row in gather_rows(torch.tensor(text, dtype=torch.long))]
