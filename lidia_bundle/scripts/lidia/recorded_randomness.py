"""Record the random choices of a forward pass and repeat them in a second pass.

Sharpness-aware minimisation computes the gradient twice for one batch. Choices that the first pass made at
random or by its weights (proposals, pilots, points, matching) are reused in the second pass; otherwise the
two passes would differentiate different losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


class RecordedChoices:
    """Makes choices; records them, or replays the recorded ones in the same order."""

    def __init__(self) -> None:
        self.mode = "off"
        self.recorded: list[Any] = []

    def choose(self, make: Callable[[], Any]) -> Any:
        """Returns `make()`, or in a replay the value of the recorded pass.

        Raises:
            RuntimeError: a replay makes more choices than were recorded.
        """
        if self.mode == "replay":
            if not self.recorded:
                raise RuntimeError(
                    "The replayed pass makes more choices than the recorded one: the batch differs."
                )
            return self.recorded.pop(0)
        choice = make()
        if self.mode == "record":
            self.recorded.append(choice)
        return choice


@contextmanager
def _set_mode(mode: str, modules: tuple[nn.Module, ...]) -> Iterator[None]:
    parts = [part for root in modules for part in root.modules()]
    recorders = [
        value for part in parts for value in vars(part).values() if isinstance(value, RecordedChoices)
    ]
    for choices in recorders:
        choices.mode = mode
        if mode == "record":
            choices.recorded.clear()
    try:
        yield
    finally:
        for choices in recorders:
            choices.mode = "off"


def record_choices(*modules: nn.Module) -> Any:
    """Returns a context that records all `RecordedChoices` inside `modules`; earlier records are deleted."""
    return _set_mode("record", modules)


def replay_choices(*modules: nn.Module) -> Any:
    """Returns a context that replays all `RecordedChoices` inside `modules` in order, each once."""
    return _set_mode("replay", modules)
