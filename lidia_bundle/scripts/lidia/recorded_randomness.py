"""Record the random choices of a forward pass and repeat them in a second pass.

Sharpness-aware minimisation takes the gradient twice for one batch. What the first pass chose at random or by
its own weights (proposals, pilots, points, matching) must stand in the second, or the two passes answer
different questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


class RecordedChoices:
    """Makes choices; while recording keeps them, while replaying gives them back in the same order."""

    def __init__(self) -> None:
        self.mode = "off"
        self.recorded: list[Any] = []

    def choose(self, make: Callable[[], Any]) -> Any:
        """Returns `make()`, or in a replay what the recorded pass returned here.

        Raises:
            RuntimeError: a replay asks for more choices than were recorded.
        """
        if self.mode == "replay":
            if not self.recorded:
                raise RuntimeError(
                    "The replayed pass makes more choices than the recorded one: the batch differs."
                )
            return self.recorded.pop(0)
        made = make()
        if self.mode == "record":
            self.recorded.append(made)
        return made


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
    """Context in which all `RecordedChoices` inside `modules` are kept, replacing what was kept before."""
    return _set_mode("record", modules)


def replay_choices(*modules: nn.Module) -> Any:
    """Context in which all `RecordedChoices` inside `modules` are repeated in order, each once."""
    return _set_mode("replay", modules)
