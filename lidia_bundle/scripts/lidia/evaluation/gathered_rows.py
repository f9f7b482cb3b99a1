"""Gather the rows of lesions over ranks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from numpy.typing import NDArray

from scripts.lidia.runtime.distributed import gather_rows


def gather_parts(parts: list[torch.Tensor], width: int) -> list[torch.Tensor]:
    """Gathers rows of all ranks, a tensor `(K, width)` for each rank."""
    return gather_rows(torch.cat([torch.zeros((0, width), dtype=torch.float64), *parts]))


def select_rows(
    rows: list[torch.Tensor], positions: Mapping[str, tuple[int, int]]
) -> list[tuple[str, NDArray]]:
    """Lists the rows of each patient by patient id.

    Args:
        rows: rows of each rank; the first column is the index of the patient in the rank.
        positions: rank and index of each patient.
    """
    return [
        (name, line)
        for name, (rank, index) in sorted(positions.items())
        for line in rows[rank][rows[rank][:, 0] == index, 1:].numpy()
    ]
