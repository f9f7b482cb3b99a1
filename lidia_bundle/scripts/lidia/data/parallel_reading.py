"""Work on the phases of a patient side by side: unpacking and sampling leave Python's lock alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Given = TypeVar("Given")
Made = TypeVar("Made")


def map_in_threads(work: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
    """Results in order, in as many threads as torch may use here; one thread works as a plain loop.

    Args:
        work: raises what it likes; the first of its faults, in the order given, is raised.
        given: what it is called with.
    """
    threads = torch.get_num_threads()
    if threads < 2:
        return [work(one) for one in given]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, given))
