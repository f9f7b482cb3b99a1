"""Share a cohort over independent processes, such as the tasks of a job array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ERRORS = "errors.json"
"""File of the failed patients of a run that is not divided."""
PATTERN = "errors*.json"
"""Files of the failed patients of all parts of a run."""


def check_rank(rank: int, world_size: int) -> None:
    """Checks that a part of a cohort exists.

    Args:
        rank: number of the part, from 0.
        world_size: number of parts.

    Raises:
        ValueError: there is no such part.
    """
    if not 0 <= rank < world_size:
        raise ValueError(
            f"--rank {rank} --world_size {world_size}: ranks count from 0 to {world_size - 1}; number "
            f"the tasks of the job array from 0, such as --array=0-{world_size - 1} of SLURM"
        )


def take_part(items: Sequence[Any], rank: int, world_size: int) -> list[Any]:
    """Takes every `world_size`-th item, beginning with the rank; the parts are disjoint and complete."""
    return list(items)[rank::world_size]


def name_errors_file(folder: str, rank: int, world_size: int) -> str:
    """Returns the path of the list of failed patients; each part of a cohort has its own.

    Args:
        folder: folder of the results, which all parts may share.
        rank: number of the part, from 0.
        world_size: number of parts.
    """
    return f"{folder}/{ERRORS if world_size == 1 else f'errors_{rank}-of-{world_size}.json'}"
