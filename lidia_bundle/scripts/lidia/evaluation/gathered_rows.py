"""Gather the rows of lesions over ranks, and decode a column of the rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from numpy.typing import NDArray

from scripts.lidia.runtime.distributed import gather_rows
from scripts.lidia.vocabulary import PHASES


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


def decode_phases(bits: NDArray) -> list[tuple[str, ...]]:
    """Lists the phases of each patient from the column `phases`, `(N,)`, one bit per phase."""
    return [tuple(phase for bit, phase in enumerate(PHASES) if int(value) >> bit & 1) for value in bits]
