"""Share patients over ranks, and gather rows and strings from all ranks, including ranks without data.

MONAI's `Cumulative` skips the exchange on a rank without patients, and the other ranks then wait forever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sized

import torch
from monai.utils import evenly_divisible_all_gather
from torch.utils.data import Sampler


class RankSampler(Sampler[int]):
    """Every `world_size`-th patient, beginning with the rank; ranks may get different numbers of patients.

    Args:
        dataset: its length is taken when patients are drawn, not when a config is built.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(self, dataset: Sized, rank: int, world_size: int) -> None:
        self.dataset, self.rank, self.world_size = dataset, rank, world_size

    def __len__(self) -> int:
        return len(range(self.rank, len(self.dataset), self.world_size))

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.rank, len(self.dataset), self.world_size))


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
