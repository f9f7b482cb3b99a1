"""Processes the phases of a patient in threads; decompression and resampling release the GIL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """Maps a function over arguments, in as many threads as torch may use; results keep their order.

    Args:
        work: function of one argument; the first exception, in the order of the arguments, is raised.
        arguments: the arguments.
    """
    threads = torch.get_num_threads()
    if threads < 2:
        return [work(argument) for argument in arguments]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, arguments))
